package meta

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/catalog"
)

const (
	// pageSize is as many as WhatsApp gives at once without complaint; each page
	// may take it a second.
	pageSize = 100
	maxPages = 100
)

var errTooMany = errors.New("more templates than can be listed")

// page asks for templates; the query says which.
func (c *Carrier) page(ctx context.Context, a *Account, query url.Values) (found page, err error) {
	query.Set("fields", "id,name,status,category,language,components")
	query.Set("category", authentication)
	err = c.ask(ctx, a, http.MethodGet, a.ID+"/message_templates", query, nil, &found)
	return found, err
}

type page struct {
	Data   []listed `json:"data"`
	Paging struct {
		Cursors struct {
			After string `json:"after"`
		} `json:"cursors"`
		// Next is a URL with the access token in it; it only says that there is
		// more.
		Next string `json:"next"`
	} `json:"paging"`
}

// fetch returns the account's authentication templates, those of a name or, for
// "", all.
func (c *Carrier) fetch(ctx context.Context, a *Account, name string) ([]listed, error) {
	query := url.Values{"limit": {strconv.Itoa(pageSize)}}
	if name != "" {
		query.Set("name", name)
	}
	var all []listed
	for range maxPages {
		p, err := c.page(ctx, a, query)
		if err != nil {
			return nil, catalogError(err)
		}
		for _, l := range p.Data {
			if l.Category == authentication && (name == "" || l.Name == name) { // their filter finds parts of names too
				all = append(all, l)
			}
		}
		if p.Paging.Next == "" || p.Paging.Cursors.After == "" {
			return all, nil
		}
		query.Set("after", p.Paging.Cursors.After)
	}
	return nil, fmt.Errorf("%w: %w", catalog.ErrWhatsAppUnreachable, errTooMany)
}

// catalogError returns an error of ask in the catalog's words.
func catalogError(err error) error {
	if e, ok := errors.AsType[*Error](err); ok && e.missing() {
		return fmt.Errorf("%w: %w", catalog.ErrWhatsAppAccount, err)
	}
	return fmt.Errorf("%w: %w", catalog.ErrWhatsAppUnreachable, err)
}

// find returns the WhatsApp account that an API account means.
func (c *Carrier) find(account, accountRef string) (*Account, error) {
	if a := c.cfg.account(account, accountRef); a != nil && accountRef != "" {
		return a, nil
	}
	return nil, catalog.ErrWhatsAppAccount
}

// AnswersFor reports whether the carrier holds the templates of what an API
// account names by accountRef: the id of one of its WhatsApp accounts, or one
// of its refs, if the API account may use it.
func (c *Carrier) AnswersFor(account, accountRef string) bool {
	_, err := c.find(account, accountRef)
	return err == nil
}

// WhatsAppTemplates implements catalog.WhatsApp. Templates of other categories
// than authentication are left out.
func (c *Carrier) WhatsAppTemplates(ctx context.Context, account, accountRef string) ([]catalog.WhatsAppTemplate, error) {
	a, err := c.find(account, accountRef)
	if err != nil {
		return nil, err
	}
	all, err := c.fetch(ctx, a, "")
	if err != nil {
		return nil, err
	}
	notes, err := c.notes(ctx, account, a)
	if err != nil {
		return nil, err
	}
	now := c.deps.Now()
	list := make([]catalog.WhatsAppTemplate, 0, len(all))
	for _, l := range all {
		t, err := c.annotate(ctx, account, a, l, notes, now)
		if err != nil {
			return nil, err
		}
		list = append(list, t)
		delete(notes, noteKeyOf(t))
	}
	for _, n := range notes { // what WhatsApp lists no more
		if n = n.unlisted(); n.InGrace(now) {
			list = append(list, n.gone())
		}
	}
	slices.SortFunc(list, func(x, y catalog.WhatsAppTemplate) int {
		return cmp.Or(x.Created.Compare(y.Created), strings.Compare(x.Name, y.Name), strings.Compare(x.Language, y.Language))
	})
	return list, nil
}

// note is a catalog.WhatsAppNote with what this package makes of it.
type note struct{ catalog.WhatsAppNote }

// unlisted returns the note of a template that WhatsApp lists no more: a deletion
// without an answer was done then.
func (n note) unlisted() note {
	if n.Deleted.IsZero() {
		n.Deleted = n.Deleting
	}
	return n
}

// isOf reports whether the note is what a submission or deletion put, though
// a list may have changed its status since.
func (n note) isOf(put note) bool {
	return n.Created.Equal(put.Created) && n.Deleted.Equal(put.Deleted) && n.Deleting.Equal(put.Deleting)
}

// gone returns the template as it is listed once it was deleted.
func (n note) gone() catalog.WhatsAppTemplate {
	t := n.WhatsAppTemplate
	t.Status, t.Updated = catalog.WhatsAppDeletionPending, n.Deleted
	return t
}

func (c *Carrier) notes(ctx context.Context, account string, a *Account) (map[noteKey]note, error) {
	kept, err := c.deps.Notes.WhatsAppNotes(ctx, account, a.ID)
	if err != nil {
		return nil, fmt.Errorf("read notes of templates: %w", err)
	}
	notes := make(map[noteKey]note, len(kept))
	for _, n := range kept {
		notes[noteKeyOf(n.WhatsAppTemplate)] = note{n}
	}
	return notes, nil
}

func (c *Carrier) put(ctx context.Context, account string, a *Account, n note) error {
	if err := c.deps.Notes.PutWhatsAppNote(ctx, account, a.ID, n.WhatsAppNote); err != nil {
		return fmt.Errorf("keep note of template: %w", err)
	}
	return nil
}

// annotate returns a listed template with what is noted of it, and notes what
// is new.
func (c *Carrier) annotate(ctx context.Context, account string, a *Account, l listed, notes map[noteKey]note, now time.Time) (catalog.WhatsAppTemplate, error) {
	t := l.template()
	n, known := notes[noteKeyOf(t)]
	switch {
	case known && n.InGrace(now):
		return n.gone(), nil
	case t.Status == catalog.WhatsAppApproved:
		c.mendListed(keyOf(a, t.Name, t.Language), now)
	}
	if !known || !n.Deleted.IsZero() {
		t.Created, t.Updated = now, now
		return t, c.put(ctx, account, a, note{catalog.WhatsAppNote{WhatsAppTemplate: t}})
	}
	// As it was submitted: WhatsApp knows no capitals and fills in labels.
	t.Name, t.Created, t.Updated = n.Name, n.Created, n.Updated
	t.CopyButtonText, t.AutofillButtonText = n.CopyButtonText, n.AutofillButtonText
	t.SecurityRecommendation = t.SecurityRecommendation || n.SecurityRecommendation
	if t.OneTap {
		t.PackageName, t.SignatureHash = cmp.Or(n.PackageName, t.PackageName), cmp.Or(n.SignatureHash, t.SignatureHash)
	}
	if t.Status == n.Status {
		return t, nil
	}
	t.Updated = now
	return t, c.put(ctx, account, a, note{catalog.WhatsAppNote{WhatsAppTemplate: t, Deleting: n.Deleting}})
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}
