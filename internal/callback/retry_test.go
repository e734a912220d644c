package callback_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/store/storetest"
)

func TestEightAttemptsOnScheduleThenADeadLetter(t *testing.T) {
	t.Parallel()
	base := []time.Duration{
		5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, 2 * time.Hour, 6 * time.Hour,
	}
	for _, c := range []struct {
		name   string
		random constant
		share  float64
		status int
	}{
		{"shortest waits, 500", 0, 0.8, 500},
		{"longest waits, 404", 0xff, 1.2, 404},
		{"middle waits, 410", 0x80, 1.002, 410},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			w1 := receive(t, statuses(c.status))
			config := r.to(w1.URL)
			sent := r.Send(storetest.Acme)
			sent.Dispatch()
			p := r.pusher(func(cfg *callback.Config) { cfg.Random = c.random })
			step(t, p, 1)
			for _, wait := range base {
				exact := time.Duration(float64(wait) * c.share)
				slack := wait / 500
				r.wall.Add(exact - slack)
				step(t, p, 0)
				r.wall.Add(2 * slack)
				step(t, p, 1)
			}
			r.wall.Add(48 * time.Hour)
			step(t, p, 0)
			got := w1.requests()
			for _, again := range got[1:] {
				if again.body != got[0].body || again.header.Get("webhook-id") != got[0].header.Get("webhook-id") {
					t.Errorf("a repeat differs: %q %s", again.header.Get("webhook-id"), again.body)
				}
				if again.header.Get("webhook-timestamp") == got[0].header.Get("webhook-timestamp") {
					t.Error("a repeat has the first attempt's timestamp")
				}
			}
			letters, err := r.Letters(t.Context(), storetest.Acme, true, 10)
			want := []callback.Letter{{
				Account: storetest.Acme, ConfigID: config, OTPID: sent.ID, Kind: otp.EventDispatched, Created: storetest.Start,
				Attempts: 8, Dead: true, LastStatus: c.status,
			}}
			if err != nil || len(letters) != 1 {
				t.Fatalf("letters %+v, %v", letters, err)
			}
			id := letters[0].ID
			letters[0].ID = ""
			if diff := cmp.Diff(want, letters); diff != "" {
				t.Errorf("letters (-want +got):\n%s", diff)
			}
			if configs, err := r.store.Callbacks(t.Context(), storetest.Acme); err != nil || len(configs) != 1 {
				t.Errorf("%d configurations are left, %v", len(configs), err)
			}
			if err := r.Replay(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			step(t, p, 1)
			if again := w1.requests()[8]; again.body != got[0].body || again.header.Get("webhook-id") != got[0].header.Get("webhook-id") {
				t.Errorf("the replay differs: %s", again.body)
			}
			r.wall.Add(4*time.Second - time.Millisecond)
			step(t, p, 0)
			r.wall.Add(2*time.Second + 2*time.Millisecond)
			step(t, p, 1) // the schedule began anew
		})
	}
}

func TestTheThirdAttemptIsReceived(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	w1 := receive(t, statuses(503, 503, 200))
	r.to(w1.URL)
	r.Send(storetest.Acme).Dispatch()
	p := r.pusher()
	step(t, p, 1)
	r.wall.Add(4 * time.Second)
	step(t, p, 1)
	r.wall.Add(24 * time.Second)
	step(t, p, 1)
	r.wall.Add(24 * time.Hour)
	step(t, p, 0)
	if letters, err := r.Letters(t.Context(), "", false, 10); err != nil || len(letters) != 0 {
		t.Errorf("letters %+v, %v", letters, err)
	}
}

