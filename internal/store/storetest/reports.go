package storetest

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/report"
	"github.com/countersign/countersign/internal/secret"
)

// ReportStore is what RunReports checks: the reports, and what fills them.
type ReportStore interface {
	Store
	report.Store
	callback.Store
	CreateCallback(ctx context.Context, account string, c catalog.SealedCallback) error
}

// reports is one case's store.
type reports struct {
	*bench
	ReportStore
}

// RunReports checks the reports of the stores that open returns, each one fresh
// and empty; their Store is a ReportStore. settle, if not nil, does at once what
// the store does to its figures from time to time.
func RunReports(t *testing.T, open Open, settle func(testing.TB, ReportStore)) {
	t.Helper()
	root, err := secret.NewRoot(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := secret.NewKeyring(root)
	if err != nil {
		t.Fatal(err)
	}
	if settle == nil {
		settle = func(testing.TB, ReportStore) {}
	}
	for _, c := range []struct {
		name string
		run  func(*testing.T, *reports, func())
	}{
		{"figures count what became of messages", figuresCount},
		{"a right code counts for the message dispatched last", figuresCredit},
		{"figures equal a recount of the events after parallel work", figuresRecount},
		{"figures outlive OTPs and are one account's", figuresKept},
		{"an OTP is found by what is known of it", finds},
		{"a search keeps to its time", findsInTime},
		{"pages follow each other without gap or repetition", findsPages},
		{"a search that finds little says how far it looked", findsLittle},
		{"of many with one beginning of a reference the newest come first", findsShared},
		{"a story has every try and what was said", storyTries},
		{"a call to be made again stays with its carrier", storyBusy},
		{"a receipt that gives up is told with its reason", storyGivenUp},
		{"a story knows for how long its OTP was accepted", storyCutShort},
		{"a story knows for how long a fallback made it last", storyCutShortLate},
		{"a story has every attempt to push an event", storyPushes},
		{"another account's OTP has no story", storyForeign},
		{"notes of endless tries are bounded", storyBounded},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			wall := &Wall{}
			opened := open(t, wall.Now)
			store, ok := opened.Store.(ReportStore)
			if !ok {
				t.Fatalf("%T is no ReportStore", opened.Store)
			}
			r := &reports{&bench{Opened: opened, t: t, wall: wall, keys: keys}, store}
			for _, name := range []string{acme, other} {
				if err := store.CreateAccount(t.Context(), account.Account{Name: name, Created: wall.Now()}); err != nil {
					t.Fatalf("create account: %v", err)
				}
			}
			c.run(t, r, func() { settle(t, store) })
		})
	}
}

// named is a step whose text comes from a template.
func named(c message.Channel, name string) delivery.Step {
	s := step(c)
	s.Name = name
	return s
}

// submitted records what a carrier said of a job.
func (r *reports) submitted(job delivery.Job, carrier string, result delivery.Result, tries ...delivery.Try) {
	r.t.Helper()
	o := delivery.SubmitOutcome{Key: job.Key, Carrier: carrier, Result: result, Tries: tries}
	if _, err := r.RecordSubmits(r.t.Context(), []delivery.SubmitOutcome{o}); err != nil {
		r.t.Fatalf("RecordSubmits: %v", err)
	}
}

// received records a receipt of any carrier.
func (r *reports) received(carrier, ref string, state delivery.ReceiptState) {
	r.t.Helper()
	known, _, err := r.RecordReceipt(r.t.Context(), delivery.Receipt{Carrier: carrier, Ref: ref, State: state, Failure: refused().Failure})
	if err != nil || !known {
		r.t.Fatalf("RecordReceipt = %v, %v", known, err)
	}
}

// figures reads a dimension of the account's whole time, by value.
func (r *reports) figures(name string, d report.Dimension) map[string]report.Counts {
	r.t.Helper()
	rows, err := r.Figures(r.t.Context(), name, d, 0, 1<<40)
	if err != nil {
		r.t.Fatalf("Figures: %v", err)
	}
	all := map[string]report.Counts{}
	for _, row := range rows {
		sum := all[row.Value]
		if err := row.Each(func(_ int64, c *report.Counts) { sum.Add(c) }); err != nil {
			r.t.Fatal(err)
		}
		all[row.Value] = sum
	}
	return all
}

// hours reads a dimension by value and hour.
func (r *reports) hours(name string, d report.Dimension) map[string]map[int64]report.Counts {
	r.t.Helper()
	rows, err := r.Figures(r.t.Context(), name, d, 0, 1<<40)
	if err != nil {
		r.t.Fatalf("Figures: %v", err)
	}
	all := map[string]map[int64]report.Counts{}
	for _, row := range rows {
		err := row.Each(func(hour int64, c *report.Counts) {
			if all[row.Value] == nil {
				all[row.Value] = map[int64]report.Counts{}
			}
			sum := all[row.Value][hour]
			sum.Add(c)
			all[row.Value][hour] = sum
		})
		if err != nil {
			r.t.Fatal(err)
		}
	}
	return all
}

// find searches acme.
func (r *reports) find(s report.Selection) report.Found {
	r.t.Helper()
	if s.Account == "" {
		s.Account = acme
	}
	if s.Limit == 0 {
		s.Limit = 100
	}
	found, err := r.FindOTPs(r.t.Context(), s)
	if err != nil {
		r.t.Fatalf("FindOTPs(%+v): %v", s, err)
	}
	return found
}

// ids are those of what was found.
func ids(f report.Found) []string {
	all := []string{}
	for _, o := range f.OTPs {
		all = append(all, o.ID)
	}
	return all
}

// story reads the record of acme's OTP.
func (r *reports) story(id string) report.Record {
	r.t.Helper()
	rec, err := r.OTPRecord(r.t.Context(), acme, id)
	if err != nil {
		r.t.Fatalf("OTPRecord: %v", err)
	}
	return rec
}

// try is a submit as a dispatcher tells it.
func try(carrier string, at time.Time, took time.Duration, r delivery.Result) delivery.Try {
	t := delivery.Try{Carrier: carrier, At: at, Took: took, Class: r.Class, Failure: r.Failure, Place: 1, Of: 1}
	return t
}
