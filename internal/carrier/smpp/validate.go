package smpp

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/carrier/smpp/pdu"
	"github.com/countersign/countersign/internal/delivery"
)

// Lengths of texts, in octets (SMPP 3.4 §5.2).
const (
	maxName        = 64
	maxSystemID    = 15
	maxPassword    = 8
	maxSystemType  = 12
	maxRange       = 40
	maxServiceType = 5
	maxTLVValue    = 1024 // ours; what is known to be in use is far shorter
	maxRate        = 100_000
	maxPort        = 65535
)

// Validate returns a KeyError for the first key that is wrong, or nil. It reads
// the files that the TLS keys name and does nothing else.
func (c Config) Validate() error {
	_, err := c.settle()
	return err
}

// settled is a valid Config in the form that is worked with.
type settled struct {
	Config
	shortCode, dest pdu.Address
	statuses        map[pdu.Status]delivery.Class
	tlvs            []pdu.TLV
}

func (c Config) settle() (settled, error) {
	s := settled{Config: c.withDefaults()}
	for _, check := range []func(*settled) *setting.KeyError{
		(*settled).checkTexts, (*settled).checkWords, (*settled).checkNumbers, (*settled).checkPlain, (*settled).checkTables,
	} {
		if err := check(&s); err != nil {
			return settled{}, err
		}
	}
	if _, err := s.tlsConfig(); err != nil {
		return settled{}, err
	}
	return s, nil
}

func wrong(key, format string, args ...any) *setting.KeyError {
	return &setting.KeyError{Key: key, Err: fmt.Errorf(format, args...)}
}

func (s *settled) checkTexts() *setting.KeyError {
	for _, f := range []struct {
		key, value string
		limit      int
		needed     bool
	}{
		{"name", s.Name, maxName, true},
		{"host", s.Host, 253, true},
		{"system_id", s.SystemID, maxSystemID, true},
		{"password", s.Password.reveal(), maxPassword, true},
		{"system_type", s.SystemType, maxSystemType, false},
		{"address_range", s.AddressRange, maxRange, false},
		{"service_type", s.ServiceType, maxServiceType, false},
	} {
		switch {
		case f.needed && f.value == "":
			return wrong(f.key, "is missing")
		case len(f.value) > f.limit:
			return wrong(f.key, "has %d characters; SMPP allows %d", len(f.value), f.limit)
		case !setting.Printable(f.value):
			return wrong(f.key, "has a character that is not printable ASCII")
		}
	}
	if strings.ContainsAny(s.Host, "/[] ") || strings.Count(s.Host, ":") == 1 {
		return wrong("host", "is no host name or address; the port has a key of its own")
	}
	if s.Sender != "" {
		if _, err := s.source(s.Sender); err != nil {
			return wrong("sender", "%w", err)
		}
	}
	return nil
}

func (s *settled) checkWords() *setting.KeyError {
	for _, f := range []struct {
		key, value string
		words      []string
	}{
		{"mode", s.Mode, []string{transceiver, pair}},
		{"alphabet", s.Alphabet, []string{gsm, latin1Default, latin1}},
		{"long", s.Long, []string{udh, udh16, sar, payload}},
		{"validity", s.Validity, []string{relative, absolute, none}},
		{"receipts", s.Receipts, []string{final, intermediate, none}},
		{"receipt_id", s.ReceiptID, []string{asIs, hexToDec, decToHex}},
	} {
		if !slices.Contains(f.words, f.value) {
			return wrong(f.key, "is %q; use one of %s", f.value, strings.Join(f.words, ", "))
		}
	}
	if s.Flash && s.Alphabet == latin1 {
		return wrong("flash", `is not possible with alphabet = "latin1"`)
	}
	return nil
}