func TestAny2xxIsReceivedAndNothingElse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var want []int
	configs := map[string]int{}
	for status, received := range map[int]bool{
		200: true, 201: true, 202: true, 204: true, 299: true,
		300: false, 301: false, 302: false, 304: false, 307: false, 308: false,
		400: false, 404: false, 410: false, 429: false, 500: false, 503: false,
	} {
		configs[r.to(receive(t, statuses(status)).URL)] = status
		if !received {
			want = append(want, status)
		}
	}
	r.Send(storetest.Acme).Dispatch()
	step(t, r.pusher(), len(configs))
	letters, err := r.Letters(t.Context(), "", false, 100)
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for _, l := range letters {
		got = append(got, configs[l.ConfigID])
		if l.LastStatus != configs[l.ConfigID] || l.LastProblem != "" {
			t.Errorf("%d is listed as %d, %q", configs[l.ConfigID], l.LastStatus, l.LastProblem)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("not received (-want +got):\n%s", diff)
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	elsewhere := receive(t, statuses(200))
	w1 := receive(t, func(_ int, w http.ResponseWriter, q *http.Request) {
		http.Redirect(w, q, elsewhere.URL+"/caught", http.StatusFound)
	})
	r.Configure(storetest.Acme, catalog.Callback{URL: w1.URL, Headers: []catalog.Header{{Name: "Authorization", Value: "Bearer x"}}})
	r.Send(storetest.Acme).Dispatch()
	p := r.pusher()
	step(t, p, 1)
	r.wall.Add(6 * time.Second)
	step(t, p, 1)
	if got := elsewhere.requests(); len(got) != 0 || len(w1.requests()) != 2 {
		t.Errorf("the other host got %d, the configured one %d; want none and 2", len(got), len(w1.requests()))
	}
}

func TestRetryAfterLengthensAWaitOnly(t *testing.T) {
	t.Parallel()
	type answer struct {
		name   string
		status int
		header string
		want   time.Duration // after the first attempt, whose own wait is 4 s
	}
	answers := []answer{
		{"longer on 503", 503, "120", 2 * time.Minute},
		{"longer on 429", 429, "120", 2 * time.Minute},
		{"as a date", 503, storetest.Start.Add(time.Hour).Format(http.TimeFormat), time.Hour},
		{"shorter", 503, "1", 4 * time.Second},
		{"none", 503, "", 4 * time.Second},
		{"a date in the past", 429, storetest.Start.Add(-time.Hour).Format(http.TimeFormat), 4 * time.Second},
		{"negative", 429, "-5", 4 * time.Second},
		{"nonsense", 429, "soon", 4 * time.Second},
		{"on another status", 500, "120", 4 * time.Second},
		{"bounded", 503, "99999999999999999999", 24 * time.Hour},
	}
	r := newRig(t)
	configs := map[string]answer{}
	for _, a := range answers {
		w1 := receive(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
			if a.header != "" {
				w.Header().Set("Retry-After", a.header)
			}
			w.WriteHeader(a.status)
		})
		configs[r.to(w1.URL)] = a
	}
	r.Send(storetest.Acme).Dispatch()
	step(t, r.pusher(), len(answers))
	letters, err := r.Letters(t.Context(), "", false, 100)
	if err != nil || len(letters) != len(answers) {
		t.Fatalf("letters %+v, %v", letters, err)
	}
	for _, l := range letters {
		if wait := l.Due.Sub(storetest.Start); wait != configs[l.ConfigID].want {
			t.Errorf("%s: the next attempt is after %s, want %s", configs[l.ConfigID].name, wait, configs[l.ConfigID].want)
		}
	}
}

func TestLaterEventsDoNotWaitForRetries(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	w1 := receive(t, statuses(500, 200))
	r.to(w1.URL)
	sent := r.Send(storetest.Acme)
	sent.Dispatch()
	sent.Deliver()
	p := r.pusher()
	step(t, p, 2)
	r.wall.Add(6 * time.Second)
	step(t, p, 1)
	var order []string
	for _, q := range w1.requests() {
		order = append(order, statusOf(t, q))
	}
	if diff := cmp.Diff([]string{"DISPATCHED", "DELIVERED", "DISPATCHED"}, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestAChangedURLTakesEffectForAWaitingRetry(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	before, after := receive(t, statuses(500)), receive(t, statuses(200))
	id := r.to(before.URL)
	r.Send(storetest.Acme).Dispatch()
	p := r.pusher()
	step(t, p, 1)
	err := r.UpdateCallback(t.Context(), storetest.Acme, id, func(c catalog.SealedCallback) (catalog.SealedCallback, error) {
		c.URL = after.URL
		return c, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r.wall.Add(6 * time.Second)
	step(t, p, 1)
	if len(before.requests()) != 1 || len(after.requests()) != 1 {
		t.Errorf("old URL got %d, new one %d; want 1 and 1", len(before.requests()), len(after.requests()))
	}
	if before.requests()[0].body != after.requests()[0].body {
		t.Error("the body differs")
	}
}

func TestADeletedConfigurationGetsNoFurtherAttempt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	w1 := receive(t, statuses(500))
	id := r.to(w1.URL)
	r.Send(storetest.Acme).Dispatch()
	p := r.pusher()
	step(t, p, 1)
	if err := r.DeleteCallback(t.Context(), storetest.Acme, id); err != nil {
		t.Fatal(err)
	}
	r.wall.Add(24 * time.Hour)
	step(t, p, 0)
	if letters, err := r.Letters(t.Context(), "", false, 10); err != nil || len(letters) != 0 {
		t.Errorf("letters %+v, %v", letters, err)
	}
}
