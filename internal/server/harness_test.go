package server_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/config"
	"github.com/countersign/countersign/internal/secret"
	"github.com/countersign/countersign/internal/server"
	"github.com/countersign/countersign/internal/store/testdb"
)

// notice is long enough to see that a server is draining.
const notice = 200 * time.Millisecond

// patience bounds every wait for something that must come, on a machine that
// does something else most of the time too. No wait is longer than it has to be.
const patience = 2 * time.Minute

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(testdb.Both(m,
		"TestANewDeploymentIsPrivateToItsOwner", "TestADatabaseWithoutItsKeyFileIsRefusedAndGetsNoNewOne", "TestAKeyFileThatCannotBeTrustedIsRefused",
		"TestADatabaseOfAnotherKeyIsRefused", "TestAFileThatIsNoDatabaseIsRefusedUntouched", "TestADataDirectoryThatAnybodyMayWriteToIsRefused", "TestAStickyDirectoryIsWarnedOf",
		"TestADatabaseFileThatOthersMayReadIsRefused", "TestADatabaseElsewhereIsGuardedByItsDirectoryToo", "TestADatabaseThatCannotBeMadeLeavesNothingBehind",
		"TestWhatIsWrongWithCertificateOrCarriersIsSaidBeforeADatabaseIsMade",
		"TestAServerThatCannotKeepAConsoleLinkServesWithoutIt", "TestReadinessSaysThatTheSchemaBecameTooNew", "TestEveryPackageIsNamedWhereTheArchitectureIsTold", "TestASecondServerIsSoleOnlyOnceTheFirstHasClosedTheDatabase",
		"TestAPostgreSQLDatabaseThatCannotServeIsRefusedAndNamed", "TestEveryRefusalOfTheStoreSaysWhatWasExpected",
		"TestNodesOfPostgreSQLThatStartAtOnceOnAnEmptyDatabaseMakeOneAccountAndUseNoFiles",
		"TestADatabaseWithoutAFreeConnectionIs503WithRetryAfterAtEveryFacade", "TestADatabaseThatGoesAwayMakesTheServerUnreadyUntilItIsBack",
		"TestAStartThatWaitsForAnothersMigrationEndsWhenItIsStopped", "TestAStartGoesOnOnceAnothersMigrationIsDone", "TestALockFileBelongsToTheOwnerOfItsDirectory",
		"TestAServerThatUsesADatabaseByAnotherNameIsNotAlone", "TestADatabaseIsMadeWhereALinkLeadsThoughNothingIsThere", "TestWhatRootMakesInAnothersDirectoryBelongsToThatUser",
		"TestOnlyAConsoleThatBrowsersReachOnLoopbackKeepsCookiesOverPlainHTTP", "TestThePublicAddressIsTheOneThatBrowsersSend",
		"TestTheConsoleTellsWhatSettingsLoosen", "TestClosingIsWaitedForUnlessWhoeverWaitsIsStopped", "TestAServerThatIsStoppedLeavesACommitThatWaitsToTheDatabase", "TestAWishToReloadKeepsUntilTheCarriersRun",
		"TestALoopbackNameThatLeadsElsewhereIsNotListenedOn", "TestTheZoneOfAnAddressIsWrittenAsURLsHaveIt", "TestAServerWithoutCertificateAuthoritiesSaysSo",
		"TestFilesOfSettingsAndSecretsWithLooseRightsAreWarnedOf",
	))
}

// buffer is what a server prints; many goroutines write to it.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// running is a server in this process.
type running struct {
	t          *testing.T
	url, admin string // of the APIs, of the admin address
	out, log   *buffer
	key        string // as printed, "" if none was
	client     *http.Client

	cancel  context.CancelFunc
	started chan addresses
	ended   chan error
	err     error
	once    sync.Once
}

// addresses are what a server listens on, admin nil if it has no such address.
type addresses struct{ api, admin net.Addr }

// databases are the PostgreSQL databases of tests by their data directories.
var databases sync.Map

