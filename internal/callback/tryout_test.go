package callback_test

import (
	"context"
	"testing"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/store/storetest"
)

func TestATestEventIsSignedAndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	rec := receive(t, statuses(200, 503))
	id, signing := r.Configure(storetest.Acme, catalog.Callback{URL: rec.URL, Headers: []catalog.Header{{Name: "X-Door", Value: "k3y"}}})
	configs, err := r.store.Callbacks(t.Context(), storetest.Acme)
	if err != nil || len(configs) != 1 {
		t.Fatalf("configurations: %d, %v", len(configs), err)
	}
	to := callback.Post{
		Account: storetest.Acme, ConfigID: id, ProfileID: storetest.Profile, URL: rec.URL, Headers: configs[0].Headers, Secret: configs[0].Secret,
	}
	p := r.pusher()
	o := p.Test(t.Context(), to)
	if !o.Received || o.Status != 200 || o.ConfigID != id || o.Problem != "" {
		t.Errorf("the outcome is %+v", o)
	}
	got := rec.requests()[0]
	if err := verifies(t, signing, got); err != nil {
		t.Errorf("the signature: %v", err)
	}
	if s := statusOf(t, got); s != "TEST" || memberOf(t, got, "profileId") != storetest.Profile || got.header.Get("X-Door") != "k3y" {
		t.Errorf("the request is %v %s", got.header, got.body)
	}
	if o := p.Test(t.Context(), to); o.Received || o.Status != 503 {
		t.Errorf("the outcome of a refusal is %+v", o)
	}
	rec.Close()
	if o := p.Test(t.Context(), to); o.Received || o.Status != 0 || o.Problem != callback.ProblemConnect && o.Problem != callback.ProblemConnection {
		t.Errorf("the outcome without a receiver is %+v", o)
	}
	to.URL = "http://169.254.169.254/"
	if o := p.Test(t.Context(), to); o.Problem != callback.ProblemAddress {
		t.Errorf("the outcome of a refused address is %+v", o)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if o := p.Test(ctx, to); o.Received {
		t.Errorf("the outcome for somebody who left is %+v", o)
	}
	if letters, err := r.Letters(t.Context(), storetest.Acme, false, 10); err != nil || len(letters) != 0 {
		t.Errorf("there are %d callbacks, %v", len(letters), err)
	}
}
