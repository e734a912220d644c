package catalog_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/catalog"
)

const canary = "Bearer canary-5f1d"

func wanted() catalog.Callback {
	return catalog.Callback{
		URL: "https://user:canary-5f1d@example.com/hook?x=1", ProfileID: "p",
		Headers: []catalog.Header{{Name: "Authorization", Value: canary}, {Name: "x-team", Value: ""}},
	}
}

func TestACallbackComesBackInClearAndIsKeptSealed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	want, bare := wanted(), catalog.Callback{URL: "http://example.org/"}
	for _, c := range []*catalog.Callback{&want, &bare} {
		got, err := f.AddCallback(t.Context(), "acme", *c)
		noError(t, err)
		if !uuidForm.MatchString(got.ID) {
			t.Errorf("id %q; want a UUID", got.ID)
		}
		c.ID = got.ID
		if diff := cmp.Diff(*c, got); diff != "" {
			t.Errorf("AddCallback (-want +got):\n%s", diff)
		}
	}
	got, err := f.Callbacks(t.Context(), "acme")
	noError(t, err)
	if diff := cmp.Diff([]catalog.Callback{want, bare}, got); diff != "" {
		t.Errorf("Callbacks (-want +got):\n%s", diff)
	}
	sealed, err := f.store.Callbacks(t.Context(), "acme")
	noError(t, err)
	if strings.Contains(string(sealed[0].Headers), "canary") || strings.Contains(string(sealed[0].Headers), "Authorization") {
		t.Error("headers are stored readable")
	}
	if sealed[1].Headers != nil {
		t.Error("no headers are stored as some")
	}
	if strings.Contains(string(sealed[0].Secret), "whsec_") {
		t.Error("the signing secret is stored readable")
	}
	got, err = f.Callbacks(t.Context(), "other")
	if err != nil || len(got) != 0 {
		t.Errorf("the other account's callbacks = %v, %v; want none", got, err)
	}
}

func TestWhatIsSealedIsOfTheFormThatThePusherOpens(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c, err := f.AddCallback(t.Context(), "acme", wanted())
	noError(t, err)
	sealed, err := f.store.Callbacks(t.Context(), "acme")
	noError(t, err)
	plain, err := f.keys.Open(sealed[0].Headers, "callback headers", "acme", c.ID)
	noError(t, err)
	if want := `[{"Name":"Authorization","Value":"` + canary + `"},{"Name":"x-team","Value":""}]`; string(plain) != want {
		t.Errorf("headers are %s; want %s", plain, want)
	}
	plain, err = f.keys.Open(sealed[0].Secret, "callback secret", "acme", c.ID)
	noError(t, err)
	signing, err := f.CallbackSecret(t.Context(), c.ID)
	noError(t, err)
	if string(plain) != signing.Secret.Reveal() {
		t.Error("the sealed secret is not the one shown")
	}
}

func TestWhatIsSealedForOneConfigurationOpensForNoOther(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	_, err := f.AddCallback(t.Context(), "acme", wanted())
	noError(t, err)
	stolen, err := f.store.Callbacks(t.Context(), "acme")
	noError(t, err)
	// The same bytes under another account, as somebody at the database might
	// put them.
	noError(t, f.CreateCallback(t.Context(), "other", stolen[0]))
	if got, err := f.Callbacks(t.Context(), "other"); err == nil {
		t.Errorf("Callbacks = %v; want an error", got)
	}
}

func TestACallbackIsChanged(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	added, err := f.AddCallback(t.Context(), "acme", wanted())
	noError(t, err)
	secret, err := f.CallbackSecret(t.Context(), added.ID)
	noError(t, err)

	change := catalog.Callback{ID: "ignored", URL: "https://example.net/", Headers: []catalog.Header{{Name: "X-A", Value: "1"}}}
	got, err := f.ChangeCallback(t.Context(), "acme", added.ID, func(was catalog.Callback) (catalog.Callback, error) {
		if diff := cmp.Diff(added, was); diff != "" {
			t.Errorf("what apply gets (-want +got):\n%s", diff)
		}
		return change, nil
	})
	noError(t, err)
	change.ID = added.ID
	if diff := cmp.Diff(change, got); diff != "" {
		t.Errorf("ChangeCallback (-want +got):\n%s", diff)
	}
	all, err := f.Callbacks(t.Context(), "acme")
	noError(t, err)
	if diff := cmp.Diff([]catalog.Callback{change}, all); diff != "" {
		t.Errorf("Callbacks (-want +got):\n%s", diff)
	}
	after, err := f.CallbackSecret(t.Context(), added.ID)
	noError(t, err)
	if after != secret && after.Secret.Reveal() != secret.Secret.Reveal() {
		t.Error("a change changed the signing secret")
	}

	refused := errors.New("no")
	if _, err := f.ChangeCallback(t.Context(), "acme", added.ID, func(catalog.Callback) (catalog.Callback, error) {
		return catalog.Callback{}, refused
	}); err != refused { //nolint:errorlint // promised as it is
		t.Errorf("ChangeCallback = %v; want apply's own error", err)
	}
	for _, c := range [][2]string{{"acme", "none"}, {"other", added.ID}} {
		_, err := f.ChangeCallback(t.Context(), c[0], c[1], func(c catalog.Callback) (catalog.Callback, error) { return c, nil })
		if !errors.Is(err, catalog.ErrNotFound) {
			t.Errorf("ChangeCallback of %v = %v; want ErrNotFound", c, err)
		}
	}
	all, err = f.Callbacks(t.Context(), "acme")
	noError(t, err)
	if diff := cmp.Diff([]catalog.Callback{change}, all); diff != "" {
		t.Errorf("Callbacks after refused changes (-want +got):\n%s", diff)
	}
}

