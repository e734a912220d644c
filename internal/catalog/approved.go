package catalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/countersign/countersign/internal/message"
)

const (
	// approvedAge is how old the last known status of a WhatsApp template may be
	// when a code is sent with it (contract v4 §8.1).
	approvedAge = 5 * time.Minute
	// approvedSoon is from when on a status is asked for anew though it may still
	// be used, so that no send has to wait while there are many.
	approvedSoon = 4 * time.Minute
	// approvedPatience is how long a send waits for lists of templates in all, and how
	// long sends wait for a list, counted from its beginning. To accept a send no
	// carrier is waited for, and the plan's other channel may still do.
	approvedPatience = 2 * time.Second
	// approvedBound is how long a list may take in all, of however many pages.
	approvedBound = time.Minute
	// approvedTries is how often a send asks: again if templates changed meanwhile.
	approvedTries = 2
)

var (
	errApprovedSlow   = fmt.Errorf("%w: it takes long to list its templates", ErrWhatsAppUnreachable)
	errApprovedClosed = fmt.Errorf("%w: the server ends", ErrWhatsAppUnreachable)
	errApprovedBound  = errors.New("the list of templates took too long")
)

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

// chosenWhatsApp returns what answers for an account, and whether it is a
// LocalWhatsApp.
func chosenWhatsApp(wa WhatsApp, account, accountRef string) (chosen WhatsApp, local bool) {
	if c, ok := wa.(ChosenWhatsApp); ok {
		wa = c.Chosen(account, accountRef)
	}
	_, local = wa.(LocalWhatsApp)
	return wa, local
}

// ListWhatsApp lists the account's WhatsApp templates, oldest first. What it
// reads is what ApprovedWhatsApp knows from then on. Errors are those of wa.
func (s *Service) ListWhatsApp(ctx context.Context, wa WhatsApp, account, accountRef string) ([]WhatsAppTemplate, error) {
	wa, local := chosenWhatsApp(wa, account, accountRef)
	if local {
		return listWhatsApp(ctx, wa, account, accountRef)
	}
	r := s.approved.read(approvedKey{account, accountRef}, s.now()) // before asking: the answer is as old as the question
	defer r.end()
	list, err := listWhatsApp(ctx, wa, account, accountRef)
	if err == nil {
		r.got(list)
	}
	return list, err
}

// ApprovedWhatsApp returns the WhatsApp templates that can be sent, by links of
// the channel WHATSAPP with a template's name and language. What WhatsApp says
// is remembered for up to five minutes unless wa is a LocalWhatsApp; it is
// shared between calls: do not change it. What is not known, or of which there is
// news, is asked for, by one call for all at a time, and waited for up to two
// seconds; the answer is remembered whenever it comes. News of others than the
// wanted links are not waited for; none are all. Errors are those of wa, and
// ErrWhatsAppUnreachable if there is no answer in time.
func (s *Service) ApprovedWhatsApp(
	ctx context.Context, wa WhatsApp, account, accountRef string, wanted ...Link,
) (map[Link]WhatsAppTemplate, error) {
	wa, local := chosenWhatsApp(wa, account, accountRef)
	if local {
		list, err := listWhatsApp(ctx, wa, account, accountRef)
		return approved(list), err
	}
	key := approvedKey{account, accountRef}
	renew := func() *renewal {
		return s.approved.renew(ctx, key, s.now(), func(ctx context.Context) ([]WhatsAppTemplate, error) {
			return listWhatsApp(ctx, wa, account, accountRef)
		})
	}
	set, current := s.approved.known(key, s.now(), wanted)
	if current == soonOld {
		renew() // and use what is known
	}
	if current != old {
		return set, nil
	}
	waiting, cancel := context.WithTimeoutCause(ctx, approvedPatience, errApprovedSlow)
	defer cancel()
	var err error
	for try := 0; err == nil && current != fresh && try < approvedTries; try++ {
		err = renew().wait(waiting)
		set, current = s.approved.known(key, s.now(), wanted)
	}
	switch {
	case set == nil && err == nil: // the clock was set while it was asked
		return nil, errApprovedSlow
	case set == nil || errors.Is(err, ErrWhatsAppAccount):
		return nil, err
	}
	return set, nil // the last known, where asking failed
}

// Run waits until ctx ends, then ends what is being asked of WhatsApp and
// returns. From then on nothing more is asked in the background.
func (s *Service) Run(ctx context.Context) error {
	<-ctx.Done()
	s.approved.close()
	return nil
}

// WhatsAppChange is news of a WhatsApp template.
type WhatsAppChange struct {
	AccountRef string // letter case does not matter
	Template   string // letter case does not matter
	Language   string // "" for all
	// Gone says that it cannot be sent any more; else it is to be asked for.
	Gone bool
}

// WhatsAppChanged takes news that come from WhatsApp or of what was done here.
// ApprovedWhatsApp no longer returns a template that is gone; after other news of
// one it asks before it next answers who wants it, and goes on with what it knew
// if that fails. Call it for a template submitted or deleted through this server too.
func (s *Service) WhatsAppChanged(c WhatsAppChange) { s.approved.change(c) }

func listWhatsApp(ctx context.Context, wa WhatsApp, account, accountRef string) ([]WhatsAppTemplate, error) {
	templates, err := wa.WhatsAppTemplates(ctx, account, accountRef)
	if err != nil {
		return nil, fmt.Errorf("list WhatsApp templates: %w", err)
	}
	return templates, nil
}

// approved returns those that can be sent.
func approved(templates []WhatsAppTemplate) map[Link]WhatsAppTemplate {
	set := map[Link]WhatsAppTemplate{}
	for _, t := range templates {
		if t.Status == WhatsAppApproved {
			set[Link{message.WhatsApp, t.Name, t.Language}] = t
		}
	}
	return set
}
