package postgres_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/countersign/countersign/internal/store/postgres"
)

// stub is a server that speaks PostgreSQL's protocol and knows hardly anything.
type stub struct {
	version string                               // what it says of itself, "" for nothing
	refuse  string                               // SQLSTATE for every connection, "" for none
	lacks   string                               // the parameter that it does not know, "" for none
	answer  []pgproto3.BackendMessage            // to every query but
	to      map[string][]pgproto3.BackendMessage // those that begin so
}

// url starts the server and returns how to connect to it.
func (s stub) url(t *testing.T) string {
	t.Helper()
	return "postgres://user:hunter2@" + listen(t, s.serve) + "/db?sslmode=disable"
}

// listen gives each client to serve until the test ends, and returns the address.
func listen(t *testing.T, serve func(*pgproto3.Backend)) string {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer c.Close()
				defer context.AfterFunc(t.Context(), func() { _ = c.Close() })()
				serve(pgproto3.NewBackend(c, c))
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	return l.Addr().String()
}

func failed(severity, code string) *pgproto3.ErrorResponse {
	return &pgproto3.ErrorResponse{Severity: severity, SeverityUnlocalized: severity, Code: code, Message: "about hunter2"}
}

// serve answers one client until it hangs up.
func (s stub) serve(b *pgproto3.Backend) {
	first, err := b.ReceiveStartupMessage()
	start, ok := first.(*pgproto3.StartupMessage)
	if err != nil || !ok {
		return
	}
	if _, asked := start.Parameters[s.lacks]; asked {
		s.refuse = "42704"
	}
	if s.refuse != "" {
		b.Send(failed("FATAL", s.refuse))
		_ = b.Flush()
		return
	}
	b.Send(&pgproto3.AuthenticationOk{})
	if s.version != "" {
		b.Send(&pgproto3.ParameterStatus{Name: "server_version", Value: s.version})
	}
	ready := &pgproto3.ReadyForQuery{TxStatus: 'I'}
	b.Send(ready)
	for b.Flush() == nil {
		message, err := b.Receive()
		if err != nil {
			return
		}
		switch message := message.(type) {
		case *pgproto3.Query:
			for _, m := range s.answerTo(message.String) {
				b.Send(m)
			}
			b.Send(ready)
		case *pgproto3.Sync:
			b.Send(failed("ERROR", "42601"))
			b.Send(ready)
		case *pgproto3.Terminate:
			return
		}
	}
}

// answerTo is what the server has to say to a query.
func (s stub) answerTo(query string) []pgproto3.BackendMessage {
	for begin, answer := range s.to {
		if strings.HasPrefix(query, begin) {
			return answer
		}
	}
	return s.answer
}

// oneColumn answers a query with a row of one value.
func oneColumn() []pgproto3.BackendMessage { return oneRow("off") }

func oneRow(value string) []pgproto3.BackendMessage {
	return []pgproto3.BackendMessage{
		&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("x"), DataTypeOID: 25, DataTypeSize: -1}}},
		&pgproto3.DataRow{Values: [][]byte{[]byte(value)}},
		&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")},
	}
}

func TestAServerThatIsTooOldIsNamedWhateverElseItCannotDo(t *testing.T) {
	t.Parallel()
	no := []pgproto3.BackendMessage{failed("ERROR", "42601")}
	for name, c := range map[string]struct {
		server stub
		want   string
	}{
		"that knows no query":               {stub{version: "13.9", answer: no}, "13"},
		"of a distribution":                 {stub{version: "13.9 (Debian 13.9-1.pgdg110+1)", answer: no}, "13"},
		"of the old numbering":              {stub{version: "9.6.24", answer: no}, "9"},
		"that answers with one column":      {stub{version: "13.9", answer: oneColumn()}, "13"},
		"that knows not every parameter":    {stub{version: "10.23", lacks: "jit", answer: no}, "10"},
		"that knows none of the parameters": {stub{version: "9.1.24", lacks: "lock_timeout", answer: no}, "9"},
		"in beta":                           {stub{version: "13beta2", answer: no}, "13"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := postgres.Open(t.Context(), config(c.server.url(t)))
			if err == nil {
				_ = s.Close()
			}
			want := postgres.ErrTooOld.Error() + ": this is version " + c.want
			if !errors.Is(err, postgres.ErrTooOld) || errors.Is(err, postgres.ErrUnreachable) || err.Error() != want {
				t.Errorf("Open = %v, want %s", err, want)
			}
		})
	}
}

