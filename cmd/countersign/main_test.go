package main_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/stolen"
	"github.com/countersign/countersign/internal/store/testdb"
)

// patience bounds every wait for something that must come.
const patience = 2 * time.Minute

// binary is the program, built once: it is shown as people run it.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "countersign-test-*")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "countersign")
	build := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("build: %v\n%s", err, out))
	}
	code := testdb.Both(m,
		"TestWrongUseAndWrongSettingsExitWithTwoAndSayWhatWasExpected", "TestHelpAndVersionNeedNothing",
		"TestABackupThatIsMadeUnderLoadIsRestoredWholeAndQuarantined", "TestABackupOpenedWithoutARestoreIsQuarantinedToo",
		"TestWhatIsNoBackupOfThisDeploymentIsRefusedAndLeavesNothing", "TestPostgreSQLDatabasesAreCopiedWithTheirOwnToolsAndQuarantined",
		"TestABackupIsRestoredOnlyWhereItsIndexKeyIsTheLast", "TestACommandOnADatabaseThatIsNotThereIsRefusedAndMakesNone",
		"TestWhatTheAuditListCannotTakeIsNotDone", "TestAMoveBringsTheIndexKeyOfItsSource", "TestADeploymentMovesIntoPostgreSQLWithItsKeysOTPsAndCodes",
		"TestACheckThatWaitsForTheCodeEndsWhenItIsInterrupted", "TestHelpThatCannotBePrintedExitsWithOne", "TestAMoveThatEndsAmidItsCommitIsFoundByASecondOne", "TestACommandThatIsInterruptedEndsThoughACommitWaits",
		"TestALineIsWrittenWhenWhoLoggedItGoesOn", "TestALogThatTakesNothingHoldsNobodyUpAndSaysLaterWhatItLost", "TestLinesThatCouldNotBeWrittenAreTold",
		"TestADatabaseThatCannotBeOpenedForLackOfDescriptorsIsRefusedWithThatCause",
		"TestAServerThatMayOnlyReadItsDatabaseIsRefusedAndCommandsThatLookAreNot", "TestADatabaseThatHasNoRoomToBeMadeIsNotCalledAnothers",
		"TestALackOfDescriptorsIsNamedWhereThereAreNoDeviceFiles", "TestAKeyThatCannotBePrintedIsNamedSoThatItCanBeRevoked",
		"TestAFirstProcessWhoseReaderWentAwaySaysSo",
		"TestTheAuditListNamesAUserWithoutANameByItsNumber", "TestALineBreakAfterThePathOfTheSettingsIsNamed",
	).Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// place is a data directory that commands are run on.
type place struct {
	t       *testing.T
	dir     string
	url     string // of the PostgreSQL database, "" for SQLite in dir
	environ []string
}

// rootKey is no sample.
const rootKey = "zl387V7bFfCBAz1D86hSpyAs9ASFyybnwmkpIf9Lr7I="

// newPlace is a place with a database of the kind that is tested now.
func newPlace(t *testing.T, environ ...string) *place {
	t.Helper()
	p := &place{t: t, dir: filepath.Join(testdb.Dir(t), "data"), environ: environ}
	if testdb.Postgres() {
		p.url = testdb.New(t).URL()
		p.environ = append([]string{"COUNTERSIGN_DATABASE_URL=" + p.url, "COUNTERSIGN_SECRET_KEY=" + rootKey}, environ...)
	}
	return p
}

func (p *place) command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, binary, args...)
	c.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "COUNTERSIGN_DATA_DIR=" + p.dir, "COUNTERSIGN_LISTEN=127.0.0.1:0", "COUNTERSIGN_ADMIN_LISTEN=",
	}, p.environ...)
	c.Dir = filepath.Dir(p.dir)
	return c
}

// result is how a command ended.
type result struct {
	code     int
	out, err string
}

// run runs a command to its end, input on its standard input.
func (p *place) run(input string, args ...string) result {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	c := p.command(ctx, args...)
	var out, errs bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(input), &out, &errs
	err := c.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		p.t.Fatalf("countersign %v: %v", args, err)
	}
	return result{c.ProcessState.ExitCode(), out.String(), errs.String()}
}

// done is run that must exit 0; it returns standard output without its last
// line end.
func (p *place) done(args ...string) string {
	p.t.Helper()
	r := p.run("", args...)
	if r.code != 0 {
		p.t.Fatalf("countersign %v: exit code %d\n%s%s", args, r.code, r.out, r.err)
	}
	return strings.TrimSuffix(r.out, "\n")
}

