package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/config"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/route"
)

func TestCarriersAndRoutesAreReadInTheirOrder(t *testing.T) {
	t.Parallel()
	path := file(t, `sender = "Acme"

[[carrier]]
name = "direct"
type = "smpp"

[[carrier]]
name = "backup"
type = "twilio"

[[route]]
channels = ["SMS", "VOICE"]
prefix = ["+49", "+43"]
carriers = [{ name = "direct", weight = 3 }, { name = "backup" }, "last"]

[[route]]
channels = "SMS"
country = "CH"
carriers = "backup"
`)
	c, err := config.Load(config.Sources{File: path})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Carriers) != 2 || c.Carriers[0].Name != "direct" || c.Carriers[0].Type != "smpp" || c.Carriers[1].At("type") != path+":9" {
		t.Errorf("carriers = %+v; want direct and backup", c.Carriers)
	}
	want := []route.Rule{
		{
			Source: path + ":11", Channels: []message.Channel{message.SMS, message.Voice}, Prefixes: []string{"+49", "+43"},
			Choices: []route.Choice{{Carrier: "direct", Weight: 3}, {Carrier: "backup", Weight: 1}, {Carrier: "last"}},
		},
		{Source: path + ":16", Channels: []message.Channel{message.SMS}, Countries: []string{"CH"}, Choices: []route.Choice{{Carrier: "backup"}}},
	}
	if d := cmp.Diff(want, c.Routes); d != "" {
		t.Errorf("routes (-want +got):\n%s", d)
	}
	if c.Senders.SMS != "Acme" {
		t.Errorf("sender = %q; want Acme", c.Senders.SMS)
	}
}

func TestWhatIsWrongWithACarrierOrRouteIsNamedWithFileAndLine(t *testing.T) {
	t.Parallel()
	const carrier = "[[carrier]]\nname = \"a\"\ntype = \"smpp\"\n"
	for _, c := range []struct{ text, want string }{
		{"\n[[carrier]]\ntype = \"smpp\"\n", `:2: carrier: name: is missing`},
		{"[[carrier]]\nname = \"A b\"\ntype = \"smpp\"\n", `:2: carrier "A b": name: expected ` + config.CarrierName},
		{"[[carrier]]\nname = 5\n", `:2: carrier: name: expected a text in quotes`},
		{"[[carrier]]\nname = \"a\"\n", `:1: carrier "a": type: is missing`},
		{carrier + carrier, `:5: carrier "a": name: another carrier has this name`},
		{"[carrier]\nname = \"a\"\n", `:1: carrier: expected tables that begin with [[carrier]]`},
		{"carrier = 5\n", `:1: carrier: expected tables`},
		{"[[route]]\ncarriers = [\"a\"]\n", `:1: route: channels: is missing`},
		{"[[route]]\n\nchannels = [\"FAX\"]\ncarriers = [\"a\"]\n", `:3: route: channels: "FAX" is no channel; expected SMS, VOICE, WHATSAPP, VIBER, EMAIL`},
		{"[[route]]\nchannels = [\"SMS\", \"SMS\"]\ncarriers = [\"a\"]\n", `:2: route: channels: SMS is there twice`},
		{"[[route]]\nchannels = [\"SMS\"]\nprefix = []\ncarriers = [\"a\"]\n", `:3: route: prefix: is an empty list`},
		{"[[route]]\nchannels = [\"SMS\"]\ncountry = []\ncarriers = [\"a\"]\n", `:3: route: country: is an empty list`},
		{"[[route]]\nchannels = []\ncarriers = [\"a\"]\n", `:2: route: channels: is an empty list`},
		{"[[route]]\nchannels = [\"SMS\"]\nprefix = \"0049\"\ncarriers = [\"a\"]\n", `:3: route: prefix: "0049" ` + route.ErrPrefix.Error()},
		{"[[route]]\nchannels = [\"SMS\"]\ncountry = [\"DE\", \"ZZ\"]\ncarriers = [\"a\"]\n", `:3: route: country: "ZZ" ` + route.ErrCountry.Error()},
		{"[[route]]\nchannels = [\"EMAIL\"]\ncountry = \"DE\"\ncarriers = [\"a\"]\n", `:2: route: channels: EMAIL has no prefix`},
		{"[[route]]\nchannels = [\"SMS\"]\n", `:1: route: carriers: expected a list of carriers' names`},
		{"[[route]]\nchannels = [\"SMS\"]\ncarriers = [5]\n", `:3: route: carriers: expected a list`},
		{"[[route]]\nchannels = [\"SMS\"]\ncarriers = [\"a\", \"a\"]\n", `:3: route: carriers: "a" is there twice`},
		{"[[route]]\nchannels = [\"SMS\"]\ncarriers = [\n  \"a\",\n  { name = \"b\", weigth = 2 },\n]\n", `:5: route: carriers: unknown key "weigth"`},
		{"[[route]]\nchannels = [\"SMS\"]\ncarriers = [{ name = \"b\", weight = -1 }]\n", `:3: route: carriers: weight: expected a whole number from 0 to 1000`},
		{"[[route]]\nchannels = [\"SMS\"]\ncarriers = [\"a\"]\nprefixes = \"+49\"\n", `:4: route: unknown key "prefixes"`},
	} {
		path := file(t, c.text)
		_, err := config.Load(config.Sources{File: path})
		problem, ok := errors.AsType[*config.FileError](err)
		if !ok || !strings.Contains(err.Error(), path+c.want) {
			t.Errorf("%q\ngives %v\nwant a FileError with %s", c.text, err, c.want)
		}
		if ok && !strings.HasPrefix(problem.At, path) {
			t.Errorf("At = %q; want the file", problem.At)
		}
	}
}

