package otp_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/otp"
)

// secret is a code that occurs nowhere else.
const secret = "7316094"

// verbs are all that fmt knows, with the flags that change what they print.
var verbs = strings.Fields("%v %+v %#v %s %q %x %X %d %o %b %c %U %e %E %f %g %G %t %p %T %+q %#q %#x % x %#X %08v %-20v %20s")

func TestACodePrintsNowhere(t *testing.T) {
	t.Parallel()
	code := otp.NewCode(secret)
	type holder struct {
		Public  otp.Code
		private otp.Code
	}
	for name, v := range map[string]any{
		"code":              code,
		"pointer":           &code,
		"struct":            holder{code, code},
		"pointer to struct": &holder{code, code},
		"slice":             []otp.Code{code},
		"map":               map[string]otp.Code{"code": code},
		"map key":           map[otp.Code]int{code: 1},
		"nested":            []any{map[string]any{"h": holder{code, code}}},
	} {
		for _, verb := range verbs {
			if got := fmt.Sprintf(verb, v); shows(got) {
				t.Errorf("fmt %s of a %s shows the code: %q", verb, name, got)
			}
		}
		if got := fmt.Sprint(v) + fmt.Sprintln(v); shows(got) {
			t.Errorf("fmt of a %s shows the code: %q", name, got)
		}
		if got, err := json.Marshal(map[string]any{"v": fmt.Sprint(v), "holder": holder{code, code}}); err != nil || shows(string(got)) {
			t.Errorf("JSON of a %s = %s, %v; the code must not be in it", name, got, err)
		}
		for format, handler := range map[string]func(*bytes.Buffer) slog.Handler{
			"JSON": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
			"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		} {
			var out bytes.Buffer
			slog.New(handler(&out)).InfoContext(t.Context(), "a code", slog.Any("code", v), slog.Group("in", slog.Any("v", v)))
			if shows(out.String()) || !strings.Contains(out.String(), "a code") {
				t.Errorf("slog's %s of a %s shows the code or nothing: %q", format, name, out.String())
			}
		}
	}
	if got := fmt.Sprint(fmt.Errorf("check %v: no", code)); shows(got) {
		t.Errorf("an error shows the code: %q", got)
	}
}

// shows reports whether printed has the code as text or as the hexadecimal or
// decimal bytes of its text.
func shows(printed string) bool {
	for _, form := range []string{
		secret,
		fmt.Sprintf("%x", secret), fmt.Sprintf("% x", secret), fmt.Sprintf("%# x", secret), fmt.Sprintf("% X", secret),
		strings.Trim(fmt.Sprintf("%d", []byte(secret)), "[]"),
	} {
		if strings.Contains(printed, form) {
			return true
		}
	}
	return false
}

func TestACodeIsRevealedOnlyOnRequest(t *testing.T) {
	t.Parallel()
	if got := otp.NewCode(secret).Reveal(); got != secret {
		t.Errorf("Reveal() = %q, want what NewCode was given", got)
	}
	var none otp.Code
	if none.Reveal() != "" || !none.IsZero() || !otp.NewCode("").IsZero() {
		t.Errorf("the zero Code is %q, zero %v; want empty", none.Reveal(), none.IsZero())
	}
	if otp.NewCode("0").IsZero() {
		t.Error(`the code "0" counts as no code`)
	}
	if one, same := otp.NewCode("12"), otp.NewCode("12"); one != same || one == otp.NewCode("21") {
		t.Error("codes do not compare as their texts")
	}
}
