package catalog

import (
	"context"
	"fmt"
	"time"

	"github.com/countersign/countersign/internal/message"
)

// approvedAge is how old the last known status of a WhatsApp template may be
// when a code is sent with it (contract v4 §8.1).
const approvedAge = 5 * time.Minute

// LocalWhatsApp is a WhatsApp in this server, as the sandbox's double is: its
// answers are cheap and its changes are seen at once, so they are not
// remembered.
type LocalWhatsApp interface {
	WhatsApp
	// LocalWhatsApp marks the type; it does nothing.
	LocalWhatsApp()
}

// ChosenWhatsApp is a WhatsApp that sends each account's questions to another
// one.
type ChosenWhatsApp interface {
	WhatsApp
	// Chosen returns the one for an account.
	Chosen(account, accountRef string) WhatsApp
}

type approvedKey struct{ account, ref string }

// ApprovedWhatsApp returns the WhatsApp templates that can be sent, by links of
// the channel WHATSAPP with a template's name and language. What WhatsApp says
// is remembered for up to five minutes unless wa is a LocalWhatsApp; it is
// shared between calls: do not change it. Errors are those of wa.
func (s *Service) ApprovedWhatsApp(ctx context.Context, wa WhatsApp, account, accountRef string) (map[Link]WhatsAppTemplate, error) {
	if c, ok := wa.(ChosenWhatsApp); ok {
		wa = c.Chosen(account, accountRef)
	}
	if _, local := wa.(LocalWhatsApp); local {
		return approved(ctx, wa, account, accountRef)
	}
	key := approvedKey{account, accountRef}
	now := s.now() // before asking: the answer is as old as the question
	if set, at, ok := s.approved.latest(key); ok && set != nil {
		if age := now.Sub(time.UnixMicro(at)); 0 <= age && age < approvedAge {
			return set, nil
		}
	}
	set, err := approved(ctx, wa, account, accountRef)
	if err != nil {
		return nil, err
	}
	s.approved.put(key, now.UnixMicro(), set)
	return set, nil
}

// ForgetWhatsApp makes the next ApprovedWhatsApp ask. Call it after a template
// was submitted or deleted through this server.
func (s *Service) ForgetWhatsApp(account, accountRef string) {
	// A mark later than any question that was asked before this call keeps
	// their answers out.
	s.approved.put(approvedKey{account, accountRef}, s.now().UnixMicro()+1, nil)
}

func approved(ctx context.Context, wa WhatsApp, account, accountRef string) (map[Link]WhatsAppTemplate, error) {
	templates, err := wa.WhatsAppTemplates(ctx, account, accountRef)
	if err != nil {
		return nil, fmt.Errorf("list WhatsApp templates: %w", err)
	}
	set := map[Link]WhatsAppTemplate{}
	for _, t := range templates {
		if t.Status == WhatsAppApproved {
			set[Link{message.WhatsApp, t.Name, t.Language}] = t
		}
	}
	return set, nil
}