func TestAFileThatIsNoTOMLIsNamedWithItsLine(t *testing.T) {
	t.Parallel()
	path := file(t, "sender = \"Acme\"\n[[carrier]\n")
	if _, err := config.Load(config.Sources{File: path}); !errors.Is(err, config.ErrFile) || !strings.Contains(err.Error(), path+":2") {
		t.Errorf("Load = %v; want ErrFile at line 2", err)
	}
}

func TestLinesAreThoseOfTheFileHoweverATableIsWritten(t *testing.T) {
	t.Parallel()
	c, path := first(t, `# a comment
[[carrier]]
name = "a"
type = "x"
map = { "0x01" = "A", b = "B" }

[carrier.other]
c = "C"

[[carrier.list]]
d = 1

[[carrier.list]]
d = 2
e = 3
`)
	for key, line := range map[string]string{"name": "3", "map": "5", "other": "7", "list": "10", "nothing": "2"} {
		if got := c.At(key); got != path+":"+line {
			t.Errorf("At(%q) = %s; want line %s", key, got, line)
		}
	}
	r := c.Read()
	var ignored string
	var table map[string]string
	r.Text("name", &ignored)
	r.Text("type", &ignored)
	r.TextMap("map", &table)
	r.TextMap("other", &table)
	for _, s := range r.Sections("list", "entry") {
		inner := s.Read()
		var n int
		inner.Int("d", &n)
		r.Add(inner.End())
	}
	if err := r.End(); err == nil || err.Error() != path+`:15: carrier "a": entry: unknown key "e"` {
		t.Errorf("End = %v; want the unknown key in line 16", err)
	}
}

