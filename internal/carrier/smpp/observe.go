package smpp

// Notice is something that is worth counting.
type Notice string

// What is noticed. The texts are for labels of metrics.
const (
	Throttling     Notice = "throttled"       // the message centre asked to send more slowly
	NoAnswer       Notice = "no_answer"       // a submit was written and not answered
	LateAnswer     Notice = "late_answer"     // an answer that nobody waits for any more
	UnknownPDU     Notice = "unknown_pdu"     // a command that we do not know or serve
	HostilePDU     Notice = "hostile_pdu"     // what is no PDU; the session was closed
	UnknownState   Notice = "unknown_state"   // a receipt with a state that the standard lacks
	UnreadReceipt  Notice = "unread_receipt"  // a receipt without id or state
	UnknownReceipt Notice = "unknown_receipt" // a receipt for no message of ours
	ReceiptRefused Notice = "receipt_refused" // not recorded; the message centre sends it again
	Inbound        Notice = "inbound"         // a message from a person; it is answered and dropped
)

// BindState is how one connection does.
type BindState struct {
	Bind    int    // 1, 2, …; the two connections of a pair share it
	Kind    string // "bind_transceiver", "bind_transmitter" or "bind_receiver"
	Bound   bool
	Window  int    // submits that are unanswered
	Rate    string // parts a second at the moment, "" for no limit
	LastErr string // why it is not bound, or was not last; holds no personal data
}

// Observer is told what happens. Many goroutines call it at once; it does not
// block.
type Observer interface {
	// Changed: a connection was bound or lost.
	Changed(carrier string, s BindState)
	// Noticed: something happened that is counted.
	Noticed(carrier string, n Notice)
}

// unobserved is nobody.
type unobserved struct{}

func (unobserved) Changed(string, BindState) {}
func (unobserved) Noticed(string, Notice)    {}
