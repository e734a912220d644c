package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/message"
)

// kind is what the stores' entries have in common, so that one case checks it
// for all of them.
type kind struct {
	name  string
	named bool // names are unique in an account
	get   func(ctx context.Context, s CatalogStore, account, id string) (any, error)
	list  func(ctx context.Context, s CatalogStore, account string) ([]any, error)
	// entry is what create makes, n making its id.
	entry  func(n int, name string) any
	create func(ctx context.Context, s CatalogStore, account string, n int, name string) error
	// rename changes the name alone.
	rename func(ctx context.Context, s CatalogStore, account, id, name string) error
	// count raises one number of the entry by one.
	count  func(ctx context.Context, s CatalogStore, account, id string) error
	counts func(entry any) int
	// spoil changes everything and then fails with errApply.
	spoil  func(ctx context.Context, s CatalogStore, account, id string) error
	remove func(ctx context.Context, s CatalogStore, account, id string) error
}

// methods are a store's for entries of one type.
type methods[T any] struct {
	list   func(ctx context.Context, account string) ([]T, error)
	create func(ctx context.Context, account string, v T) error
	update func(ctx context.Context, account, id string, apply func(T) (T, error)) error
	remove func(ctx context.Context, account, id string) error
}

// number is one of an entry's, to count with.
type number[T any] struct {
	get func(T) int
	set func(*T, int)
}

// kindOf makes a kind of the methods for T. Where the store has no method to
// read one entry, the list is searched.
func kindOf[T any](
	name string, named bool, of func(CatalogStore) methods[T],
	get func(ctx context.Context, s CatalogStore, account, id string) (T, error),
	idOf func(T) string, entry func(n int, name string) T, nameOf func(*T) *string, number number[T],
) kind {
	if get == nil {
		get = func(ctx context.Context, s CatalogStore, account, id string) (none T, err error) {
			all, err := of(s).list(ctx, account)
			if err != nil {
				return none, err
			}
			if at := slices.IndexFunc(all, func(v T) bool { return idOf(v) == id }); at >= 0 {
				return all[at], nil
			}
			return none, catalog.ErrNotFound
		}
	}
	return kind{
		name: name, named: named,
		get: func(ctx context.Context, s CatalogStore, account, id string) (any, error) {
			return get(ctx, s, account, id)
		},
		list: func(ctx context.Context, s CatalogStore, account string) (out []any, err error) {
			all, err := of(s).list(ctx, account)
			for _, v := range all {
				out = append(out, v)
			}
			return out, err
		},
		entry: func(n int, name string) any { return entry(n, name) },
		create: func(ctx context.Context, s CatalogStore, account string, n int, name string) error {
			return of(s).create(ctx, account, entry(n, name))
		},
		rename: func(ctx context.Context, s CatalogStore, account, id, name string) error {
			return of(s).update(ctx, account, id, func(v T) (T, error) {
				*nameOf(&v) = name
				return v, nil
			})
		},
		count: func(ctx context.Context, s CatalogStore, account, id string) error {
			return of(s).update(ctx, account, id, func(v T) (T, error) {
				number.set(&v, number.get(v)+1)
				return v, nil
			})
		},
		counts: func(v any) int { return number.get(v.(T)) },
		spoil: func(ctx context.Context, s CatalogStore, account, id string) error {
			return of(s).update(ctx, account, id, func(v T) (T, error) {
				*nameOf(&v) = "spoilt"
				number.set(&v, -1)
				return v, errApply
			})
		},
		remove: func(ctx context.Context, s CatalogStore, account, id string) error {
			return of(s).remove(ctx, account, id)
		},
	}
}