// first returns the first carrier of a file.
func first(t *testing.T, text string, environ ...string) (config.Carrier, string) {
	t.Helper()
	path := file(t, text)
	c, err := config.Load(config.Sources{File: path, Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	return c.Carriers[0], path
}

const head = "[[carrier]]\nname = \"a\"\ntype = \"x\"\n"

func TestKeysAreReadInTheirOwnTypesAndOthersAreNamed(t *testing.T) {
	t.Parallel()
	c, path := first(t, head+"text = \"T\"\nnumber = 5\nfloat = 2\nhalf = 0.5\nflag = true\ntime = \"90s\"\nlist = [\"a\", \"b\"]\none = \"c\"\nmap = { a = \"1\" }\n")
	type values struct {
		Text         string
		Number, Kept int
		Float, Half  float64
		Flag         bool
		Time         time.Duration
		List, One    []string
		Map          map[string]string
	}
	v := values{Kept: 7}
	r := c.Read()
	var ignored string
	r.Text("name", &ignored)
	r.Text("type", &ignored)
	r.Text("text", &v.Text)
	r.Int("number", &v.Number)
	r.Int("absent", &v.Kept)
	r.Float("float", &v.Float)
	r.Float("half", &v.Half)
	r.Bool("flag", &v.Flag)
	r.Duration("time", &v.Time)
	r.Texts("list", &v.List)
	r.Texts("one", &v.One)
	r.TextMap("map", &v.Map)
	if err := r.End(); err != nil {
		t.Fatal(err)
	}
	want := values{"T", 5, 7, 2, .5, true, 90 * time.Second, []string{"a", "b"}, []string{"c"}, map[string]string{"a": "1"}}
	if d := cmp.Diff(want, v); d != "" {
		t.Errorf("values (-want +got):\n%s", d)
	}

	r = c.Read()
	r.Int("text", &v.Number)
	r.Text("number", &v.Text)
	r.Bool("float", &v.Flag)
	r.Float("flag", &v.Float)
	r.Duration("half", &v.Time)
	r.Duration("one", &v.Time)
	r.Texts("map", &v.List)
	r.TextMap("list", &v.Map)
	err := r.End()
	for line, says := range map[string]string{
		"1": "", "4": "text: expected a whole number", "5": "number: expected a text", "6": "float: expected true or false", "8": "flag: expected a number",
		"7": "half: expected a duration", "11": `one: is "c"; expected a duration`, "12": "map: expected a list", "10": "list: expected a table", "9": `unknown key "time"`,
	} {
		if says != "" && (err == nil || !strings.Contains(err.Error(), path+":"+line+`: carrier "a": `+says)) {
			t.Errorf("End = %v\nwant line %s: %s", err, line, says)
		}
	}
}

func TestAWholeNumberOutOfItsRangeIsNamedWithWhatWasExpected(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		value string
		read  func(*config.Reader, string, *int)
		want  int
		says  string
	}{
		{"1", (*config.Reader).Count, 1, ""},
		{"2147483647", (*config.Reader).Count, 2147483647, ""},
		{"0", (*config.Reader).Count, 7, "is 0; expected 1 or more"},
		{"-1", (*config.Reader).Count, 7, "is -1; expected 1 or more"},
		{"-3000000000", (*config.Reader).Count, 7, "is -3000000000; expected 1 or more"},
		{"2147483648", (*config.Reader).Count, 7, "is 2147483648; expected 2147483647 or less"},
		{`"1"`, (*config.Reader).Count, 7, "expected a whole number"},
		{"0", (*config.Reader).Int, 0, ""},
		{"-2147483648", (*config.Reader).Int, -2147483648, ""},
		{"-2147483649", (*config.Reader).Int, 7, "is -2147483649; expected -2147483648 or more"},
		{"2147483648", (*config.Reader).Int, 7, "is 2147483648; expected 2147483647 or less"},
		{"1.0", (*config.Reader).Int, 7, "expected a whole number"},
	} {
		carrier, path := first(t, head+"number = "+c.value+"\n")
		r := carrier.Read()
		var ignored string
		r.Text("name", &ignored)
		r.Text("type", &ignored)
		got := 7
		c.read(r, "number", &got)
		err := r.End()
		if got != c.want || (err == nil) != (c.says == "") {
			t.Errorf("number = %s: %d, %v; want %d", c.value, got, err, c.want)
		}
		if err != nil && err.Error() != path+`:4: carrier "a": number: `+c.says {
			t.Errorf("number = %s: %v; want line 4 and %q", c.value, err, c.says)
		}
	}
}

func TestASecretStandsElsewhereAndIsNeverQuoted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"good": "from file\r\n", "empty": "\n", "huge": strings.Repeat("x", 65<<10)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ value, want, problem string }{
		{`"env:PASS"`, "from environment", ""},
		{`"file:` + dir + `/good"`, "from file", ""},
		{`"hunter2canary"`, "", `expected "env:NAME" or "file:PATH"`},
		{`"env:hunter2 canary"`, "", `expected "env:NAME" or "file:PATH"`},
		{`""`, "", `expected "env:NAME" or "file:PATH"`},
		{`5`, "", `expected "env:NAME" or "file:PATH"`},
		{`"env:ABSENT"`, "", "the environment variable ABSENT is not set"},
		{`"env:EMPTY"`, "", "the environment variable EMPTY is not set"},
		{`"file:` + dir + `/absent"`, "", "no such file"},
		{`"file:` + dir + `/empty"`, "", "is empty"},
		{`"file:` + dir + `/huge"`, "", "is no file of at most 64 KiB"},
		{`"file:` + dir + `"`, "", "is no file of at most 64 KiB"},
	} {
		carrier, path := first(t, head+"password = "+c.value+"\n", "PASS=from environment", "EMPTY=")
		r := carrier.Read()
		var ignored, got string
		r.Text("name", &ignored)
		r.Text("type", &ignored)
		r.Secret("password", func(s string) { got = s })
		err := r.End()
		if got != c.want {
			t.Errorf("%s gives %q; want %q", c.value, got, c.want)
		}
		switch {
		case c.problem == "" && err != nil:
			t.Errorf("%s: %v", c.value, err)
		case c.problem != "" && (err == nil || !strings.Contains(err.Error(), path+`:4: carrier "a": password: `) || !strings.Contains(err.Error(), c.problem)):
			t.Errorf("%s: %v; want line 4 and %q", c.value, err, c.problem)
		case err != nil && strings.Contains(err.Error(), "hunter2"):
			t.Errorf("%v quotes the secret", err)
		}
	}
}

