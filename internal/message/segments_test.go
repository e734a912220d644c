package message_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/message"
)

func TestSegmentsCountWhatANetworkCounts(t *testing.T) {
	t.Parallel()
	const gsm7, ucs2 = message.GSM7, message.UCS2
	for _, c := range []struct {
		name, text string
		want       message.Segmentation
	}{
		{"empty", "", message.Segmentation{Encoding: gsm7, Units: 0, Segments: 1}},
		{"160 septets", strings.Repeat("a", 160), message.Segmentation{Encoding: gsm7, Units: 160, Segments: 1}},
		{"161 septets", strings.Repeat("a", 161), message.Segmentation{Encoding: gsm7, Units: 161, Segments: 2}},
		{"306 septets", strings.Repeat("a", 306), message.Segmentation{Encoding: gsm7, Units: 306, Segments: 2}},
		{"307 septets", strings.Repeat("a", 307), message.Segmentation{Encoding: gsm7, Units: 307, Segments: 3}},
		{"80 escape pairs", strings.Repeat("€", 80), message.Segmentation{Encoding: gsm7, Units: 160, Segments: 1}},
		{"81 escape pairs", strings.Repeat("€", 81), message.Segmentation{Encoding: gsm7, Units: 162, Segments: 2}},
		{
			"153 pairs fit 306 septets but not two segments", strings.Repeat("€", 153),
			message.Segmentation{Encoding: gsm7, Units: 306, Segments: 3},
		},
		{
			"a pair at the edge moves on", strings.Repeat("a", 152) + "€" + strings.Repeat("a", 152),
			message.Segmentation{Encoding: gsm7, Units: 306, Segments: 3},
		},
		{"70 units", strings.Repeat("я", 70), message.Segmentation{Encoding: ucs2, Units: 70, Segments: 1, Forced: []rune{'я'}}},
		{"71 units", strings.Repeat("я", 71), message.Segmentation{Encoding: ucs2, Units: 71, Segments: 2, Forced: []rune{'я'}}},
		{"134 units", strings.Repeat("я", 134), message.Segmentation{Encoding: ucs2, Units: 134, Segments: 2, Forced: []rune{'я'}}},
		{"135 units", strings.Repeat("я", 135), message.Segmentation{Encoding: ucs2, Units: 135, Segments: 3, Forced: []rune{'я'}}},
		{"35 surrogate pairs", strings.Repeat("👍", 35), message.Segmentation{Encoding: ucs2, Units: 70, Segments: 1, Forced: []rune{'👍'}}},
		{
			"67 surrogate pairs fit 134 units but not two segments", strings.Repeat("👍", 67),
			message.Segmentation{Encoding: ucs2, Units: 134, Segments: 3, Forced: []rune{'👍'}},
		},
		{"an extension character costs one unit in UCS-2", "€я", message.Segmentation{Encoding: ucs2, Units: 2, Segments: 1, Forced: []rune{'я'}}},
		{
			"what forces UCS-2 is named once, in order", "`Code’ ç’ – `á",
			message.Segmentation{Encoding: ucs2, Units: 14, Segments: 1, Forced: []rune{'`', '’', 'ç', '–', 'á'}},
		},
		{
			"and at most 16 of it", "абвгдежзийклмнопрстуф",
			message.Segmentation{Encoding: ucs2, Units: 21, Segments: 1, Forced: []rune("абвгдежзийклмноп")},
		},
		{"an escape character is no letter", "\x1b", message.Segmentation{Encoding: ucs2, Units: 1, Segments: 1, Forced: []rune{0x1b}}},
		{"a broken byte", "a\xff", message.Segmentation{Encoding: ucs2, Units: 2, Segments: 1, Forced: []rune{'\uFFFD'}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, message.Segments(c.text)); diff != "" {
				t.Errorf("Segments(%q) -want +got\n%s", c.text, diff)
			}
		})
	}
}

func TestPartsAreTheSegments(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("a", 152) + "€" + strings.Repeat("b", 152)
	want := []string{strings.Repeat("a", 152), "€" + strings.Repeat("b", 151), "b"}
	if diff := cmp.Diff(want, message.Parts(text)); diff != "" {
		t.Errorf("Parts -want +got\n%s", diff)
	}
	if diff := cmp.Diff([]string{""}, message.Parts("")); diff != "" {
		t.Errorf("Parts of the empty text -want +got\n%s", diff)
	}
}

func TestEncodingsPrintTheirName(t *testing.T) {
	t.Parallel()
	if got := message.GSM7.String() + " " + message.UCS2.String(); got != "GSM7 UCS2" {
		t.Errorf("got %q, want GSM7 UCS2", got)
	}
}

func TestEncodeGSM7AgreesWithAnotherImplementation(t *testing.T) {
	t.Parallel()
	// The first vector is from Perl's Encode::GSM0338, which also gave the rest
	// of the table (0x1B left out) when it was run over all 127 characters.
	for text, want := range map[string]string{
		"€@Δ{ñ_ ":      "1b6500101b287d1120",
		"\f^{}\\[~]|€": "1b0a1b141b281b291b2f1b3c1b3d1b3e1b401b65",
		"@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ": "000102030405060708090a0b0c0d0e0f101112131415161718191a1c1d1e1f",
		" !\"#¤%&'()*+,-./0123456789:;<=>?": "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f",
		"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§":  "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f",
		"¿abcdefghijklmnopqrstuvwxyzäöñüà":  "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f",
		"":                                  "",
	} {
		got, ok := message.EncodeGSM7(text)
		if hex.EncodeToString(got) != want || !ok {
			t.Errorf("EncodeGSM7(%q) = %x, %v; want %s", text, got, ok, want)
		}
	}
}

func TestEncodeGSM7RefusesWhatTheAlphabetLacks(t *testing.T) {
	t.Parallel()
	for _, r := range "`ç’“–\u00a0áíóúяΑΒΕ你👍\x1b\x00\t\x7f\u0394\u0301\u2126\uFFFD" {
		if r == 'Δ' {
			continue
		}
		if b, ok := message.EncodeGSM7("a" + string(r)); ok || b != nil {
			t.Errorf("EncodeGSM7(%q) = %x, %v; want nil, false", r, b, ok)
		}
	}
}

func BenchmarkSegments(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		message.Segments("ACME code 483920, valid 3 min. Never share it [€5].")
	}
}