func kinds() []kind {
	return []kind{
		kindOf("templates", true,
			func(s CatalogStore) methods[catalog.Template] {
				return methods[catalog.Template]{
					s.Templates, s.CreateTemplate, s.UpdateTemplate,
					func(ctx context.Context, account, id string) error {
						return s.DeleteTemplate(ctx, account, id, message.SMS)
					},
				}
			},
			func(ctx context.Context, s CatalogStore, account, id string) (catalog.Template, error) {
				return s.Template(ctx, account, id)
			},
			func(v catalog.Template) string { return v.ID },
			func(n int, name string) catalog.Template { return newTemplate(n, message.SMS, name, "en") },
			func(v *catalog.Template) *string { return &v.Name },
			number[catalog.Template]{
				func(v catalog.Template) int { return v.Minutes },
				func(v *catalog.Template, n int) { v.Minutes = n },
			}),
		kindOf("profiles", true,
			func(s CatalogStore) methods[catalog.Profile] {
				return methods[catalog.Profile]{s.Profiles, s.CreateProfile, s.UpdateProfile, s.DeleteProfile}
			},
			func(ctx context.Context, s CatalogStore, account, id string) (catalog.Profile, error) {
				return s.Profile(ctx, account, id)
			},
			func(v catalog.Profile) string { return v.ID },
			newProfile,
			func(v *catalog.Profile) *string { return &v.Name },
			number[catalog.Profile]{
				func(v catalog.Profile) int { return v.Attempts },
				func(v *catalog.Profile, n int) { v.Attempts = n },
			}),
		kindOf("priorities", true,
			func(s CatalogStore) methods[catalog.Priority] {
				return methods[catalog.Priority]{s.Priorities, s.CreatePriority, s.UpdatePriority, s.DeletePriority}
			},
			func(ctx context.Context, s CatalogStore, account, id string) (catalog.Priority, error) {
				return s.Priority(ctx, account, id)
			},
			func(v catalog.Priority) string { return v.ID },
			newPriority,
			func(v *catalog.Priority) *string { return &v.Name },
			number[catalog.Priority]{
				func(v catalog.Priority) int { return v.Channels[0].Rank },
				func(v *catalog.Priority, n int) { v.Channels[0].Rank = n },
			}),
		kindOf("applications", true,
			func(s CatalogStore) methods[catalog.Application] {
				return methods[catalog.Application]{
					s.Applications, s.CreateApplication, s.UpdateApplication,
					func(ctx context.Context, account, id string) error {
						_, err := s.DeleteApplication(ctx, account, id)
						return err
					},
				}
			},
			func(ctx context.Context, s CatalogStore, account, id string) (catalog.Application, error) {
				return s.Application(ctx, account, id)
			},
			func(v catalog.Application) string { return v.ID },
			newApplication,
			func(v *catalog.Application) *string { return &v.Name },
			number[catalog.Application]{
				func(v catalog.Application) int { return v.Attempts },
				func(v *catalog.Application, n int) { v.Attempts = n },
			}),
		kindOf("callback configurations", false,
			func(s CatalogStore) methods[catalog.SealedCallback] {
				return methods[catalog.SealedCallback]{s.Callbacks, s.CreateCallback, s.UpdateCallback, s.DeleteCallback}
			},
			nil,
			func(v catalog.SealedCallback) string { return v.ID },
			newCallback,
			func(v *catalog.SealedCallback) *string { return &v.URL },
			number[catalog.SealedCallback]{
				func(v catalog.SealedCallback) int { return int(v.PreviousUntil) },
				func(v *catalog.SealedCallback, n int) { v.PreviousUntil = int64(n) },
			}),
	}
}

func newTemplate(n int, channel message.Channel, name, language string) catalog.Template {
	return catalog.Template{
		ID: id(n), Channel: channel, Name: name, Language: language,
		Message: fmt.Sprintf("Ünïcode %d {{otp_code}}\n'\"", n), Minutes: 3 + n%100,
	}
}

func newProfile(n int, name string) catalog.Profile {
	return catalog.Profile{
		ID: id(n), Name: name, Alphanumeric: n%2 == 1, Attempts: 3, CodeLength: 6 + n%5,
		Links: []catalog.Link{
			{Channel: message.Voice, Template: "v", Language: "de"},
			{Channel: message.SMS, Template: "s", Language: "en"},
			{Channel: message.SMS, Template: "t", Language: "de"},
		}[:n%4],
	}
}