// serving is a server process.
type serving struct {
	t     *testing.T
	url   string
	lines []string // of standard output
	key   string
	cmd   *exec.Cmd
	errs  *bytes.Buffer

	ended chan struct{} // closed once it has
	once  sync.Once
	code  int
}

// serve starts the server and waits until it is ready.
func (p *place) serve() *serving { p.t.Helper(); return p.serveTo(nil) }

// serveTo is serve with another standard error, unless it is nil.
func (p *place) serveTo(log *os.File) *serving {
	p.t.Helper()
	s := &serving{t: p.t, cmd: p.command(context.WithoutCancel(p.t.Context()), "serve"), errs: &bytes.Buffer{}}
	// A file, so that all that was printed can be read, whenever it is.
	out, err := os.Create(filepath.Join(p.t.TempDir(), "out"))
	if err != nil {
		p.t.Fatal(err)
	}
	defer out.Close()
	s.cmd.Stdout, s.cmd.Stderr = out, s.errs
	if log != nil {
		s.cmd.Stderr = log
	}
	if err := s.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	s.ended = make(chan struct{})
	go func() {
		defer close(s.ended)
		_ = s.cmd.Wait()
	}()
	p.t.Cleanup(func() { s.end(syscall.SIGKILL) })
	printed := func() string {
		text, err := os.ReadFile(out.Name())
		if err != nil {
			p.t.Fatal(err)
		}
		return string(text)
	}
	for deadline := time.Now().Add(patience); !strings.Contains(printed(), "\n"); {
		select {
		case <-s.ended:
			p.t.Fatalf("the server did not start\n%s", s.errs)
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			s.end(syscall.SIGKILL)
			p.t.Fatalf("the server did not start in time\n%s", s.errs)
		}
	}
	first, _, _ := strings.Cut(printed(), "\n")
	s.url, _ = strings.CutPrefix(first, "listening on ")
	s.await("/readyz")
	s.lines = strings.Split(strings.TrimSuffix(printed(), "\n"), "\n") // all are printed before the server is ready
	for _, line := range s.lines {
		if key, ok := strings.CutPrefix(line, "API key "); ok {
			s.key = key
		}
	}
	return s
}

// await waits until path answers 200.
func (s *serving) await(path string) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if status, _, err := s.get(path); err == nil && status == http.StatusOK {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s did not answer 200", path)
		}
	}
}

