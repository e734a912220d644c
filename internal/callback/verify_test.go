package callback_test

import (
	"errors"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/callback"
)

func TestASignedMessageIsVerifiedByItsSecretTimeAndBody(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)
	known, other := mustSecret(t, 1), mustSecret(t, 2)
	body := []byte(`{"id":"1"}`)
	signed := func(s callback.Secret, at time.Time) http.Header {
		signature, err := callback.Sign([]callback.Secret{s}, "m1", at, body)
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{}
		h.Set("webhook-id", "m1")
		h.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
		h.Set("webhook-signature", signature)
		return h
	}
	with := func(h http.Header, name, value string) http.Header {
		h = h.Clone()
		h.Set(name, value)
		return h
	}
	genuine := signed(known, now)
	for name, c := range map[string]struct {
		secrets []callback.Secret
		header  http.Header
		body    string
		want    error
	}{
		"genuine":          {[]callback.Secret{known}, genuine, string(body), nil},
		"previous secret":  {[]callback.Secret{other, known}, genuine, string(body), nil},
		"300 s old":        {[]callback.Secret{known}, signed(known, now.Add(-300*time.Second)), string(body), nil},
		"300 s ahead":      {[]callback.Secret{known}, signed(known, now.Add(300*time.Second)), string(body), nil},
		"301 s old":        {[]callback.Secret{known}, signed(known, now.Add(-301*time.Second)), string(body), callback.ErrSignature},
		"301 s ahead":      {[]callback.Secret{known}, signed(known, now.Add(301*time.Second)), string(body), callback.ErrSignature},
		"far time":         {[]callback.Secret{known}, with(genuine, "webhook-timestamp", "-9223372036854775808"), string(body), callback.ErrSignature},
		"no time":          {[]callback.Secret{known}, with(genuine, "webhook-timestamp", ""), string(body), callback.ErrSignature},
		"other secret":     {[]callback.Secret{other}, genuine, string(body), callback.ErrSignature},
		"other body":       {[]callback.Secret{known}, genuine, `{"id":"2"}`, callback.ErrSignature},
		"other id":         {[]callback.Secret{known}, with(genuine, "webhook-id", "m2"), string(body), callback.ErrSignature},
		"no signature":     {[]callback.Secret{known}, with(genuine, "webhook-signature", ""), string(body), callback.ErrSignature},
		"no header":        {[]callback.Secret{known}, http.Header{}, string(body), callback.ErrSignature},
		"no secret":        {nil, genuine, string(body), callback.ErrSignature},
		"the zero secret":  {[]callback.Secret{{}}, signed(callback.Secret{}, now), string(body), callback.ErrSignature},
		"other version":    {[]callback.Secret{known}, with(genuine, "webhook-signature", "v2"+genuine.Get("webhook-signature")[2:]), string(body), callback.ErrSignature},
		"among signatures": {[]callback.Secret{known}, with(genuine, "webhook-signature", "v1 v1,AA== "+genuine.Get("webhook-signature")), string(body), nil},
	} {
		if err := callback.Verify(c.secrets, c.header, []byte(c.body), now); !errors.Is(err, c.want) {
			t.Errorf("%s: Verify = %v; want %v", name, err, c.want)
		}
	}
}