func TestListsAndTablesOfSecretsAreRevealedToo(t *testing.T) {
	t.Parallel()
	c, path := first(t, head+"keys = [\"env:A\", \"env:B\"]\nheaders = { \"X-Key\" = \"env:A\" }\nbad = { x = \"literal\" }\n", "A=1", "B=2")
	r := c.Read()
	var ignored string
	var list []string
	var table map[string]string
	r.Text("name", &ignored)
	r.Text("type", &ignored)
	r.Secrets("keys", func(all []string) { list = all })
	r.SecretMap("headers", func(all map[string]string) { table = all })
	r.SecretMap("bad", func(map[string]string) { t.Error("a literal was taken for a secret") })
	err := r.End()
	if err == nil || !strings.HasPrefix(err.Error(), path+`:6: carrier "a": bad: expected "env:NAME"`) {
		t.Errorf("End = %v; want the literal refused in line 6", err)
	}
	if d := cmp.Diff([]string{"1", "2"}, list) + cmp.Diff(map[string]string{"X-Key": "1"}, table); d != "" {
		t.Errorf("secrets (-want +got):\n%s", d)
	}
}

func TestChangedNamesTheSettingsThatARestartNeeds(t *testing.T) {
	t.Parallel()
	load := func(text string) config.Config {
		c, err := config.Load(config.Sources{File: file(t, text)})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	before := load("sender = \"A\"\n[wait]\nsms = \"5s\"\n")
	after := load("sender = \"B\"\n[wait]\nsms = \"6s\"\n" + head)
	if d := cmp.Diff([]string{"sender", "wait.sms"}, before.Changed(&after)); d != "" {
		t.Errorf("Changed (-want +got):\n%s", d)
	}
	if got := before.Changed(&before); len(got) != 0 {
		t.Errorf("Changed = %v; want none", got)
	}
}

func FuzzAFileNeverCrashesTheReader(f *testing.F) {
	f.Add("[[carrier]]\nname = \"a\"\ntype = \"smpp\"\n[carrier.x]\ny = { z = [1, { q = 2 }] }\n[[route]]\nchannels = [\"SMS\"]\ncarriers = [{ name = \"a\" }]\n")
	f.Add("carrier = [[1]]\nroute = [{}, {channels=1}]")
	f.Add("[[carrier.a]]\n[[carrier.a.b]]\nc.d = 1")
	f.Add("a = " + strings.Repeat("[", 300))
	f.Add("a = " + strings.Repeat("[", 90) + "{ b = [ '''[''', \"]\\\"\", 1.5, # [\n" + strings.Repeat("[", 9))
	f.Add(strings.Repeat("a.", 300) + "a = 1")
	f.Add("[" + strings.Repeat("a.", 50) + "a]\n" + strings.Repeat("b.", 90) + "b = " + strings.Repeat("{ c = ", 9) + "1" + strings.Repeat(" }", 9))
	f.Add(manyRoutes(20))
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "f.toml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(config.Sources{File: path})
		if err != nil {
			return
		}
		for _, one := range c.Carriers {
			if r := one.Read(); r.End() == nil {
				t.Errorf("a carrier of %q has no key, not even a name", text)
			}
		}
	})
}
