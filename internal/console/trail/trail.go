// Package trail is the console's page of the audit list: who did what, newest
// first, with the proof that nothing in the list was changed (P-07).
package trail

import (
	"context"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/console/page"
)

//go:embed templates/*.html
var templateFiles embed.FS

// Bounds of a page.
const (
	shown   = 50
	batch   = 500    // entries read at a time
	looked  = 10_000 // entries looked at for one page, whatever the filter
	atOnce  = 5_000  // entries that are proved with the page; more wait for somebody to ask
	headLen = 16     // letters of the head that are shown
)

// Store reads the list backwards.
type Store interface {
	// AuditBefore returns at most limit entries with numbers below before,
	// highest first.
	AuditBefore(ctx context.Context, before int64, limit int) ([]audit.Sealed, error)
}

// Prover proves the list; audit.Log does.
type Prover interface {
	Prove(ctx context.Context) (audit.Proof, error)
}

// Group is the page. It satisfies page.Group.
type Group struct {
	store  Store
	prover Prover
	busy   chan struct{} // holds one while a long list is proved
}

// New returns the page over a list.
func New(s Store, p Prover) *Group { return &Group{s, p, make(chan struct{}, 1)} }

// Links implements page.Group.
func (*Group) Links() []page.Link { return []page.Link{{Path: "/audit", Label: "Audit"}} }

// Templates implements page.Group.
func (*Group) Templates() fs.FS { return page.Embedded(templateFiles) }

// Register implements page.Group.
func (g *Group) Register(r *page.Routes) {
	r.Handle("GET /audit", page.Read, g.list)
	r.Handle("GET /audit/proof", page.Read, g.prove)
}

// row is an entry of the list.
type row struct {
	Seq                    int64
	At                     time.Time
	Action, Actor, Subject string
	Everywhere             bool // it is about the whole deployment
	Unreadable             bool
}

// Forged reports whether the entry was put in: the list begins at 1.
func (r row) Forged() bool { return r.Seq < 1 }

// filter says which entries are wanted.
type filter struct{ Action, Actor string }

func (f filter) wants(r row) bool {
	return strings.HasPrefix(r.Action, f.Action) && strings.Contains(strings.ToLower(r.Actor), strings.ToLower(f.Actor))
}

type listPage struct {
	Rows    []row
	Next    string // query of what is older, "" if that is all
	Looked  time.Time
	Proof   *proof // nil if the list is proved only when somebody asks
	Entries int64
	Filter  filter
}

// proof is a proof in words.
type proof struct {
	audit.Proof

	Head string
}

func (g *Group) list(w http.ResponseWriter, r *page.Request) error {
	q := r.URL.Query()
	f := r.Form()
	data := listPage{Filter: filter{strings.TrimSpace(q.Get("action")), strings.TrimSpace(q.Get("actor"))}}
	f.Set("action", data.Filter.Action)
	f.Set("actor", data.Filter.Actor)
	before := int64(math.MaxInt64)
	if text := q.Get("before"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 1 {
			return page.ErrNotFound
		}
		before = n
	}
	newest, err := g.store.AuditBefore(r.Context(), math.MaxInt64, 1)
	if err != nil {
		return fmt.Errorf("read audit list: %w", err)
	}
	if len(newest) > 0 {
		data.Entries = newest[0].Seq
	}
	next, at, err := g.read(r, before, data.Filter, &data.Rows)
	if err != nil {
		return err
	}
	if next > 0 { // below are forged ones at most, which are marked
		data.Looked = at
		data.Next = url.Values{"action": {data.Filter.Action}, "actor": {data.Filter.Actor}, "before": {strconv.FormatInt(next, 10)}}.Encode()
	}
	if data.Entries <= atOnce {
		p, err := g.prover.Prove(r.Context())
		if err != nil {
			return fmt.Errorf("prove audit list: %w", err)
		}
		data.Proof = worded(p)
	}
	return r.Render(w, http.StatusOK, "audit.html", data)
}

// read collects entries of the account, and those about the whole deployment.
// next is the number to go on below, 0 at the end.
func (g *Group) read(r *page.Request, before int64, f filter, rows *[]row) (next int64, at time.Time, err error) {
	for seen := 0; seen < looked; {
		entries, err := g.store.AuditBefore(r.Context(), before, batch)
		if err != nil {
			return 0, at, fmt.Errorf("read audit list: %w", err)
		}
		for _, e := range entries {
			before, at = e.Seq, e.At
			one, mine := rowOf(e, r.Account)
			if !mine || !f.wants(one) {
				continue
			}
			if n := len(*rows); n == shown { // there is more: what is older begins below the last
				last := (*rows)[n-1]
				return last.Seq, last.At, nil
			}
			*rows = append(*rows, one)
		}
		seen += len(entries)
		if len(entries) < batch {
			return 0, at, nil
		}
	}
	return before, at, nil
}

// rowOf reads an entry; false for another account's.
func rowOf(e audit.Sealed, account string) (row, bool) {
	one := row{Seq: e.Seq, At: e.At}
	var text audit.Entry
	if json.Unmarshal([]byte(e.Text), &text) != nil {
		one.Unreadable = true
		return one, true // somebody was at it, and it may be anybody's
	}
	one.Action, one.Actor, one.Subject, one.Everywhere = text.Action, text.Actor, text.Subject, text.Account == ""
	return one, text.Account == account || one.Everywhere
}

func worded(p audit.Proof) *proof {
	head := hex.EncodeToString(p.Head)
	return &proof{p, head[:min(len(head), headLen)]}
}

// prove proves the whole list, however long it is.
func (g *Group) prove(w http.ResponseWriter, r *page.Request) error {
	select {
	case g.busy <- struct{}{}:
	default:
		r.Form().Refuse("", "The list is being proved for somebody else at this moment. Try again in a minute.")
		return g.renderProof(w, r, http.StatusServiceUnavailable, nil)
	}
	defer func() { <-g.busy }()
	p, err := g.prover.Prove(r.Context())
	if err != nil {
		return fmt.Errorf("prove audit list: %w", err)
	}
	return g.renderProof(w, r, http.StatusOK, worded(p))
}

func (g *Group) renderProof(w http.ResponseWriter, r *page.Request, status int, p *proof) error {
	if r.Partial() {
		return r.Fragment(w, status, "proof.html", "proof-alone", p)
	}
	return r.Render(w, status, "proof.html", p)
}
