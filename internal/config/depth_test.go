package config_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/config"
)

// manyRoutes is a file with a carrier and n routes of four lines each.
func manyRoutes(n int) string {
	var b strings.Builder
	b.WriteString("[[carrier]]\nname = \"a\"\ntype = \"x\"\n")
	for i := range n {
		fmt.Fprintf(&b, "[[route]]\nchannels = [\"SMS\"]\nprefix = [\"+%d\"]\ncarriers = [\"a\"]\n", 10000+i)
	}
	return b.String()
}

func TestAFileThatIsNestedTooDeepIsRefusedWithTheLine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		line int // 0 for a file that is not too deep
	}{
		"lists":              {"sender = \"A\"\na = " + strings.Repeat("[", 100_000), 2},
		"lists, closed":      {"a = " + strings.Repeat("[", 101) + strings.Repeat("]", 101) + "\n", 1},
		"lists, deep enough": {"a = " + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "\n", 0},
		"lists over lines":   {"a = " + strings.Repeat("[\n", 100_000), 101},
		"tables":             {"a = " + strings.Repeat("{ a = ", 100_000), 1},
		"a dotted key":       {"\n\n" + strings.Repeat("a.", 100_000) + "a = 1\n", 3},
		"a table's name":     {"[" + strings.Repeat("a.", 100_000) + "a]\n", 1},
		"both":               {"x = 1 # [\n[[a]]\n" + strings.Repeat("a.", 60) + "a = { " + strings.Repeat("b.", 60) + "b = 1 }\n", 3},
		"after a text":       {"a = \"\"\"\n\\\"\"\"\"\"\nb = " + strings.Repeat("[", 101), 3},
		"side by side":       {"a = [" + strings.Repeat("[1.5], { b.c = 1 },\n", 1000) + "]\n" + strings.Repeat("x.y = 1\n", 1000), 0},
		"brackets in texts": {
			"a = \"" + strings.Repeat("[", 200) + "\\\"" + strings.Repeat(".", 200) + "\"\nb = '" + strings.Repeat("{", 200) + "\\' # " +
				strings.Repeat("[", 200) + "\nc = '''" + strings.Repeat("[\n'' ", 200) + "''''\nd = 1\n", 0,
		},
	} {
		path := file(t, c.text)
		_, err := config.Load(config.Sources{File: path})
		const says = "tables and lists inside each other more than 100 deep"
		want := fmt.Sprintf("%s:%d: %s", path, c.line, says)
		switch {
		case c.line > 0 && (!errors.Is(err, config.ErrFile) || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v; want ErrFile with %q", name, err, want)
		case c.line == 0 && err != nil && strings.Contains(err.Error(), says):
			t.Errorf("%s: refused as too deep: %v", name, err)
		}
	}
}

func TestTheLastOfManyRoutesIsNamedWithItsLine(t *testing.T) {
	t.Parallel()
	const routes = 2000
	path := file(t, manyRoutes(routes)+"[[route]]\nchannels = [\"SMS\"]\nnonsense = [\n  1,\n]\n")
	_, err := config.Load(config.Sources{File: path})
	if want := fmt.Sprintf("%s:%d: route: unknown key \"nonsense\"", path, 3+4*routes+3); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Load = %v; want %q", err, want)
	}
}