func newPriority(n int, name string) catalog.Priority {
	return catalog.Priority{ID: id(n), Name: name, Channels: []catalog.Rank{
		{Channel: message.Viber, Rank: 1 + n%100}, {Channel: message.SMS, Rank: 2_000_000_000},
	}}
}

func newApplication(n int, name string) catalog.Application {
	return catalog.Application{
		ID: id(n), Name: name, CodeLength: 4 + n%5, Alphanumeric: n%2 == 1, Attempts: 3, Life: 300*time.Second + time.Microsecond,
		Texts: map[string]string{"en": "Code {{OTP}}", "de-sms": "Ünïcode \"{{OTP}}\""}, Sender: "VERIFY",
		Caller: []string{"", "+441234"}[n%2], Alias: int64(n%3) * int64(n), Created: sinceEver,
	}
}

func newCallback(n int, url string) catalog.SealedCallback {
	return catalog.SealedCallback{
		ID: id(n), URL: url, ProfileID: []string{"", id(7)}[n%2], Headers: [][]byte{nil, {0, 1, 0xff}}[n%2],
		Secret: []byte{byte(n), 0}, Previous: [][]byte{nil, {9}}[n%2], PreviousUntil: int64(n%2) * 5,
	}
}

func (k kind) roundTrip(t *testing.T, s CatalogStore) {
	ctx := t.Context()
	var want []any
	for i, name := range []string{"m", "z", "a", " ", "日本語", "Z"} {
		n := 30 - i // ids in the reverse order
		noError(t, k.create(ctx, s, "acme", n, name))
		want = append(want, k.entry(n, name))
		got, err := k.get(ctx, s, "acme", id(n))
		noError(t, err)
		wantSame(t, "entry", got, want[i])
	}
	got, err := k.list(ctx, s, "acme")
	noError(t, err)
	wantSame(t, "list", got, want)

	// A change keeps the entry's place.
	noError(t, k.rename(ctx, s, "acme", id(29), "y"))
	want[1] = k.entry(29, "y")
	got, err = k.list(ctx, s, "acme")
	noError(t, err)
	wantSame(t, "list after a new name", got, want)
}

func (k kind) absent(t *testing.T, s CatalogStore) {
	ctx := t.Context()
	got, err := k.list(ctx, s, "acme")
	noError(t, err)
	wantSame(t, "list", got, []any{})
	_, err = k.get(ctx, s, "acme", id(1))
	wantError(t, "get", err, catalog.ErrNotFound)
	_, err = k.get(ctx, s, "acme", "")
	wantError(t, "get of no id", err, catalog.ErrNotFound)
	wantError(t, "update", k.count(ctx, s, "acme", id(1)), catalog.ErrNotFound)
	wantError(t, "delete", k.remove(ctx, s, "acme", id(1)), k.removeAbsent())
}

// removeAbsent is what deleting an absent entry returns.
func (k kind) removeAbsent() error {
	if k.name == "applications" {
		return catalog.ErrNotFound
	}
	return nil
}

func (k kind) foreign(t *testing.T, s CatalogStore) {
	ctx := t.Context()
	noError(t, k.create(ctx, s, "other", 1, "n"))
	got, err := k.list(ctx, s, "acme")
	noError(t, err)
	wantSame(t, "list", got, []any{})
	_, err = k.get(ctx, s, "acme", id(1))
	wantError(t, "get", err, catalog.ErrNotFound)
	wantError(t, "update", k.count(ctx, s, "acme", id(1)), catalog.ErrNotFound)
	wantError(t, "delete", k.remove(ctx, s, "acme", id(1)), k.removeAbsent())

	// The same id and name are free here, and what happens to the one leaves
	// the other alone.
	noError(t, k.create(ctx, s, "acme", 1, "n"))
	noError(t, k.count(ctx, s, "acme", id(1)))
	noError(t, k.rename(ctx, s, "acme", id(1), "m"))
	noError(t, k.remove(ctx, s, "acme", id(1)))
	got, err = k.list(ctx, s, "other")
	noError(t, err)
	wantSame(t, "the other account's list", got, []any{k.entry(1, "n")})
}

