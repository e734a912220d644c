package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/report"
	"github.com/countersign/countersign/internal/store/registry"
	"github.com/countersign/countersign/internal/verify"
)

func finds(t *testing.T, r *reports, _ func()) {
	// In the order of their making; what each is, its id says.
	r.send(order{id: "verified", to: "+4915100000001", reference: "order 7"})
	r.submitted(r.one(), "a", accepted("r1"))
	r.check(verify.Ref{Account: acme, Origin: origin, ID: "verified"}, rightCode)
	r.send(order{id: "blocked", to: "+4915100000002", reference: "order"})
	r.submitted(r.one(), "b", accepted("r2"))
	for range 3 {
		r.check(verify.Ref{Account: acme, Origin: origin, ID: "blocked"}, wrongCode)
	}
	r.send(order{id: "expired", to: "+4915100000001", reference: "orders", steps: []delivery.Step{step(message.Voice)}})
	r.submitted(r.one(), "b", accepted("r3"))
	r.wall.Add(3 * time.Minute) // over, though no sweep has noticed
	r.send(order{id: "active", to: "+4915100000003", steps: []delivery.Step{named(message.SMS, "login"), step(message.Voice)}})
	r.submitted(r.one(), "a", refused())
	r.submitted(r.one(), "b", accepted("r4"))
	r.send(order{account: other, id: "active", to: "+4915100000001", reference: "order"})

	key := func(number string) [16]byte {
		to, err := phone.ParseRecipient(number)
		if err != nil {
			t.Fatal(err)
		}
		return verify.RecipientKey(r.keys, acme, to)
	}
	for _, c := range []struct {
		name string
		sel  report.Selection
		want []string
	}{
		{"all", report.Selection{}, []string{"active", "expired", "blocked", "verified"}},
		{"an id", report.Selection{ID: "blocked"}, []string{"blocked"}},
		{"an id nobody has", report.Selection{ID: "nobody"}, []string{}},
		{"an id and its number", report.Selection{ID: "verified", RecipientKey: key("+4915100000001")}, []string{"verified"}},
		{"an id and another's number", report.Selection{ID: "verified", RecipientKey: key("+4915100000002")}, []string{}},
		{"an id and its state", report.Selection{ID: "blocked", State: otp.TooManyAttempts}, []string{"blocked"}},
		{"an id and another state", report.Selection{ID: "verified", State: otp.Expired}, []string{}},
		{"an id and its reference", report.Selection{ID: "verified", Reference: "order 7"}, []string{"verified"}},
		{"an id and how its reference begins", report.Selection{ID: "verified", Reference: "order"}, []string{"verified"}},
		{"an id and another's reference", report.Selection{ID: "expired", Reference: "order"}, []string{}},
		{"an id without reference and one", report.Selection{ID: "active", Reference: "order"}, []string{}},
		{"an id and its channel and carrier", report.Selection{ID: "active", Channel: message.SMS, Carrier: "a"}, []string{"active"}},
		{"an id and another carrier", report.Selection{ID: "verified", Carrier: "b"}, []string{}},
		{"an id and its time", report.Selection{ID: "verified", From: Start, To: Start.Add(time.Minute)}, []string{"verified"}},
		{"an id and a time before it", report.Selection{ID: "active", To: Start.Add(time.Minute)}, []string{}},
		{"an id and a time after it", report.Selection{ID: "verified", From: Start.Add(time.Minute)}, []string{}},
		{"a number", report.Selection{RecipientKey: key("+4915100000001")}, []string{"expired", "verified"}},
		{"another number", report.Selection{RecipientKey: key("+4915100000009")}, []string{}},
		{"a reference and what begins with it", report.Selection{Reference: "order"}, []string{"blocked", "verified"}},
		{"a whole reference", report.Selection{Reference: "order 7"}, []string{"verified"}},
		{"a reference and another's number", report.Selection{Reference: "order", RecipientKey: key("+4915100000003")}, []string{}},
		{"a reference and a number", report.Selection{Reference: "order", RecipientKey: key("+4915100000002")}, []string{"blocked"}},
		{"active", report.Selection{State: otp.Active}, []string{"active"}},
		{"verified", report.Selection{State: otp.Verified}, []string{"verified"}},
		{"expired", report.Selection{State: otp.Expired}, []string{"expired"}},
		{"blocked", report.Selection{State: otp.TooManyAttempts}, []string{"blocked"}},
		{"blocked, of a number", report.Selection{State: otp.TooManyAttempts, RecipientKey: key("+4915100000001")}, []string{}},
		{"a channel", report.Selection{Channel: message.Voice}, []string{"active", "expired"}},
		{"another channel", report.Selection{Channel: message.Viber}, []string{}},
		{"a carrier", report.Selection{Carrier: "a"}, []string{"active", "verified"}},
		{"a carrier and a state", report.Selection{Carrier: "b", State: otp.Active}, []string{"active"}},
		{"a channel and a carrier and a number", report.Selection{Channel: message.SMS, Carrier: "a", RecipientKey: key("+4915100000001")}, []string{"verified"}},
	} {
		found := r.find(c.sel)
		if diff := cmp.Diff(c.want, ids(found)); diff != "" || found.Next != 0 || !found.Searched.IsZero() {
			t.Errorf("%s: next %d, searched %v (-want +got):\n%s", c.name, found.Next, found.Searched, diff)
		}
	}
	got := r.find(report.Selection{ID: "active"}).OTPs[0]
	want := report.Summary{
		ID: "active", Origin: origin, State: otp.Active, Recipient: got.Recipient, Country: "DE",
		Created: got.Created, Expires: got.Created.Add(3 * time.Minute), Allowed: 3,
		Channel: message.Voice, Carrier: "b", Delivery: delivery.Dispatched,
	}
	if got.Recipient.Reveal() != "+4915100000003" || !got.Created.Equal(r.wall.Now()) {
		t.Errorf("recipient %v, created %v", got.Recipient, got.Created)
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b phone.Recipient) bool { return a == b })); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
	if got := r.find(report.Selection{ID: "expired"}).OTPs[0]; !got.Ended.Equal(got.Expires) {
		t.Errorf("expired at %v, ended %v; want the same", got.Expires, got.Ended)
	}
}

