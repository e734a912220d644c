package report

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/verify"
)

// Keys hash recipients and seal positions; the keyring does.
type Keys interface {
	Index(parts ...string) [16]byte
	Seal(plain []byte, context ...string) []byte
	Open(sealed []byte, context ...string) ([]byte, error)
}

// Service answers what people ask of OTPs. It is safe for concurrent use.
type Service struct {
	store Store
	keys  Keys
}

// New returns a service over a store.
func New(s Store, k Keys) *Service { return &Service{s, k} }

// Rows of a page.
const (
	DefaultLimit = 50
	maxLimit     = 200 // T-04
)

// Query is what to search for. Zero fields select nothing away; an OTP that is
// found matches all others.
type Query struct {
	Account      string
	ID           string
	RecipientKey [16]byte // Service.RecipientKey
	Reference    string   // all of it, or what stands in it before a blank
	State        otp.State
	Channel      message.Channel
	Carrier      string
	From, To     time.Time // of acceptance: From <= t < To
	Cursor       string    // Page.Next of the page before; "" for the first
	Limit        int       // DefaultLimit if 0, at most 200
}

// Page is one page of a search, newest first.
type Page struct {
	OTPs []Summary
	Next string // the next page's Cursor, "" if there is none
	// Searched is how far back in time this page looked, zero if to the end:
	// there may be a next page though few or none were found.
	Searched time.Time
}

// ErrCursor is returned for a Cursor that no Page of this account had.
var ErrCursor = errors.New("no position of a search")

// Positions count the OTPs of all accounts: only sealed ones leave (T-01).
const positionLabel = "report position"

// Search finds OTPs.
func (s *Service) Search(ctx context.Context, q Query) (Page, error) {
	sel := Selection{
		Account: q.Account, ID: q.ID, RecipientKey: q.RecipientKey, Reference: q.Reference, State: q.State,
		Channel: q.Channel, Carrier: q.Carrier, From: q.From, To: q.To, Limit: q.Limit,
	}
	if sel.Limit <= 0 {
		sel.Limit = DefaultLimit
	}
	sel.Limit = min(sel.Limit, maxLimit)
	if q.Cursor != "" {
		var err error
		if sel.Before, err = s.position(q.Account, q.Cursor); err != nil {
			return Page{}, err
		}
	}
	found, err := s.store.FindOTPs(ctx, sel)
	if err != nil {
		return Page{}, fmt.Errorf("search otps: %w", err)
	}
	p := Page{OTPs: found.OTPs, Searched: found.Searched}
	if found.Next > 0 {
		plain := binary.BigEndian.AppendUint64(nil, uint64(found.Next))
		p.Next = base64.RawURLEncoding.EncodeToString(s.keys.Seal(plain, positionLabel, q.Account))
	}
	return p, nil
}

// RecipientKey is what a search knows a recipient of an account by.
func (s *Service) RecipientKey(account string, to phone.Recipient) [16]byte {
	return verify.RecipientKey(s.keys, account, to)
}

// position reads a cursor.
func (s *Service) position(account, cursor string) (int64, error) {
	sealed, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return 0, ErrCursor
	}
	plain, err := s.keys.Open(sealed, positionLabel, account)
	if err != nil || len(plain) != 8 {
		return 0, ErrCursor
	}
	return int64(binary.BigEndian.Uint64(plain)), nil //nolint:gosec // written from an int64
}

// Story tells one OTP's story, with times in zone (UTC if nil); ErrNotFound if
// the account has none with the id.
func (s *Service) Story(ctx context.Context, account, id string, zone *time.Location) (Story, error) {
	r, err := s.store.OTPRecord(ctx, account, id)
	if err != nil {
		return Story{}, fmt.Errorf("read an otp's story: %w", err)
	}
	r.Zone = zone
	return Tell(r), nil
}