func TestAServerThatIsTooOldIsNamedThoughAnotherOfTheURLIsAway(t *testing.T) {
	t.Parallel()
	at := stub{version: "13.9", answer: oneColumn()}.url(t)
	for _, both := range []string{"127.0.0.1:1,", ""} {
		url := strings.Replace(at, "@", "@"+both, 1)
		if both == "" {
			url = strings.Replace(at, "/db", ",127.0.0.1:1/db", 1)
		}
		wantRefused(t, url, config(url), postgres.ErrTooOld)
	}
}

func TestAServerWithStrangeAnswersIsRefusedWithoutAPanic(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"16.3", "devel", ""} {
		wantRefused(t, "one column from version "+version, config(stub{version: version, answer: oneColumn()}.url(t)), postgres.ErrUnreachable)
	}
}

func TestARefusedConnectionSaysWhyInPlainWords(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		"28P01": "the user or password is refused",
		"28000": "the user or password is refused",
		"3D000": "there is no such database",
		"42704": "a parameter of the URL is not known or has no such value",
		"22023": "a parameter of the URL is not known or has no such value",
		"53300": "too many connections",
		"57P03": "it is starting or stopping",
		"08P01": "a pooler refuses the connection: often for a start parameter that its ignore_startup_parameters has to name",
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			s, err := postgres.Open(t.Context(), config(stub{refuse: code}.url(t)))
			if err == nil {
				_ = s.Close()
			}
			want := "the database cannot be reached: PostgreSQL error " + code + ": " + want
			if !errors.Is(err, postgres.ErrUnreachable) || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("Open = %v, want %s", err, want)
			}
		})
	}
	wantRefused(t, "a parameter that a new server does not know", config(stub{version: "16.3", lacks: "jit", answer: oneColumn()}.url(t)), postgres.ErrUnreachable)
}

func TestASessionThatEndsOverTheFirstQuestionsSaysWhy(t *testing.T) {
	t.Parallel()
	for question, query := range map[string]string{
		"whether it takes writes":        "show transaction_read_only",
		"which timeline it writes":       "SELECT system_identifier",
		"whether it knows a transaction": "BEGIN",
	} {
		t.Run(question, func(t *testing.T) {
			t.Parallel()
			server := stub{version: "17.1", answer: oneColumn(), to: map[string][]pgproto3.BackendMessage{query: {failed("FATAL", "25P04")}}}
			s, err := postgres.Open(t.Context(), config(server.url(t)))
			if err == nil {
				_ = s.Close()
			}
			const want = "PostgreSQL error 25P04: the transaction took longer than the transaction_timeout of the role or its database"
			if !errors.Is(err, postgres.ErrUnreachable) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("Open = %v, want %s", err, want)
			}
		})
	}
}

// As behind a pooler that sends reads to a standby, and what only the primary may
// answer to the primary.
func TestAServerThatTakesNoWritesIsRefusedThoughItSaysThatItIsThePrimary(t *testing.T) {
	t.Parallel()
	for _, wanted := range []string{"primary", "read-write", "any"} {
		server := stub{version: "16.3", answer: oneColumn(), to: map[string][]pgproto3.BackendMessage{
			"select pg_is_in_recovery()": oneRow("f"),
			"show transaction_read_only": oneRow("on"),
		}}
		s, err := postgres.Open(t.Context(), config(server.url(t)+"&target_session_attrs="+wanted))
		if err == nil {
			_ = s.Close()
		}
		if !errors.Is(err, postgres.ErrUnreachable) || !strings.Contains(err.Error(), "read only connection") {
			t.Errorf("target_session_attrs=%s: Open = %v; want ErrUnreachable that says read only connection (V-09)", wanted, err)
		}
	}
}

func TestAPoolerThatRefusesTransactionsIsNamedAtStartHoweverStatementsAreSent(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"cache_statement", "cache_describe", "exec"} {
		server := stub{version: "16.3", answer: oneColumn(), to: map[string][]pgproto3.BackendMessage{"BEGIN": {failed("FATAL", "08P01")}}}
		s, err := postgres.Open(t.Context(), config(server.url(t)+"&default_query_exec_mode="+mode))
		if err == nil {
			_ = s.Close()
		}
		if !errors.Is(err, postgres.ErrPooler) || errors.Is(err, postgres.ErrUnreachable) || !strings.Contains(err.Error(), "pool_mode") {
			t.Errorf("mode %s: Open = %v; want ErrPooler that names pool_mode", mode, err)
		}
	}
}
