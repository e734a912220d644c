package sandbox_test

import (
	"net/url"
	"testing"

	"github.com/countersign/countersign/internal/api/sandbox"
)

func FuzzDecodeQuery(f *testing.F) {
	for _, s := range []string{
		"", "to=%2B4915112345678&otpId=o1&limit=10", "to=+4915112345678", "to=jo+a@example.com", "limit=0", "limit=201", "limit=1&limit=2",
		"to=%zz", "a;b", "to=%00", "otpId=%ff%fe", "&&&===", "to=@@", "limit=%31",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := sandbox.DecodeQuery(raw)
		if err != nil {
			return
		}
		if q.Limit < 1 || q.Limit > 200 || q.Account != "" || q.After != 0 {
			t.Fatalf("DecodeQuery(%q) = %+v", raw, q)
		}
		// What was understood, asked for in its plain form, means the same.
		plain := url.Values{"to": {q.To.Reveal()}, "otpId": {q.OTPID}}
		again, err := sandbox.DecodeQuery(plain.Encode())
		if err != nil || again.To != q.To || again.OTPID != q.OTPID {
			t.Fatalf("DecodeQuery(%q) = %+v, but its plain form is %+v, %v", raw, q, again, err)
		}
	})
}