func (k kind) applyError(t *testing.T, s CatalogStore) {
	noError(t, k.create(t.Context(), s, "acme", 1, "n"))
	err := k.spoil(t.Context(), s, "acme", id(1))
	if err != errApply { //nolint:errorlint // promised as it is
		t.Errorf("update = %v; want %v itself", err, errApply)
	}
	got, err := k.get(t.Context(), s, "acme", id(1))
	noError(t, err)
	wantSame(t, "entry", got, k.entry(1, "n"))
}

func (k kind) updateRace(t *testing.T, s CatalogStore) {
	noError(t, k.create(t.Context(), s, "acme", 1, "n"))
	crowd(t, nil, func(int) error { return k.count(t.Context(), s, "acme", id(1)) })
	got, err := k.get(t.Context(), s, "acme", id(1))
	noError(t, err)
	if was, is := k.counts(k.entry(1, "n")), k.counts(got); is != was+crowdSize {
		t.Errorf("%d updates raised the number from %d to %d", crowdSize, was, is)
	}
}

func (k kind) deleted(t *testing.T, s CatalogStore) {
	ctx := t.Context()
	noError(t, k.create(ctx, s, "acme", 1, "n"))
	noError(t, k.create(ctx, s, "acme", 2, "m"))
	noError(t, k.remove(ctx, s, "acme", id(1)))
	_, err := k.get(ctx, s, "acme", id(1))
	wantError(t, "get", err, catalog.ErrNotFound)
	wantError(t, "a second delete", k.remove(ctx, s, "acme", id(1)), k.removeAbsent())
	noError(t, k.create(ctx, s, "acme", 1, "n"))
	got, err := k.list(ctx, s, "acme")
	noError(t, err)
	wantSame(t, "list", got, []any{k.entry(2, "m"), k.entry(1, "n")})
}

func (k kind) nameTaken(t *testing.T, s CatalogStore) {
	ctx := t.Context()
	noError(t, k.create(ctx, s, "acme", 1, "n"))
	noError(t, k.create(ctx, s, "acme", 2, "m"))
	wantError(t, "create", k.create(ctx, s, "acme", 4, "n"), catalog.ErrNameTaken)
	wantError(t, "create of the same entry", k.create(ctx, s, "acme", 1, "n"), catalog.ErrNameTaken)
	wantError(t, "rename", k.rename(ctx, s, "acme", id(2), "n"), catalog.ErrNameTaken)
	noError(t, k.rename(ctx, s, "acme", id(1), "n")) // its own name
	noError(t, k.create(ctx, s, "other", 4, "n"))
	got, err := k.list(ctx, s, "acme")
	noError(t, err)
	wantSame(t, "list", got, []any{k.entry(1, "n"), k.entry(2, "m")})
}

func (k kind) nameRace(t *testing.T, s CatalogStore) {
	won := crowd(t, catalog.ErrNameTaken, func(i int) error { return k.create(t.Context(), s, "acme", i, "n") })
	if won != 1 {
		t.Errorf("%d callers got the name; want 1", won)
	}
	got, err := k.list(t.Context(), s, "acme")
	noError(t, err)
	if len(got) != 1 {
		t.Errorf("%d entries of the name; want 1", len(got))
	}
}

func (k kind) namesExact(t *testing.T, s CatalogStore) {
	for i, name := range []string{"n", "N", "n ", " n", "ñ", "n\u0303", "n%", "n_"} {
		// Aliases of applications differ from 3 up where n%3 is not 0.
		if err := k.create(t.Context(), s, "acme", 3*i, name); err != nil {
			t.Errorf("create %q = %v; want no clash", name, err)
		}
	}
}
