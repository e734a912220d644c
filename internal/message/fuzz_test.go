package message_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/message"
)

func FuzzParseRender(f *testing.F) {
	f.Fuzz(func(t *testing.T, text, value, code string, limit int) {
		tpl := message.Parse(text, []message.Placeholder{
			{Token: "{{otp_code}}", Code: true}, {Token: "{{expiration_time}}", Value: value}, {Token: "{code}", Code: true},
		})
		text, value = strings.ToValidUTF8(text, "\uFFFD"), strings.ToValidUTF8(value, "\uFFFD")
		for style, inserted := range map[message.Style]string{
			message.Plain:   code,
			message.Spelled: strings.Join(strings.Split(code, ""), ", "),
		} {
			want := strings.NewReplacer("{{otp_code}}", inserted, "{{expiration_time}}", value, "{code}", inserted).Replace(text)
			if got := tpl.Render(code, style); got != want {
				t.Errorf("Render(%q, %v) of %q = %q, want %q", code, style, text, got, want)
			}
		}
		if want := strings.Count(text, "{{otp_code}}") + strings.Count(text, "{code}"); tpl.Codes() != want {
			t.Errorf("Codes() of %q = %d, want %d", text, tpl.Codes(), want)
		}
		if tpl.EnsureCode().Codes() == 0 {
			t.Errorf("EnsureCode of %q has no code", text)
		}
		checkCut(t, tpl, limit%2000)
	})
}

// checkCut checks that a cut template is as long as allowed, and not shorter
// than needed.
func checkCut(t *testing.T, tpl message.Template, limit int) {
	t.Helper()
	const code = "123456"
	full := utf8.RuneCountInString(tpl.Render(code, message.Plain))
	cut := tpl.CutText(limit, len(code))
	got := utf8.RuneCountInString(cut.Render(code, message.Plain))
	switch {
	case cut.Codes() == tpl.Codes() && got == min(full, limit):
	case cut.Codes() == 0 && limit < 0 && got == 0:
	case cut.Codes() == max(limit/len(code), 1) && cut.Codes() <= tpl.Codes() && got == cut.Codes()*len(code):
	default:
		t.Errorf("CutText(%d) of %q leaves %d characters with %d codes", limit, tpl, got, cut.Codes())
	}
}

func FuzzTemplateJSON(f *testing.F) {
	f.Fuzz(func(t *testing.T, stored []byte, text string) {
		roundTrip(t, message.Parse(text, []message.Placeholder{{Token: "{code}", Code: true}}))
		var read message.Template
		if err := json.Unmarshal(stored, &read); err == nil && string(stored) != "null" {
			roundTrip(t, read)
		}
	})
}

func roundTrip(t *testing.T, tpl message.Template) {
	t.Helper()
	stored, err := json.Marshal(tpl)
	if err != nil {
		t.Fatalf("storing %q: %v", tpl, err)
	}
	var back message.Template
	if err := json.Unmarshal(stored, &back); err != nil {
		t.Fatalf("reading %s: %v", stored, err)
	}
	const code = "\x00code\x00" // in no text by accident
	if diff := cmp.Diff(tpl.Render(code, message.Plain), back.Render(code, message.Plain)); diff != "" || back.Codes() != tpl.Codes() {
		t.Errorf("%s has %d codes, want %d; text -want +got\n%s", stored, back.Codes(), tpl.Codes(), diff)
	}
	if again, err := json.Marshal(back); err != nil || string(again) != string(stored) {
		t.Errorf("stored again: %s, %v; want %s", again, err, stored)
	}
}

// readerOfGSM7 returns what reads septets, by what EncodeGSM7 makes of each
// character: two that it makes the same of cannot be told apart.
func readerOfGSM7() func([]byte) string {
	characters := map[string]rune{}
	for r := range rune(0x10000) { // the alphabet has none beyond
		if septets, ok := message.EncodeGSM7(string(r)); ok {
			characters[string(septets)] = r
		}
	}
	return func(septets []byte) string {
		var text strings.Builder
		for len(septets) > 0 {
			n := 1
			if septets[0] == 0x1b && len(septets) > 1 {
				n = 2
			}
			text.WriteRune(characters[string(septets[:n])])
			septets = septets[n:]
		}
		return text.String()
	}
}

func FuzzSegments(f *testing.F) {
	read := readerOfGSM7()
	f.Fuzz(func(t *testing.T, text string) {
		got := message.Segments(text)
		want := slowSegments(text)
		if got.Encoding != want.Encoding || got.Units != want.Units || got.Segments != want.Segments {
			t.Errorf("Segments(%q) = %+v, want %+v", text, got, want)
		}
		if len(got.Forced) > 16 || (len(got.Forced) > 0) != (got.Encoding == message.UCS2) {
			t.Errorf("Segments(%q) is %v, forced by %q", text, got.Encoding, got.Forced)
		}
		parts := message.Parts(text)
		if len(parts) != got.Segments || strings.Join(parts, "") != text {
			t.Errorf("Parts(%q) = %q, want %d", text, parts, got.Segments)
		}
		septets, ok := message.EncodeGSM7(text)
		if ok != (got.Encoding == message.GSM7) || ok && len(septets) != got.Units {
			t.Errorf("EncodeGSM7(%q) = %x, %v beside %+v", text, septets, ok, got)
		}
		if back := read(septets); ok && back != text {
			t.Errorf("EncodeGSM7(%q) = %x, which reads %q", text, septets, back)
		}
	})
}

// slowSegments is the reference: it writes the text out in units, and takes
// them off a segment at a time, one unit less where that would split a pair.
func slowSegments(text string) message.Segmentation {
	const letters = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
		"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	var s message.Segmentation
	var units []uint16 // in GSM7 'x' for a septet and 'e' for an escape
	for _, r := range text {
		switch {
		case strings.ContainsRune(letters, r):
			units = append(units, 'x')
		case strings.ContainsRune("\f^{}\\[~]|€", r):
			units = append(units, 'e', 'x')
		default:
			s.Encoding = message.UCS2
		}
	}
	alone, part := 160, 153
	opensPair := func(u uint16) bool { return u == 'e' }
	if s.Encoding == message.UCS2 {
		alone, part = 70, 67
		units = utf16.Encode([]rune(text))
		opensPair = func(u uint16) bool { return 0xD800 <= u && u < 0xDC00 }
	}
	s.Units = len(units)
	if s.Units <= alone {
		s.Segments = 1
		return s
	}
	for len(units) > 0 {
		n := min(part, len(units))
		if opensPair(units[n-1]) {
			n--
		}
		units = units[n:]
		s.Segments++
	}
	return s
}