func findsInTime(t *testing.T, r *reports, _ func()) {
	const n = 30
	for i := range n {
		r.send(order{id: fmt.Sprintf("o%d", i)})
		r.send(order{account: other})
		r.wall.Add(time.Hour)
	}
	for _, c := range []struct{ from, to, wantFirst, wantLast int }{
		{0, 5, 4, 0}, {10, 11, 10, 10}, {7, 20, 19, 7}, {29, 99, 29, 29},
	} {
		sel := report.Selection{From: Start.Add(time.Duration(c.from) * time.Hour), To: Start.Add(time.Duration(c.to) * time.Hour)}
		found := r.find(sel)
		got := ids(found)
		if found.Next != 0 || !found.Searched.IsZero() {
			t.Errorf("from hour %d to %d: next %d, searched %v; want nothing to go on with", c.from, c.to, found.Next, found.Searched)
		}
		if len(got) != c.wantFirst-c.wantLast+1 || got[0] != fmt.Sprintf("o%d", c.wantFirst) || got[len(got)-1] != fmt.Sprintf("o%d", c.wantLast) {
			t.Errorf("from hour %d to %d: %v, want o%d to o%d", c.from, c.to, got, c.wantFirst, c.wantLast)
		}
	}
	if got := ids(r.find(report.Selection{To: Start})); len(got) != 0 {
		t.Errorf("before all: %v", got)
	}
	if got := ids(r.find(report.Selection{From: Start.Add(n * time.Hour)})); len(got) != 0 {
		t.Errorf("after all: %v", got)
	}
}

func findsPages(t *testing.T, r *reports, _ func()) {
	const n, page = 25, 4
	want := []string{}
	for i := range n {
		id := fmt.Sprintf("o%02d", i)
		want = append(want, id)
		number := "+4915100000001"
		if i%2 == 1 {
			number = "+4915100000002"
		}
		r.send(order{id: id, to: number, reference: "same"})
	}
	slices.Reverse(want)
	for name, sel := range map[string]report.Selection{
		"all": {}, "by reference": {Reference: "same"}, "active": {State: otp.Active},
	} {
		var got []string
		sel.Limit = page
		for i := 0; ; i++ {
			found := r.find(sel)
			got = append(got, ids(found)...)
			r.send(order{to: "+4915100000003"}) // newer than where the pages are
			if sel.Before = found.Next; sel.Before == 0 || i > n {
				break
			}
		}
		if name != "by reference" { // what was sent meanwhile by the cases before
			got = slices.DeleteFunc(got, func(id string) bool { return !slices.Contains(want, id) })
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s, page by page (-want +got):\n%s", name, diff)
		}
	}
}

