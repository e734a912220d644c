package sandbox_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
)

// book keeps orders in memory, as a database that several nodes share.
type book struct {
	mu     sync.Mutex // guards what follows
	orders []sandbox.StoredOrder
	reads  int
	down   bool
}

func (b *book) PutOrder(_ context.Context, account string, key [16]byte, does sandbox.Order) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down {
		return errDown
	}
	b.orders = append(b.orders, sandbox.StoredOrder{Account: account, RecipientKey: key, Does: does})
	return nil
}

func (b *book) Orders(context.Context) ([]sandbox.StoredOrder, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reads++
	if b.down {
		return nil, errDown
	}
	return b.orders, nil
}

// ordered is a rig that takes orders from b.
func ordered(t testing.TB, b *book) (*rig, *sandbox.Orders) {
	t.Helper()
	keys := keyring(t)
	orders := sandbox.NewOrders(b, keys, silent())
	r := newRig(t, func(c *sandbox.Config) {
		c.Orders = orders
		c.Inbox = sandbox.NewInbox(newMemory(time.Now), keys, silent())
	})
	return r, orders
}

func TestAnOrderGoesBeforeTheDigitsOnEveryChannel(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		order sandbox.Order
		want  end
	}{
		{sandbox.ReportFailed, end{Class: delivery.Accepted, Receipt: delivery.ReceiptUndeliverable, Reason: "1", Kept: true}},
		{sandbox.ReportNothing, end{Class: delivery.Accepted, Kept: true}},
		{sandbox.RefuseSubmit, end{Class: delivery.Permanent, Failure: "3"}},
		{sandbox.NoOrder, end{Class: delivery.Accepted, Receipt: delivery.ReceiptDelivered, Kept: true}},
	} {
		for _, channel := range message.Channels() {
			who := number("1111")
			if channel == message.Email {
				who = "jo@example.com"
			}
			keys := keyring(t)
			orders := sandbox.NewOrders(&book{}, keys, silent())
			box := sandbox.NewInbox(newMemory(time.Now), keys, silent())
			r := newRig(t, func(cfg *sandbox.Config) { cfg.Orders, cfg.Inbox = orders, box })
			m := to(t, channel, who)
			if err := orders.Put(t.Context(), "acme", box.KeyOf(m.Recipient), c.order); err != nil {
				t.Fatal(err)
			}
			got := r.Submit(t.Context(), m)
			list, err := box.List(t.Context(), sandbox.Query{Limit: 9})
			if err != nil {
				t.Fatal(err)
			}
			is := end{Class: got.Class, Failure: got.Failure.Code, Kept: len(list) == 1}
			if got.Receipt != nil {
				is.Receipt, is.Reason = got.Receipt.State, got.Receipt.Failure.Code
			}
			if diff := cmp.Diff(c.want, is); diff != "" {
				t.Errorf("order %d, %s (-want +got):\n%s", c.order, channel, diff)
			}
			m.Account, m.Dedupe = "other", "another"
			if got := r.Submit(t.Context(), m); got.Receipt == nil || got.Receipt.State != delivery.ReceiptDelivered {
				t.Errorf("order %d reaches another account: %+v", c.order, got)
			}
		}
	}
}