// settings loads the settings of the server of dir on free ports: its database
// is in dir or, where the tests run over PostgreSQL, another one each dir.
func settings(t *testing.T, dir string, environ ...string) config.Config {
	t.Helper()
	if testdb.Postgres() {
		create := sync.OnceValue(func() string { return testdb.New(t).URL() })
		url, _ := databases.LoadOrStore(dir, create)
		environ = append([]string{"COUNTERSIGN_DATABASE_URL=" + url.(func() string)(), "COUNTERSIGN_SECRET_KEY=" + rootA}, environ...)
	}
	return fileSettings(t, dir, environ...)
}

// fileSettings is settings with the database in dir. COUNTERSIGN_CONFIG names a
// settings file, as it does for the program.
func fileSettings(t *testing.T, dir string, environ ...string) config.Config {
	t.Helper()
	from := config.Sources{Environ: append([]string{
		"COUNTERSIGN_DATA_DIR=" + dir, "COUNTERSIGN_LISTEN=127.0.0.1:0", "COUNTERSIGN_ADMIN_LISTEN=127.0.0.1:0",
	}, environ...)}
	for _, v := range environ {
		if file, ok := strings.CutPrefix(v, "COUNTERSIGN_CONFIG="); ok {
			from.File = file
		}
	}
	c, err := config.Load(from)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// fresh is a data directory with a database that has no account yet, and its
// key: as start makes them where there is nothing, which is most of its work.
func fresh(t *testing.T) string {
	t.Helper()
	dir := testdb.Dir(t)
	if !testdb.Postgres() {
		testdb.PutBlank(t, filepath.Join(dir, "countersign.db"))
		if _, err := secret.CreateRootFile(filepath.Join(dir, "secret.key")); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// start starts a server in dir; it is stopped at the latest when the test ends.
func start(t *testing.T, dir string, environ ...string) *running {
	t.Helper()
	return launch(t, dir, notice, environ...).await()
}

// launch begins to start a server, which await waits for.
func launch(t *testing.T, dir string, notice time.Duration, environ ...string) *running {
	t.Helper()
	return launchServer(t, &server.Server{Config: settings(t, dir, environ...), Notice: notice})
}

// launchServer is launch of a server with settings of its own.
func launchServer(t *testing.T, s *server.Server) *running {
	t.Helper()
	r := &running{t: t, out: &buffer{}, log: &buffer{}, started: make(chan addresses, 1), ended: make(chan error, 1)}
	s.Log, s.Version, s.Out = slog.New(slog.NewTextHandler(r.log, nil)), "test", r.out
	s.Started = func(api, admin net.Addr) { r.started <- addresses{api, admin} }
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	r.cancel = cancel
	go func() { r.ended <- s.Run(ctx) }()
	transport := &http.Transport{}
	r.client = &http.Client{Transport: transport, Timeout: patience}
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("the server ended with %v\n%s", err, r.log)
		}
		transport.CloseIdleConnections()
	})
	return r
}

// await waits until the server that was launched serves.
func (r *running) await() *running {
	r.t.Helper()
	select {
	case a := <-r.started:
		r.url = "http://" + a.api.String()
		if a.admin != nil {
			r.admin = "http://" + a.admin.String()
		}
	case err := <-r.ended:
		r.ended <- err // for stop
		r.t.Fatalf("the server did not start: %v\n%s", err, r.log)
	case <-time.After(patience):
		r.t.Fatalf("the server did not start in time\n%s", r.log)
	}
	if m := regexp.MustCompile(`(?m)^API key (\S+)$`).FindStringSubmatch(r.out.String()); m != nil {
		r.key = m[1]
	}
	return r
}

// stop ends the server as SIGTERM does and returns what Run returned.
func (r *running) stop() error {
	r.once.Do(func() {
		r.cancel()
		select {
		case r.err = <-r.ended:
		case <-time.After(patience):
			r.err = errors.New("the server did not end in time")
		}
	})
	return r.err
}