func findsLittle(t *testing.T, r *reports, _ func()) {
	const most = 6000 // looked at for one page where carriers are asked for
	r.send(order{id: "rare", steps: []delivery.Step{step(message.Voice)}})
	r.submitted(r.one(), "rare", accepted("r1"))
	r.wall.Add(time.Second)
	ctx := context.WithoutCancel(t.Context())
	var wg sync.WaitGroup
	for range 60 {
		wg.Go(func() {
			for range most/60 + 2 {
				if _, err := r.CreateOTP(ctx, r.newOTP(order{})); err != nil {
					t.Errorf("CreateOTP: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	sel := report.Selection{Carrier: "rare"}
	first := r.find(sel)
	if len(first.OTPs) != 0 || first.Next == 0 || !first.Searched.Equal(r.wall.Now()) {
		t.Fatalf("first page: %v, next %d, searched %v; want nothing, and how far", ids(first), first.Next, first.Searched)
	}
	sel.Before = first.Next
	second := r.find(sel)
	if diff := cmp.Diff([]string{"rare"}, ids(second)); diff != "" || second.Next != 0 {
		t.Errorf("second page, next %d (-want +got):\n%s", second.Next, diff)
	}
}

// However many share how their references begin, the newest come first: as few
// as are put in order for it, and as many as are come upon from the newest on.
func findsShared(t *testing.T, r *reports, _ func()) {
	key := func(number string) [16]byte {
		to, err := phone.ParseRecipient(number)
		if err != nil {
			t.Fatal(err)
		}
		return verify.RecipientKey(r.keys, acme, to)
	}
	// Whatever is first by text is oldest.
	r.send(order{id: "rare", to: "+4915100000002", reference: "order 000"})
	r.send(order{id: "foreign", account: other, reference: "order 999"})
	r.send(order{id: "whole", reference: "order"})
	r.send(order{id: "longer", reference: "orders 1"})
	r.wall.Add(time.Second)
	made := 0
	fill := func(n int) {
		ctx := context.WithoutCancel(t.Context())
		var wg sync.WaitGroup
		for w := range 60 {
			wg.Go(func() {
				for i := w; i < n; i += 60 {
					id := fmt.Sprintf("o%05d", made+i)
					if _, err := r.CreateOTP(ctx, r.newOTP(order{id: id, reference: "order 1" + id})); err != nil {
						t.Errorf("CreateOTP: %v", err)
						return
					}
				}
			})
		}
		wg.Wait()
		made += n
	}
	// all reads every page, and counts those that said how far they looked.
	all := func(sel report.Selection) (ids []string, searched int) {
		sel.Limit = 900
		for {
			found := r.find(sel)
			for _, o := range found.OTPs {
				ids = append(ids, o.ID)
			}
			if !found.Searched.IsZero() {
				searched++
			}
			if sel.Before = found.Next; sel.Before == 0 {
				return ids, searched
			}
		}
	}
	checks := 0
	check := func() {
		t.Helper()
		checks++
		r.wall.Add(time.Second)
		newest := fmt.Sprintf("newest%d", made)
		r.send(order{id: newest, reference: "order 1"})
		got, _ := all(report.Selection{Reference: "order"})
		once := slices.Compact(slices.Sorted(slices.Values(got)))
		if want := made + 2 + checks; len(got) != want || len(once) != want {
			t.Errorf("of %d OTPs, %d were found, %d of them once; want %d", made, len(got), len(once), want)
		}
		if got[0] != newest || got[len(got)-1] != "rare" || slices.Contains(got, "longer") || slices.Contains(got, "foreign") {
			t.Errorf("of %d OTPs, found %s first and %s last; want %s and rare", made, got[0], got[len(got)-1], newest)
		}
		got, searched := all(report.Selection{Reference: "order", Carrier: "nobody"})
		if len(got) != 0 || searched != 0 {
			t.Errorf("of %d OTPs, found %v of no carrier and said %d times how far it looked; want none", made, got, searched)
		}
		got, _ = all(report.Selection{Reference: "order", RecipientKey: key("+4915100000002")})
		if diff := cmp.Diff([]string{"rare"}, got); diff != "" {
			t.Errorf("of %d OTPs, by reference and number (-want +got):\n%s", made, diff)
		}
	}
	fill(1200)
	check()
	fill(registry.SharedBeginning - 1200) // with the others more than are put in order
	check()
}