func (s *serving) get(path string) (int, string, error) {
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("apiKey", s.key)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

// end ends the server with a signal and returns its exit code.
func (s *serving) end(with syscall.Signal) int {
	s.once.Do(func() {
		_ = s.cmd.Process.Signal(with)
		select {
		case <-s.ended:
		case <-time.After(patience):
			_ = s.cmd.Process.Kill()
			<-s.ended
		}
		s.code = s.cmd.ProcessState.ExitCode()
	})
	return s.code
}

func TestTheFirstStartPrintsTheKeyTheSecondDoesNotAndSIGTERMEndsWithZero(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	first := p.serve()
	form := []string{`^listening on http://127\.0\.0\.1:\d+$`, `^account default$`, `^API key otp_live_[A-Za-z0-9_]+$`, `^console http://127\.0\.0\.1:\d+/console/enter#[A-Za-z0-9_-]{43}$`}
	if len(first.lines) != len(form) {
		t.Fatalf("printed %q; want four lines", first.lines)
	}
	for i, f := range form {
		if !regexp.MustCompile(f).MatchString(first.lines[i]) {
			t.Errorf("line %d is %q; want %s", i+1, first.lines[i], f)
		}
	}
	ending := stolen.Start(t).Begin()
	if code := first.end(syscall.SIGTERM); code != 0 {
		t.Errorf("SIGTERM: exit code %d; want 0\n%s", code, first.errs)
	}
	if ending.Exceeds(15 * time.Second) {
		t.Errorf("SIGTERM: ended after %s; want at most 15 s", ending.Own())
	}
	if !strings.Contains(first.errs.String(), `"mode":"compat"`) {
		t.Errorf("the log does not tell the mode: %s", first.errs)
	}
	if strings.Contains(first.errs.String(), first.key) {
		t.Error("the log holds the key")
	}
	second := p.serve()
	if strings.Contains(strings.Join(second.lines, "\n"), "API key") {
		t.Errorf("the second start printed %q", second.lines)
	}
	second.key = first.key
	if status, body, err := second.get("/2fa/v4/otp"); status != 200 || err != nil {
		t.Errorf("the first key after a restart: %d %s %v", status, body, err)
	}
	if code := second.end(syscall.SIGINT); code != 0 {
		t.Errorf("SIGINT: exit code %d; want 0", code)
	}
}

func TestAKeyIsKnownToARunningServerWithinASecondOfItsMakingAndRefusedWithinOneOfItsRevocation(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := p.serve()
	first := s.key
	within := func(what string, want int) {
		t.Helper()
		stolen.Within(t, time.Second, fmt.Sprintf("%s: %d", what, want), func() bool {
			status, _, err := s.get("/2fa/v4/otp")
			if err != nil {
				t.Fatal(err)
			}
			return status == want
		})
	}
	s.key = p.done("key", "create", "--account", "default", "--name", "second")
	if !regexp.MustCompile(`^otp_live_[A-Za-z0-9_]+$`).MatchString(s.key) {
		t.Fatalf("key create printed %q; want the key alone", s.key)
	}
	within("a new key", 200)
	id := ""
	for line := range strings.SplitSeq(p.done("key", "list"), "\n") {
		if strings.Contains(line, s.key) {
			t.Error("key list shows a key")
		}
		if fields := strings.Split(line, "\t"); len(fields) > 4 && fields[4] == "second" {
			id = fields[0]
		}
	}
	p.done("key", "revoke", id)
	within("a revoked key", 403)
	s.key = first
	within("the other key", 200)
	p.done("account", "suspend", "default")
	within("a suspended account", 403)
	p.done("account", "enable", "default")
	within("an enabled account", 200)
}

func TestWrongUseAndWrongSettingsExitWithTwoAndSayWhatWasExpected(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		environ []string
		args    []string
		want    []string
	}{
		{"no command", nil, nil, []string{"expected one of"}},
		{"an unknown command", nil, []string{"serv"}, []string{"serv"}},
		{"an unknown flag", nil, []string{"serve", "--secret-key", "x"}, []string{"--secret-key"}},
		{"a wrong flag", nil, []string{"serve", "--listen", "8080"}, []string{"listen", "flag --listen", "HOST:PORT"}},
		{"a wrong toggle", nil, []string{"serve", "--migrate=perhaps"}, []string{"--migrate"}},
		{"a wrong variable", []string{"COUNTERSIGN_RETENTION=soon"}, []string{"serve"}, []string{"retention", "COUNTERSIGN_RETENTION", "duration"}},
		{"a mode of a later version", []string{"COUNTERSIGN_MODE=strict"}, []string{"serve"}, []string{"mode", "COUNTERSIGN_MODE", "compat"}},
		{"plain HTTP for everybody", nil, []string{"serve", "--listen", "0.0.0.0:0"}, []string{"listen", "tls_cert", "allow_plain_http"}},
		{"a word for a key", []string{"COUNTERSIGN_SECRET_KEY=Y2hhbmdlbWVjaGFuZ2VtZWNoYW5nZW1lY2hhbmdlbWU="}, []string{"serve"}, []string{"secret_key", "not a sample"}},
		{"a sample key", []string{"COUNTERSIGN_SECRET_KEY=" + strings.Repeat("A", 43) + "="}, []string{"account", "list"}, []string{"secret_key", "not a sample"}},
		{"a short bootstrap key", []string{"COUNTERSIGN_BOOTSTRAP_API_KEY=short"}, []string{"serve"}, []string{"bootstrap_api_key", "16 to 128"}},
		{"another database", []string{"COUNTERSIGN_DATABASE_URL=mysql://h/db"}, []string{"migrate"}, []string{"database_url", "sqlite:PATH", "postgres://"}},
		{"PostgreSQL without a root key", []string{"COUNTERSIGN_DATABASE_URL=postgres://h/db", "COUNTERSIGN_SECRET_KEY="}, []string{"serve"}, []string{"secret_key", "32 random bytes"}},
		{"an absent file", nil, []string{"serve", "--config", "absent.toml"}, []string{"absent.toml"}},
		{"certificates that are none", nil, []string{"serve", "--tls-cert", "absent.pem", "--tls-key", "absent.pem"}, []string{"tls_cert", "PEM"}},
		{"an account name", nil, []string{"account", "create", "Acme"}, []string{"Acme", "[a-z0-9]"}},
		{"an account setting", nil, []string{"account", "set", "acme", "colour=red"}, []string{"colour", "expected one of"}},
		{"an account setting's value", nil, []string{"account", "set", "acme", "country=Germany"}, []string{"country", "expected"}},
		{"a recipient", nil, []string{"send", "--account", "a", "--to", "nobody"}, []string{"--to", "international form"}},
		{"a number that cannot exist", nil, []string{"send", "--account", "a", "--to", "+49"}, []string{"--to", "international form"}},
		{"a number without its country", nil, []string{"send", "--account", "a", "--to", "015112345678"}, []string{"--to", "international form"}},
		{"a key's name of two lines", nil, []string{"key", "create", "--account", "a", "--name", "one\ntwo"}, []string{"--name", "plain text"}},
		{"a key's name with an escape", nil, []string{"key", "create", "--account", "a", "--name", "\x1b[2J"}, []string{"--name", "plain text"}},
		{"an address by SMS", nil, []string{"route", "explain", "user@example.com", "SMS"}, []string{"CHANNEL", "EMAIL for addresses"}},
		{"a number by e-mail", nil, []string{"route", "explain", "+4915112345678", "EMAIL"}, []string{"CHANNEL", "EMAIL for addresses"}},
		{"a public URL with a password", []string{"COUNTERSIGN_PUBLIC_URL=http://u:p@x"}, []string{"serve"}, []string{"public_url", "http or https URL"}},
		{"a channel", nil, []string{"send", "--account", "a", "--to", "+4915112345678", "--channel", "PIGEON"}, []string{"PIGEON", "SMS"}},
		{"a text without a code", nil, []string{"send", "--account", "a", "--to", "+4915112345678", "--text", "hello"}, []string{"{{otp_code}}"}},
		{"no code", nil, []string{"check", "--account", "a", "x"}, []string{"standard input"}},
		{"no command", nil, nil, []string{"serve", "countersign --help"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, c.environ...)
			r := p.run("", c.args...)
			if r.code != 2 || r.out != "" {
				t.Errorf("exit code %d, standard output %q; want 2 and nothing", r.code, r.out)
			}
			for _, want := range c.want {
				if !strings.Contains(r.err, want) {
					t.Errorf("said %q; want %q in it", r.err, want)
				}
			}
		})
	}
}