func TestARemovedCallbackIsGone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	added, err := f.AddCallback(t.Context(), "acme", wanted())
	noError(t, err)
	noError(t, f.RemoveCallback(t.Context(), "other", added.ID))
	all, err := f.Callbacks(t.Context(), "acme")
	if err != nil || len(all) != 1 {
		t.Fatalf("Callbacks = %v, %v after another account removed it; want it there", all, err)
	}
	noError(t, f.RemoveCallback(t.Context(), "acme", added.ID))
	noError(t, f.RemoveCallback(t.Context(), "acme", added.ID))
	all, err = f.Callbacks(t.Context(), "acme")
	if err != nil || len(all) != 0 {
		t.Errorf("Callbacks = %v, %v; want none", all, err)
	}
	if _, err := f.CallbackSecret(t.Context(), added.ID); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("CallbackSecret = %v; want ErrNotFound", err)
	}
	if _, err := f.RotateCallbackSecret(t.Context(), added.ID); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("RotateCallbackSecret = %v; want ErrNotFound", err)
	}
}

func TestARotatedSecretSignsBesideTheOldOneForADay(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	added, err := f.AddCallback(t.Context(), "other", wanted())
	noError(t, err)
	first, err := f.CallbackSecret(t.Context(), added.ID)
	noError(t, err)
	if first.Account != "other" || !strings.HasPrefix(first.Secret.Reveal(), "whsec_") || !first.Previous.IsZero() {
		t.Errorf("signing = %+v; want a secret of account other, and none before it", first)
	}
	rotated, err := f.RotateCallbackSecret(t.Context(), added.ID)
	noError(t, err)
	if rotated.Secret.Reveal() == first.Secret.Reveal() {
		t.Error("rotating kept the secret")
	}
	end := f.clock.now().Add(24 * time.Hour)
	for _, step := range []struct {
		pass time.Duration
		both bool
	}{{0, true}, {24*time.Hour - 1, true}, {1, false}} {
		f.clock.pass(step.pass)
		got, err := f.CallbackSecret(t.Context(), added.ID)
		noError(t, err)
		if got.Secret.Reveal() != rotated.Secret.Reveal() {
			t.Error("the new secret changed again")
		}
		if step.both && (got.Previous.Reveal() != first.Secret.Reveal() || !got.PreviousUntil.Equal(end)) {
			t.Errorf("at %v the old secret does not sign until %v", f.clock.now(), end)
		}
		if !step.both && (!got.Previous.IsZero() || !got.PreviousUntil.IsZero()) {
			t.Errorf("at %v the old secret still signs", f.clock.now())
		}
	}
	all, err := f.Callbacks(t.Context(), "other")
	noError(t, err)
	if diff := cmp.Diff([]catalog.Callback{added}, all); diff != "" {
		t.Errorf("rotating changed the configuration (-want +got):\n%s", diff)
	}
}

func TestAChangeDuringARotationKeepsBothSecrets(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	added, err := f.AddCallback(t.Context(), "acme", wanted())
	noError(t, err)
	first, err := f.CallbackSecret(t.Context(), added.ID)
	noError(t, err)
	rotated, err := f.RotateCallbackSecret(t.Context(), added.ID)
	noError(t, err)
	_, err = f.ChangeCallback(t.Context(), "acme", added.ID, func(c catalog.Callback) (catalog.Callback, error) {
		c.URL = "https://example.net/moved"
		return c, nil
	})
	noError(t, err)
	got, err := f.CallbackSecret(t.Context(), added.ID)
	noError(t, err)
	if got.Secret.Reveal() != rotated.Secret.Reveal() || got.Previous.Reveal() != first.Secret.Reveal() ||
		!got.PreviousUntil.Equal(rotated.PreviousUntil) {
		t.Errorf("after a change of the URL signing = %+v; want the new secret, and the old one until %v", got, rotated.PreviousUntil)
	}
}

func TestACallbackHidesHeadersAndURLHoweverItIsPrinted(t *testing.T) {
	t.Parallel()
	c := wanted()
	var log strings.Builder
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(handler).InfoContext(t.Context(), "x",
			slog.Any("one", c), slog.Any("some", []catalog.Callback{c}), slog.Any("headers", c.Headers), slog.Any("header", c.Headers[0]))
	}
	encoded, err := json.Marshal([]any{c, c.Headers})
	noError(t, err)
	printed := fmt.Sprintf("%v %+v %#v %s %v %+v %#v %s %v", c, c, c, c, c.Headers, c.Headers, c.Headers, c.Headers, []catalog.Callback{c}) +
		log.String() + string(encoded)
	if strings.Contains(printed, "canary") {
		t.Errorf("a secret is in %s", printed)
	}
}
