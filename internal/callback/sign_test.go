package callback_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/countersign/countersign/internal/callback"
)

func mustSecret(t *testing.T, fill byte) callback.Secret {
	t.Helper()
	s, err := callback.NewSecret(bytes.NewReader(bytes.Repeat([]byte{fill}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The vector that the Standard Webhooks project publishes.
func TestSignatureIsThatOfThePublishedVector(t *testing.T) {
	t.Parallel()
	s, err := callback.ParseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got, err := callback.Sign([]callback.Secret{s}, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want || err != nil {
		t.Errorf("signature %q, %v, want %q", got, err, want)
	}
}

func TestBothSecretsSignDuringARotation(t *testing.T) {
	t.Parallel()
	now := time.Now()
	body := []byte(`{"a":1}`)
	current, previous, other := mustSecret(t, 1), mustSecret(t, 2), mustSecret(t, 3)
	signature, err := callback.Sign([]callback.Secret{current, previous}, "msg_1", now, body)
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	h.Set("webhook-id", "msg_1")
	h.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
	h.Set("webhook-signature", signature)
	for _, c := range []struct {
		name   string
		secret callback.Secret
		want   bool
	}{{"current", current, true}, {"previous", previous, true}, {"other", other, false}} {
		w, err := standardwebhooks.NewWebhook(c.secret.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Verify(body, h); (err == nil) != c.want {
			t.Errorf("%s secret: %v", c.name, err)
		}
	}
}

func TestNewSecretsAreThirtyTwoRandomBytes(t *testing.T) {
	t.Parallel()
	s := mustSecret(t, 7)
	if want := "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)); s.Reveal() != want {
		t.Errorf("secret %q, want %q", s.Reveal(), want)
	}
	back, err := callback.ParseSecret(s.Reveal())
	if err != nil || back.Reveal() != s.Reveal() {
		t.Errorf("parsed %v, %v", back.Reveal(), err)
	}
	if _, err := callback.NewSecret(bytes.NewReader(make([]byte, 31))); err == nil {
		t.Error("a secret was made of 31 bytes")
	}
	for _, text := range []string{"", "whsec_", "whsec_!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_abc"} {
		if _, err := callback.ParseSecret(text); !errors.Is(err, callback.ErrSecret) {
			t.Errorf("ParseSecret(%q) = %v, want ErrSecret", text, err)
		}
	}
}

func TestASecretPrintsHidden(t *testing.T) {
	t.Parallel()
	s := mustSecret(t, 9)
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Info("secret", slog.Any("secret", s), slog.Any("in", struct{ S callback.Secret }{s}))
	text, err := json.Marshal(map[string]any{"s": s})
	if err != nil {
		t.Fatal(err)
	}
	all := out.String() + string(text) + fmt.Sprintf("%v %+v %#v %s %q %v %#v", s, s, s, s, s, struct{ s callback.Secret }{s}, &struct{ s callback.Secret }{s})
	if bare := strings.TrimPrefix(s.Reveal(), "whsec_"); strings.Contains(all, bare) {
		t.Errorf("the secret is in %s", all)
	}
	if !s.IsZero() && (callback.Secret{}).IsZero() {
		return
	}
	t.Error("IsZero is wrong")
}
