package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// WhatsAppGrace is how long a deleted WhatsApp template stays listed and its
// name taken (contract v4 §6.9.3).
const WhatsAppGrace = 30 * 24 * time.Hour

// WhatsAppNote is what this server keeps of a template that the real WhatsApp
// holds: how it was submitted, or how it was when it was first seen. There is
// one per API account, WhatsApp account, name and language, the name's letter
// case ignored.
type WhatsAppNote struct {
	WhatsAppTemplate
	Deleted time.Time // through this server; zero: not
	// Deleting is when WhatsApp was last asked to delete it without an answer that
	// says whether it did; zero: not.
	Deleting time.Time
}

// InGrace reports whether the template was deleted and is still to be listed.
func (n WhatsAppNote) InGrace(now time.Time) bool {
	return !n.Deleted.IsZero() && now.Sub(n.Deleted) < WhatsAppGrace
}

// WhatsAppNotes keeps notes. account is the API account, accountRef the
// WhatsApp account's own id.
type WhatsAppNotes interface {
	// WhatsAppNotes returns the notes, in no order; an account that does not
	// exist has none.
	WhatsAppNotes(ctx context.Context, account, accountRef string) ([]WhatsAppNote, error)
	// PutWhatsAppNote adds a note or replaces the one of its name and language.
	PutWhatsAppNote(ctx context.Context, account, accountRef string, n WhatsAppNote) error
}

// storedNote is how stores keep a WhatsAppNote: names stay as they are.
type storedNote struct {
	Name         string    `json:"name"`
	Language     string    `json:"language"`
	Status       string    `json:"status"`
	OneTap       bool      `json:"one_tap,omitempty"`
	Advice       bool      `json:"advice,omitempty"`
	Minutes      int       `json:"minutes"`
	CopyText     string    `json:"copy_text,omitempty"`
	AutofillText string    `json:"autofill_text,omitempty"`
	PackageName  string    `json:"package_name,omitempty"`
	Signature    string    `json:"signature,omitempty"`
	Body         string    `json:"body,omitempty"`
	Footer       string    `json:"footer,omitempty"`
	ButtonURL    string    `json:"button_url,omitempty"`
	Created      time.Time `json:"created_at"`
	Updated      time.Time `json:"updated_at"`
	Deleted      time.Time `json:"deleted_at,omitzero"`
	Deleting     time.Time `json:"deleting_at,omitzero"`
}

// MarshalJSON writes the note for stores.
func (n WhatsAppNote) MarshalJSON() ([]byte, error) {
	text, err := json.Marshal(storedNote{
		n.Name, n.Language, n.Status, n.OneTap, n.SecurityRecommendation, n.Minutes, n.CopyButtonText, n.AutofillButtonText,
		n.PackageName, n.SignatureHash, n.Body, n.Footer, n.ButtonURL, n.Created, n.Updated, n.Deleted, n.Deleting,
	})
	if err != nil {
		return nil, fmt.Errorf("encode note of template: %w", err)
	}
	return text, nil
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (n *WhatsAppNote) UnmarshalJSON(text []byte) error {
	var s storedNote
	if err := json.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("decode note of template: %w", err)
	}
	*n = WhatsAppNote{WhatsAppTemplate{
		s.Name, s.Language, s.Status, s.OneTap, s.Advice, s.Minutes, s.CopyText, s.AutofillText,
		s.PackageName, s.Signature, s.Body, s.Footer, s.ButtonURL, s.Created, s.Updated,
	}, s.Deleted, s.Deleting}
	return nil
}
