package postgres_test

import (
	"errors"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/store/postgres"
	"github.com/countersign/countersign/internal/verify"
)

// pooler stands between clients and a server. Each client has a session of its
// own until they share: then each transaction, of whichever client, is the
// first session's; or, if it rotates, that of the session that was free for the
// longest time.
type pooler struct {
	server string
	shares atomic.Bool
	free   chan *upstream // nil if it does not rotate

	mu    sync.Mutex // guards first
	first *upstream
}

// upstream is a session of the server.
type upstream struct {
	mu sync.Mutex // held for a transaction
	*pgconn.HijackedConn
}

// url starts the pooler and returns how to connect to it.
func (p *pooler) url(t *testing.T) string {
	t.Helper()
	at, err := url.Parse(p.server)
	if err != nil {
		t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(listen(t, func(b *pgproto3.Backend) { p.serve(t, b) }))
	q := at.Query()
	q.Set("host", host)
	q.Set("port", port)
	q.Set("sslmode", "disable")
	at.Host, at.RawQuery = "", q.Encode()
	return at.String()
}

// session opens one with the server; the first is that which is shared.
func (p *pooler) session(t *testing.T) (*upstream, error) {
	conn, err := pgconn.Connect(t.Context(), p.server)
	if err != nil {
		return nil, err
	}
	hijacked, err := conn.Hijack()
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = hijacked.Conn.Close() })
	u := &upstream{HijackedConn: hijacked}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.first == nil {
		p.first = u
	}
	return u, nil
}

// rotate makes the pooler lend n sessions in turn.
func (p *pooler) rotate(t *testing.T, n int) {
	t.Helper()
	p.free = make(chan *upstream, n)
	for range n {
		u, err := p.session(t)
		if err != nil {
			t.Fatal(err)
		}
		p.free <- u
	}
}

// lend is the session for a client's next transaction.
func (p *pooler) lend(t *testing.T, own *upstream) (used *upstream, end func(error)) {
	if p.free == nil {
		used = own
		if p.shares.Load() {
			p.mu.Lock()
			used = p.first
			p.mu.Unlock()
		}
		used.mu.Lock()
		return used, func(error) { used.mu.Unlock() }
	}
	select {
	case used = <-p.free:
	case <-t.Context().Done():
		return nil, nil
	}
	return used, func(err error) {
		if err == nil { // else it is in the midst of a transaction
			p.free <- used
		}
	}
}

// serve passes one client's transactions on until it hangs up.
func (p *pooler) serve(t *testing.T, client *pgproto3.Backend) {
	start, err := client.ReceiveStartupMessage()
	if _, ok := start.(*pgproto3.StartupMessage); err != nil || !ok {
		return
	}
	own, err := p.session(t)
	if err != nil {
		return // the client says that it was hung up on
	}
	client.Send(&pgproto3.AuthenticationOk{})
	for name, value := range own.ParameterStatuses {
		client.Send(&pgproto3.ParameterStatus{Name: name, Value: value})
	}
	client.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	if client.Flush() != nil {
		return
	}
	for {
		message, err := client.Receive()
		if _, ends := message.(*pgproto3.Terminate); err != nil || ends {
			return
		}
		used, end := p.lend(t, own)
		if used == nil {
			return
		}
		err = used.transaction(client, message)
		end(err)
		if err != nil {
			return
		}
	}
}

// transaction passes on what a client says, from its first message to the end
// of the transaction.
func (u *upstream) transaction(client *pgproto3.Backend, message pgproto3.FrontendMessage) error {
	for {
		u.Frontend.Send(message)
		switch message.(type) {
		case *pgproto3.Sync, *pgproto3.Query:
			if err := u.Frontend.Flush(); err != nil {
				return err
			}
			status := byte(0)
			for status == 0 {
				answer, err := u.Frontend.Receive()
				if err != nil {
					return err
				}
				if ready, ok := answer.(*pgproto3.ReadyForQuery); ok {
					status = ready.TxStatus
				}
				client.Send(answer)
			}
			if err := client.Flush(); err != nil || status == 'I' {
				return err
			}
		}
		var err error
		if message, err = client.Receive(); err != nil {
			return err
		}
	}
}

func TestAPoolerThatSharesByTransactionIsNamedAtStartUnlessStatementsHaveNoNames(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"", "cache_statement", "cache_describe", "exec"} {
		t.Run("mode "+mode, func(t *testing.T) {
			t.Parallel()
			p := &pooler{server: pgtest.Ready(t)}
			p.shares.Store(true)
			at := p.url(t)
			if mode != "" {
				at += "&default_query_exec_mode=" + mode
			}
			if mode == "" || mode == "cache_statement" {
				for range 2 { // whether a node was refused before or not
					s, err := postgres.Open(t.Context(), config(at))
					if err == nil {
						_ = s.Close()
					}
					if !errors.Is(err, postgres.ErrPooler) || errors.Is(err, postgres.ErrUnreachable) || !strings.Contains(err.Error(), "default_query_exec_mode=cache_describe") {
						t.Errorf("Open = %v; want ErrPooler that says what to add", err)
					}
				}
				return
			}
			s := made(t, at)
			if got, err := s.CountAttempt(t.Context(), guess(sent(t, s), rightCode)); err != nil || got.Verdict != otp.Right {
				t.Errorf("a check = %v, %v; want Right", got.Verdict, err)
			}
		})
	}
}

func TestAPoolerThatSharesBySessionIsNoMatter(t *testing.T) {
	t.Parallel()
	p := &pooler{server: pgtest.Ready(t)}
	sent(t, made(t, p.url(t)))
}

func TestAPoolerThatBeginsToShareByTransactionMakesTheDatabaseUnavailableAndIsNamed(t *testing.T) {
	t.Parallel()
	p := &pooler{server: pgtest.Ready(t)}
	at := p.url(t)
	raw(t, at) // the session to share knows no statement
	s := made(t, at)
	sent(t, s)
	p.shares.Store(true)
	const tries = 100 // the pool may have connections that prepare the statement only now
	for range tries {
		_, err := s.CreateOTP(t.Context(), newOTP(t, uuid.NewString(), time.Hour))
		if err == nil {
			continue
		}
		if !errors.Is(err, verify.ErrUnavailable) || !errors.Is(err, postgres.ErrPooler) {
			t.Errorf("a send = %v; want ErrUnavailable of ErrPooler", err)
		}
		return
	}
	t.Errorf("%d sends met no statement of another session", tries)
}
