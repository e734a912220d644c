package account_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/account"
)

func makeKey(t *testing.T, draft account.Key) (account.Secret, account.Key) {
	t.Helper()
	secret, key, err := account.NewKey(rand.Reader, draft)
	if err != nil {
		t.Fatal(err)
	}
	return secret, key
}

func TestAMadeKeyHasItsFormAndItsID(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^otp_live_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}$`)
	for range 200 {
		secret, key := makeKey(t, account.Key{})
		text := secret.Reveal()
		if !form.MatchString(text) {
			t.Fatalf("made key of %d characters does not match %v", len(text), form)
		}
		id, ok := account.ParseSecret(text)
		if !ok || id != key.ID || !strings.Contains(text, id) {
			t.Fatalf("ParseSecret = %q, %v; want %q, true", id, ok, key.ID)
		}
		if key.Hash != account.HashKey(text) {
			t.Fatal("the key's hash is not that of its text")
		}
	}
}

func TestAMadeKeyKeepsItsDraft(t *testing.T) {
	t.Parallel()
	draft := account.Key{
		Account: "acme", Name: "ci", Login: "ops@example.com", Throttle: true,
		Created: time.Unix(1, 0), Expires: time.Unix(2, 0),
	}
	_, got := makeKey(t, draft)
	want := draft
	want.ID, want.Hash = got.ID, got.Hash
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("key (-want +got):\n%s", diff)
	}
}

func TestMadeKeysDiffer(t *testing.T) {
	t.Parallel()
	ids, texts := map[string]bool{}, map[string]bool{}
	for range 1000 {
		secret, key := makeKey(t, account.Key{})
		ids[key.ID], texts[secret.Reveal()] = true, true
	}
	if len(ids) != 1000 || len(texts) != 1000 {
		t.Errorf("1000 keys have %d ids and %d texts", len(ids), len(texts))
	}
}

func TestEveryBitOfTheRandomPartCounts(t *testing.T) {
	t.Parallel()
	// The same id with all zeros, all ones, and zeros but one bit.
	values := [][]byte{make([]byte, 32), bytes.Repeat([]byte{0xff}, 32)}
	for bit := range 256 {
		value := make([]byte, 32)
		value[bit/8] |= 1 << (bit % 8)
		values = append(values, value)
	}
	seen := map[string]bool{}
	for i, value := range values {
		secret, _, err := account.NewKey(script{value}, account.Key{})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := account.ParseSecret(secret.Reveal()); !ok {
			t.Fatalf("value %d: the key does not parse", i)
		}
		seen[secret.Reveal()] = true
	}
	if len(seen) != len(values) {
		t.Errorf("%d random values made %d keys", len(values), len(seen))
	}
}

// script gives zeros for a key's id and its value for the 32 random bytes.
type script struct{ value []byte }

func (s script) Read(p []byte) (int, error) {
	if len(p) == 32 {
		return copy(p, s.value), nil
	}
	clear(p)
	return len(p), nil
}

func TestTextsThatAreNoMadeKey(t *testing.T) {
	t.Parallel()
	secret, _ := makeKey(t, account.Key{})
	good := secret.Reveal()
	bad := []string{
		"", "otp_live_", good[1:], good[:len(good)-1], good + "0", " " + good, good + "\n",
		strings.Replace(good, "otp_live_", "otp_test_", 1),
		strings.ToUpper(good),
		strings.Repeat("x", len(good)),
	}
	// Any one character that is another breaks the form or the checksum.
	for i := range good {
		for _, c := range []byte{'0', 'z', '_', '-', 0xff} {
			if good[i] != c {
				bad = append(bad, good[:i]+string([]byte{c})+good[i+1:])
			}
		}
	}
	for i, text := range bad {
		if id, ok := account.ParseSecret(text); ok || id != "" {
			t.Errorf("text %d of %d characters parses as a made key", i, len(text))
		}
	}
}

func TestAChosenKeyIsKeptByItsHash(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"0123456789abcdef", strings.Repeat("~", 128), "otp_live_but-not-really", "!\"#$%&'()*+,-./0"} {
		key, err := account.ChosenKey(rand.Reader, text, account.Key{Login: "me"})
		if err != nil {
			t.Fatalf("ChosenKey of %d characters: %v", len(text), err)
		}
		if key.Hash != account.HashKey(text) || len(key.ID) != 12 || key.Login != "me" {
			t.Errorf("ChosenKey = %+v; want the text's hash, an id and the login", key)
		}
	}
}

func TestAChosenKeyOfTheMadeFormKeepsItsID(t *testing.T) {
	t.Parallel()
	secret, made := makeKey(t, account.Key{})
	chosen, err := account.ChosenKey(rand.Reader, secret.Reveal(), account.Key{})
	if err != nil || chosen.ID != made.ID || chosen.Hash != made.Hash {
		t.Errorf("ChosenKey = %+v, %v; want %+v", chosen, err, made)
	}
}

func TestWhatCannotBeAKeyOrALogin(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "0123456789abcde", strings.Repeat("x", 129), "0123456789 abcdef", "0123456789abcdef\n", "0123456789abcdefé", "0123456789abcdef\x7f",
	} {
		if _, err := account.ChosenKey(rand.Reader, text, account.Key{}); !errors.Is(err, account.ErrChosenKey) {
			t.Errorf("ChosenKey(%q) = %v; want ErrChosenKey", text, err)
		}
	}
	for _, login := range []string{"a b", "é@example.com", "a\n", strings.Repeat("x", 255)} {
		if _, err := account.ChosenKey(rand.Reader, "0123456789abcdef", account.Key{Login: login}); !errors.Is(err, account.ErrLogin) {
			t.Errorf("ChosenKey with login %q = %v; want ErrLogin", login, err)
		}
		if _, _, err := account.NewKey(rand.Reader, account.Key{Login: login}); !errors.Is(err, account.ErrLogin) {
			t.Errorf("NewKey with login %q = %v; want ErrLogin", login, err)
		}
	}
}

func TestAKeyIsNotMadeWithoutRandomness(t *testing.T) {
	t.Parallel()
	broken := errors.New("no entropy")
	if _, _, err := account.NewKey(iotest.ErrReader(broken), account.Key{}); !errors.Is(err, broken) {
		t.Errorf("NewKey = %v; want %v", err, broken)
	}
}

func TestASecretIsHiddenHoweverItIsPrinted(t *testing.T) {
	t.Parallel()
	secret, _ := makeKey(t, account.Key{})
	canary := secret.Reveal()[len("otp_live_"):]
	type holder struct {
		Public  account.Secret `json:"public"`
		private account.Secret
	}
	h := holder{secret, secret}
	var log strings.Builder
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(handler).InfoContext(t.Context(), "x", slog.Any("key", secret), slog.Any("holder", h))
	}
	encoded, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	printed := fmt.Sprintf("%v %+v %#v %s %q %x %v %+v %#v", secret, secret, secret, secret, secret, secret, h, h, h) +
		log.String() + string(encoded)
	if strings.Contains(printed, canary) || strings.Contains(printed, fmt.Sprintf("%x", canary)) {
		t.Errorf("the secret is in %s", printed)
	}
	if !strings.Contains(string(encoded), "[api key]") {
		t.Errorf("JSON is %s; want the secret replaced", encoded)
	}
	if (account.Secret{}).Reveal() != "" {
		t.Error("the zero Secret reveals something")
	}
}

func FuzzParseSecret(f *testing.F) {
	for _, bits := range []byte{0, 1, 0xff} {
		secret, _, err := account.NewKey(script{bytes.Repeat([]byte{bits}, 32)}, account.Key{})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(secret.Reveal())
	}
	f.Add("")
	f.Add("otp_live_")
	f.Fuzz(func(t *testing.T, text string) {
		id, ok := account.ParseSecret(text)
		if ok != (id != "") {
			t.Fatalf("ParseSecret = %q, %v", id, ok)
		}
		if ok && !strings.HasPrefix(text, "otp_live_"+id+"_") {
			t.Fatalf("ParseSecret gave id %q, which the text does not begin with", id)
		}
	})
}
