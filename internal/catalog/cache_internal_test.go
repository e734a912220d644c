package catalog

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

func TestACacheHoldsNoMoreThanItMay(t *testing.T) {
	t.Parallel()
	c := cache[string, string]{size: func(v string) int { return len(v) }}
	large := strings.Repeat("x", maxOctets/10)
	for i := range 100 {
		key := fmt.Sprintf("large %d", i)
		c.put(key, 1, large)
		if _, ok := c.get(key, 1); !ok {
			t.Fatalf("%s is not kept", key)
		}
	}
	if n := len(c.entries); n != 10 || c.octets != n*len(large) {
		t.Errorf("%d values of a tenth each are kept, counted as %d octets; want 10", n, c.octets)
	}
	c.put("large 99", 2, "small now")
	if got, ok := c.get("large 99", 2); !ok || got != "small now" || c.octets != 9*len(large)+len(got) {
		t.Errorf("a value that was replaced: %q, %d octets in all", got, c.octets)
	}
	c.put("large 99", 3, large+strings.Repeat(large, 10))
	if _, ok := c.entries["large 99"]; ok || len(c.entries) != 9 {
		t.Errorf("a value larger than the cache is kept, or %d others; want 9 and not it", len(c.entries))
	}
	for i := range 2 * maxCached {
		c.put(strconv.Itoa(i), 1, "")
	}
	if len(c.entries) != maxCached {
		t.Errorf("%d values are kept, want %d", len(c.entries), maxCached)
	}
}

func TestACacheKeepsWhatItIsGivenAfterAFailoverThatLostChanges(t *testing.T) {
	t.Parallel()
	var c cache[string, string]
	c.put("acme", 2000, "lost")
	c.put("acme", 1000, "kept")
	if got, ok := c.get("acme", 1000); !ok || got != "kept" {
		t.Errorf("the value with the version that was taken back = %q, %v", got, ok)
	}
	if got, ok := c.get("acme", 2000); ok {
		t.Errorf("the value with the version that was lost = %q", got)
	}
}

func TestSourcesAreAsLargeAsTheirTexts(t *testing.T) {
	t.Parallel()
	small := Sources{Profile: &Profile{Name: "p"}, Priority: &Priority{Name: "q"}}
	text := strings.Repeat("x", 1000)
	large := Sources{
		Profile: &Profile{Name: text, Links: []Link{{Template: text}}}, Priority: &Priority{Name: text},
		Templates: []Template{{Name: text, Message: text}, {Message: text}},
	}
	if got := large.octets() - small.octets(); got < 6*len(text) || got > 7*len(text) {
		t.Errorf("six texts of 1000 octets take %d more", got)
	}
}

func TestAServicesSourcesAreBoundedByTheirSize(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("x", maxOctets/4) // shared: only counted as if each had its own
	large := Sources{Profile: &Profile{Name: "p"}, Priority: &Priority{Name: "q"}, Templates: []Template{{Message: text}}}
	for name, s := range map[string]*Service{"new": New(Config{}), "over another store": New(Config{}).Over(nil)} {
		for i := range 10 {
			s.sources.put(sourcesKey{"acme", "p", strconv.Itoa(i)}, 1, large)
		}
		if n := len(s.sources.entries); n == 0 || n > 3 {
			t.Errorf("%s: %d sources of a quarter of the bound and more are kept; want at most 3", name, n)
		}
	}
}