// A script whose variable was not set asked for one thing, not for everything.
func TestAnOptionalNameThatIsEmptyIsRefused(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.done("account", "create", "acme")
	p.done("send", "--account", "acme", "--to", "+4915112345678")
	for _, args := range [][]string{
		{"erase", "--to", "+4915112345678", "--account", ""},
		{"key", "list", "--account", ""},
		{"console", "users", "--account", ""},
		{"callback", "list", "--account", ""},
		{"carrier", "check", ""},
		{"inbox", "--to", ""},
		{"migrate", "--from", "", "--to", ""},
		{"migrate", "--from", ""},
		{"migrate", "--to", ""},
		{"migrate", "--from", "sqlite:absent.db", "--to", ""},
	} {
		if r := p.run("", args...); r.code != 2 || r.out != "" || !strings.Contains(r.err, "expected") {
			t.Errorf("%v: exit code %d, out %q, err %q; want 2 and what was expected", args, r.code, r.out, r.err)
		}
	}
	if got := p.done("erase", "--to", "+4915112345678"); got != "erased 1" {
		t.Errorf("erase of all accounts printed %q; want that the OTP was still there", got)
	}
}

func TestWhatIsNotThereExitsWithOne(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.done("migrate")
	for _, args := range [][]string{
		{"account", "show", "nobody"},
		{"account", "suspend", "nobody"},
		{"account", "set", "nobody", "sender=ACME"},
		{"key", "create", "--account", "nobody"},
		{"key", "list", "--account", "nobody"},
		{"callback", "list", "--account", "nobody"},
		{"console", "users", "--account", "nobody"},
		{"key", "revoke", "nothing"},
		{"send", "--account", "nobody", "--to", "+4915112345678"},
		{"limit", "clear", "--account", "nobody", "--to", "+4915112345678"},
		{"erase", "--account", "nobody", "--to", "+4915112345678"},
		{"callback", "replay", "nothing"},
		{"callback", "secret", "nothing"},
	} {
		if r := p.run("", args...); r.code != 1 || r.out != "" || r.err == "" {
			t.Errorf("%v: exit code %d, out %q, err %q; want 1 and a reason", args, r.code, r.out, r.err)
		}
	}
}

func TestHelpAndVersionNeedNothing(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "COUNTERSIGN_MODE=wrong")
	for args, want := range map[string]string{"version": "go1.", "--help": "--data-dir", "key create --help": "--throttle", "connector --help": "./connector", "erase --help": "audited"} {
		if got := p.done(strings.Fields(args)...); !strings.Contains(got, want) {
			t.Errorf("%s printed %q; want %s in it", args, got, want)
		}
	}
	if _, err := os.Stat(p.dir); !errors.Is(err, os.ErrNotExist) {
		t.Error("a data directory was made")
	}
}