func TestALateMessageArrivesAndIsReportedTenSecondsLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		keys := keyring(t)
		orders := sandbox.NewOrders(&book{}, keys, silent())
		box := sandbox.NewInbox(newMemory(time.Now), keys, silent())
		r := newRig(t, func(c *sandbox.Config) { c.Orders, c.Inbox = orders, box })
		m := to(t, message.SMS, number("1111"))
		if err := orders.Put(t.Context(), "acme", box.KeyOf(m.Recipient), sandbox.ArriveLate); err != nil {
			t.Fatal(err)
		}
		arrived := func() int {
			list, err := box.List(t.Context(), sandbox.Query{Limit: 9})
			if err != nil {
				t.Fatal(err)
			}
			return len(list)
		}
		res := r.Submit(t.Context(), m)
		if res.Class != delivery.Accepted || res.Receipt != nil || res.Ref == "" {
			t.Errorf("Submit = %+v, want ACCEPTED with a reference and nothing more", res)
		}
		time.Sleep(sandbox.LateBy - 1)
		synctest.Wait()
		if n := arrived(); n != 0 || len(r.received()) != 0 {
			t.Errorf("%d messages and %d receipts too early", n, len(r.received()))
		}
		time.Sleep(1 * time.Nanosecond)
		synctest.Wait()
		want := []delivery.Receipt{{Carrier: sandbox.Name, Ref: res.Ref, State: delivery.ReceiptDelivered}}
		if diff := cmp.Diff(want, r.received()); diff != "" || arrived() != 1 {
			t.Errorf("%d messages, receipts (-want +got):\n%s", arrived(), diff)
		}
	})
}

func TestAnOrderHoldsAtOnceHereAndSoonOnOtherNodes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := &book{}
		keys := keyring(t)
		here, there := sandbox.NewOrders(shared, keys, silent()), sandbox.NewOrders(shared, keys, silent())
		key := [16]byte{7}
		of := func(o *sandbox.Orders) sandbox.Order {
			known, err := o.Of(t.Context(), "acme")
			if err != nil {
				t.Fatal(err)
			}
			return known[key]
		}
		if of(here) != sandbox.NoOrder || of(there) != sandbox.NoOrder {
			t.Fatal("there is an order before one was given")
		}
		if err := here.Put(t.Context(), "acme", key, sandbox.RefuseSubmit); err != nil {
			t.Fatal(err)
		}
		if of(here) != sandbox.RefuseSubmit {
			t.Error("an order does not hold at once where it was given")
		}
		time.Sleep(300 * time.Millisecond)
		if of(there) != sandbox.RefuseSubmit {
			t.Error("an order does not hold on another node 300 ms later")
		}
		shared.mu.Lock()
		before := shared.reads
		shared.mu.Unlock()
		for range 1000 {
			of(here)
		}
		shared.mu.Lock()
		defer shared.mu.Unlock()
		if shared.reads > before+1 {
			t.Errorf("a thousand looks read the database %d times", shared.reads-before)
		}
	})
}

func TestTheSandboxGoesOnWhereOrdersCannotBeRead(t *testing.T) {
	t.Parallel()
	b := &book{down: true}
	r, orders := ordered(t, b)
	if got := r.Submit(t.Context(), to(t, message.SMS, number("1111"))); got.Class != delivery.Accepted {
		t.Errorf("Submit = %+v, want ACCEPTED", got)
	}
	if err := orders.Put(t.Context(), "acme", [16]byte{1}, sandbox.ArriveLate); !errors.Is(err, errDown) {
		t.Errorf("Put = %v, want the store's error", err)
	}
}

func TestWatchersHearOfTheirAccountUntilTheInboxEnds(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	mine, stopMine := r.inbox.Watch("acme")
	all, stopAll := r.inbox.Watch("")
	defer stopAll()
	foreign := to(t, message.SMS, number("2222"))
	foreign.Account = "other"
	for _, m := range []delivery.Message{foreign, to(t, message.SMS, number("1111"))} {
		if err := r.inbox.Put(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if got := <-mine; got != "acme" || len(mine) != 0 {
		t.Errorf("acme's watcher heard of %s and %d more", got, len(mine))
	}
	if first, second := <-all, <-all; first != "other" || second != "acme" {
		t.Errorf("the watcher of all heard of %s, %s", first, second)
	}
	stopMine()
	for range 100 { // nobody reads: nothing blocks
		if err := r.inbox.Put(t.Context(), to(t, message.SMS, number("1111"))); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.inbox.Run(ctx); err != nil {
		t.Fatal(err)
	}
	for range all { // ends
	}
	late, stop := r.inbox.Watch("acme")
	defer stop()
	if _, open := <-late; open {
		t.Error("a watcher of an inbox that has ended hears something")
	}
}
