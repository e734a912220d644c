//go:build soak

package proof_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
)

// How alike the times of two kinds of answers must be (V-06).
const (
	maxWelch  = 4.5
	maxMedian = 50 * time.Microsecond
)

// The test runs alone: others would disturb its times.
func TestSoakAnotherAccountsOTPTakesAsLongAsNone(t *testing.T) { //nolint:paralleltest // see above
	dir := t.TempDir()
	p := serve(t, dir)
	p.configure(10)
	other := stranger(t, p, dir)
	send := func(n int) string {
		id, err := idOf(p.must(202, "POST", "/2fa/v4/otp", sendBody(fmt.Sprintf("+4917%08d9", n), "483920")))
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	locked := send(1)
	for range 10 {
		p.must(200, "POST", "/2fa/v4/otp/"+locked+"/validate", codeBody("000000"))
	}
	const rounds = 3000
	times := map[string][]float64{}
	wrong := ""
	ask := func(kind string, by *process, id string) {
		begun := time.Now()
		if _, _, err := by.do(t.Context(), "POST", "/2fa/v4/otp/"+id+"/validate", codeBody("000000"), nil); err != nil {
			t.Fatal(err)
		}
		times[kind] = append(times[kind], float64(time.Since(begun)))
	}
	for i := range rounds {
		if i%9 == 0 {
			wrong = send(100 + i)
		}
		ask("unknown", p, uuid.NewString())
		ask("foreign", other, wrong)
		ask("wrong", p, wrong)
		ask("locked", p, locked)
	}
	for _, pair := range [][2]string{{"unknown", "foreign"}, {"unknown", "wrong"}, {"unknown", "locked"}, {"wrong", "locked"}} {
		a, b := times[pair[0]], times[pair[1]]
		welch, median := welch(a, b), time.Duration(math.Abs(middle(a)-middle(b)))
		t.Logf("%s %v, %s %v: |t| %.1f, median difference %v", pair[0], time.Duration(middle(a)), pair[1], time.Duration(middle(b)), welch, median)
		if pair[1] == "foreign" && welch >= maxWelch && median >= maxMedian {
			t.Errorf("%s and %s can be told apart by time (V-06): |t| %.1f, median difference %v", pair[0], pair[1], welch, median)
		}
	}
}

func middle(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	return s[len(s)/2]
}

func welch(a, b []float64) float64 {
	ma, va := moments(a)
	mb, vb := moments(b)
	return math.Abs(ma-mb) / math.Sqrt(va/float64(len(a))+vb/float64(len(b)))
}

func moments(x []float64) (mean, variance float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		variance += (v - mean) * (v - mean) / float64(len(x)-1)
	}
	return mean, variance
}
