package pdu

// Status is a command_status.
type Status uint32

// Statuses of SMPP 3.4 §5.1.3 that the server sends, or acts on by name.
const (
	OK              Status = 0x00000000
	InvalidLength   Status = 0x00000001 // ESME_RINVMSGLEN
	InvalidPDU      Status = 0x00000002 // ESME_RINVCMDLEN
	InvalidCommand  Status = 0x00000003 // ESME_RINVCMDID
	WrongBindState  Status = 0x00000004 // ESME_RINVBNDSTS
	AlreadyBound    Status = 0x00000005 // ESME_RALYBND
	SystemError     Status = 0x00000008 // ESME_RSYSERR
	InvalidSource   Status = 0x0000000A // ESME_RINVSRCADR
	InvalidDest     Status = 0x0000000B // ESME_RINVDSTADR
	BindFailed      Status = 0x0000000D // ESME_RBINDFAIL
	InvalidPassword Status = 0x0000000E // ESME_RINVPASWD
	InvalidSystemID Status = 0x0000000F // ESME_RINVSYSID
	QueueFull       Status = 0x00000014 // ESME_RMSGQFUL
	SubmitFailed    Status = 0x00000045 // ESME_RSUBMITFAIL
	InvalidSrcTON   Status = 0x00000048 // ESME_RINVSRCTON
	InvalidSrcNPI   Status = 0x00000049 // ESME_RINVSRCNPI
	Throttled       Status = 0x00000058 // ESME_RTHROTTLED
	InvalidExpiry   Status = 0x00000062 // ESME_RINVEXPIRY
	TemporaryError  Status = 0x00000064 // ESME_RX_T_APPN
	InvalidTLV      Status = 0x000000C2 // ESME_RINVPARLEN
)

// String returns the number as documents write it, "0x58" or "0x401".
func (s Status) String() string { return hex(uint32(s), 2) }

// Name returns the standard's name without the prefix "ESME_", or "" for a
// status that it does not define.
func (s Status) Name() string { return statusNames[s] }

// statusNames is read only (SMPP 3.4 §5.1.3).
var statusNames = map[Status]string{
	0x00: "ROK", 0x01: "RINVMSGLEN", 0x02: "RINVCMDLEN", 0x03: "RINVCMDID", 0x04: "RINVBNDSTS", 0x05: "RALYBND",
	0x06: "RINVPRTFLG", 0x07: "RINVREGDLVFLG", 0x08: "RSYSERR", 0x0A: "RINVSRCADR", 0x0B: "RINVDSTADR",
	0x0C: "RINVMSGID", 0x0D: "RBINDFAIL", 0x0E: "RINVPASWD", 0x0F: "RINVSYSID", 0x11: "RCANCELFAIL",
	0x13: "RREPLACEFAIL", 0x14: "RMSGQFUL", 0x15: "RINVSERTYP", 0x33: "RINVNUMDESTS", 0x34: "RINVDLNAME",
	0x40: "RINVDESTFLAG", 0x42: "RINVSUBREP", 0x43: "RINVESMCLASS", 0x44: "RCNTSUBDL", 0x45: "RSUBMITFAIL",
	0x48: "RINVSRCTON", 0x49: "RINVSRCNPI", 0x50: "RINVDSTTON", 0x51: "RINVDSTNPI", 0x53: "RINVSYSTYP",
	0x54: "RINVREPFLAG", 0x55: "RINVNUMMSGS", 0x58: "RTHROTTLED", 0x61: "RINVSCHED", 0x62: "RINVEXPIRY",
	0x63: "RINVDFTMSGID", 0x64: "RX_T_APPN", 0x65: "RX_P_APPN", 0x66: "RX_R_APPN", 0x67: "RQUERYFAIL",
	0xC0: "RINVOPTPARSTREAM", 0xC1: "ROPTPARNOTALLWD", 0xC2: "RINVPARLEN", 0xC3: "RMISSINGOPTPARAM",
	0xC4: "RINVOPTPARAMVAL", 0xFE: "RDELIVERYFAILURE", 0xFF: "RUNKNOWNERR",
}