// call makes a request with the key and returns status and body.
func (r *running) call(method, path, body string) (int, string) {
	r.t.Helper()
	url := r.url + path
	if strings.HasPrefix(path, "http") {
		url = path
	}
	req, err := http.NewRequestWithContext(r.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("apiKey", r.key)
	resp, err := r.client.Do(req)
	if err != nil {
		r.t.Fatalf("%s %s: %v\n%s", method, path, err, r.log)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// must is call that expects a status.
func (r *running) must(status int, method, path, body string) string {
	r.t.Helper()
	got, text := r.call(method, path, body)
	if got != status {
		r.t.Fatalf("%s %s = %d %s; want %d\n%s", method, path, got, text, status, r.log)
	}
	return text
}

// message is one in the sandbox.
type message struct {
	Channel string `json:"channel"`
	Text    string `json:"text"`
}

// inbox waits until the OTP has n messages and returns them, newest first.
func (r *running) inbox(otp string, n int) []message {
	r.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		var all []message
		if err := json.Unmarshal([]byte(r.must(200, "GET", "/sandbox/messages?otpId="+otp, "")), &all); err != nil {
			r.t.Fatal(err)
		}
		if len(all) >= n {
			return all
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("%d messages of %s; want %d\n%s", len(all), otp, n, r.log)
		}
	}
}

func idOf(t *testing.T, body string) string {
	t.Helper()
	var created struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal([]byte(body), &created); err != nil || created.ID == "" {
		t.Fatalf("no id in %s: %v", body, err)
	}
	return created.ID
}

// configure makes what the README's walk makes.
func (r *running) configure() {
	r.t.Helper()
	for path, body := range map[string]string{
		"templates/sms":   `{"name":"login_sms","language":"en","message":"Your code is {{otp_code}}, valid {{expiration_time}} minutes."}`,
		"templates/voice": `{"name":"login_call","language":"en","message":"Your code is {{otp_code}}."}`,
	} {
		r.must(201, "POST", "/2fa/v4/"+path, body)
	}
	r.must(201, "POST", "/2fa/v4/profiles", `{"name":"login","channels":[
		{"type":"SMS","templates":[{"name":"login_sms"}]},{"type":"VOICE","templates":[{"name":"login_call"}]}]}`)
	r.must(201, "POST", "/2fa/v4/priorities", `{"name":"sms-then-voice","channelPriority":[
		{"channel":"SMS","priority":1},{"channel":"VOICE","priority":2}]}`)
}

func (r *running) send(to string) string {
	r.t.Helper()
	return idOf(r.t, r.must(202, "POST", "/2fa/v4/otp", `{"to":"`+to+`","profileName":"login","priorityName":"sms-then-voice"}`))
}

var sixDigits = regexp.MustCompile(`\d{6}`)

func (r *running) validate(otp, code string) string {
	r.t.Helper()
	return r.must(200, "POST", "/2fa/v4/otp/"+otp+"/validate", `{"otpCode":"`+code+`"}`)
}

// eventually waits until ok, or fails with what why says.
func eventually(t *testing.T, what string, ok func() bool, why func() string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s\n%s", what, why())
		}
	}
}

// beside opens the deployment in dir beside a running server, as commands do.
func beside(t *testing.T, dir string, do func(*server.Deployment)) {
	t.Helper()
	d, err := server.Open(t.Context(), settings(t, dir), slog.New(slog.DiscardHandler), server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	do(d)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

// newKey makes a key of the account default.
func newKey(t *testing.T, dir string, throttle bool) (key string) {
	t.Helper()
	beside(t, dir, func(d *server.Deployment) {
		secret, k, err := account.NewKey(rand.Reader, account.Key{Account: "default", Throttle: throttle, Created: d.Store.Now()})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Store.CreateKey(t.Context(), k); err != nil {
			t.Fatal(err)
		}
		key = secret.Reveal()
	})
	return key
}