func (s *settled) checkNumbers() *setting.KeyError {
	for _, f := range []struct {
		key             string
		value, from, to int
	}{
		{"port", s.Port, 1, maxPort},
		{"binds", s.Binds, 1, maxBinds},
		{"window", s.Window, 1, maxWindow},
	} {
		if f.value < f.from || f.value > f.to {
			return wrong(f.key, "is %d; use %d to %d", f.value, f.from, f.to)
		}
	}
	if math.IsNaN(s.Rate) || s.Rate < 0 || s.Rate > maxRate {
		return wrong("rate", "is %v; use 0 (no limit) to %d parts a second", s.Rate, maxRate)
	}
	var bad *setting.KeyError
	s.shortCode, bad = kindOf("short_code_ton_npi", s.ShortCode)
	if bad != nil {
		return bad
	}
	s.dest, bad = kindOf("dest_ton_npi", s.Dest)
	return bad
}

// kindOf reads "TON/NPI".
func kindOf(key, text string) (pdu.Address, *setting.KeyError) {
	ton, npi, _ := strings.Cut(text, "/")
	a, errA := strconv.ParseUint(ton, 10, 8)
	b, errB := strconv.ParseUint(npi, 10, 8)
	if errA != nil || errB != nil {
		return pdu.Address{}, wrong(key, `is %q; use two numbers, such as "1/1"`, text)
	}
	return pdu.Address{TON: uint8(a), NPI: uint8(b)}, nil
}

// checkPlain refuses what can be seen to be plain text over the internet. For
// host names the same is checked when they are resolved.
func (s *settled) checkPlain() *setting.KeyError {
	if s.TLS {
		return nil
	}
	for _, f := range []struct{ key, value string }{
		{"tls_ca_file", s.CAFile},
		{"tls_cert_file", s.CertFile},
		{"tls_key_file", s.KeyFile},
	} {
		if f.value != "" {
			return wrong(f.key, "has no meaning without tls = true")
		}
	}
	if s.ServerName != s.Host { // its default
		return wrong("tls_server_name", "has no meaning without tls = true")
	}
	if addr, err := netip.ParseAddr(s.Host); err == nil && !s.AllowPlaintext && !private(addr) {
		return wrong("allow_plaintext", "%w", errPlaintext)
	}
	return nil
}

func (s *settled) checkTables() *setting.KeyError {
	s.statuses = make(map[pdu.Status]delivery.Class, len(s.Statuses))
	for _, text := range slices.Sorted(maps.Keys(s.Statuses)) {
		v, err := strconv.ParseUint(text, 0, 32)
		class, ok := delivery.ParseClass(s.Statuses[text])
		switch {
		case err != nil || v == 0:
			return wrong("statuses", `%q is no command_status; write it as "0x401"`, text)
		case !ok:
			return wrong("statuses", "%s: %q is no class; use RETRY, PERMANENT or CONFIG", text, s.Statuses[text])
		}
		s.statuses[pdu.Status(v)] = class
	}
	for _, text := range slices.Sorted(maps.Keys(s.TLVs)) {
		v, err := strconv.ParseUint(text, 0, 16)
		switch {
		case err != nil:
			return wrong("tlvs", `%q is no tag; write it as "0x1400"`, text)
		case ownTag(pdu.Tag(v)):
			return wrong("tlvs", "%s is set by the server itself", text)
		case len(s.TLVs[text]) > maxTLVValue:
			return wrong("tlvs", "%s has %d octets; use %d at most", text, len(s.TLVs[text]), maxTLVValue)
		}
		s.tlvs = append(s.tlvs, pdu.TLV{Tag: pdu.Tag(v), Value: []byte(s.TLVs[text])})
	}
	return nil
}

func ownTag(tag pdu.Tag) bool {
	return slices.Contains([]pdu.Tag{
		pdu.UserMessageReference, pdu.SARMessageRef, pdu.SARTotal, pdu.SARPart, pdu.MessagePayload,
	}, tag)
}

// errPlaintext is why a connection is not even tried.
var errPlaintext = errors.New("password and codes would travel in clear to an address that is not private; use tls = true, or allow_plaintext = true")
