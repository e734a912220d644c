package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the engine under test
)

// serveBare is the ceiling for anything over HTTP: net/http taking 150 bytes
// of JSON and answering some, and nothing else. It runs in a process of its
// own, as the server does, until its standard input ends.
func serveBare() error {
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	fmt.Printf("listening on http://%s\n", l.Addr())
	s := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			To           string `json:"to"`
			ProfileName  string `json:"profileName"`
			PriorityName string `json:"priorityName"`
			OTPCode      string `json:"otpCode"`
			Filler       string `json:"filler"`
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(struct { //nolint:errchkjson // a string never fails
			ID string `json:"id"`
		}{"7b0a5f3c-52a9-4c0e-9d1e-0f6d6f1f0a11"})
	})}
	go func() {
		var b [1]byte
		_, _ = os.Stdin.Read(b[:])
		_ = s.Close()
	}()
	if err := s.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// bareSchema is the least that a send writes: an OTP and its delivery.
const bareSchema = `
CREATE TABLE otps (account INTEGER, id BLOB, recipient TEXT, state INTEGER, attempts INTEGER, expires INTEGER, digest BLOB, plan TEXT, PRIMARY KEY (account, id)) WITHOUT ROWID;
CREATE TABLE deliveries (account INTEGER, otp BLOB, seq INTEGER, state INTEGER, due INTEGER, sealed BLOB, PRIMARY KEY (account, otp, seq)) WITHOUT ROWID;
CREATE INDEX due ON deliveries (due) WHERE due IS NOT NULL;`

// bareStore measures the ceiling for anything durable: 64 callers, one writer,
// one commit for all who wait, synchronous=FULL.
func bareStore(ctx context.Context, dir string, span time.Duration) (float64, error) {
	w := &bareWriter{}
	defer w.close()
	if err := w.open(ctx, dir); err != nil {
		return 0, fmt.Errorf("set up bare store: %w", err)
	}
	waiting := callers(span)
	n := 0
	start := time.Now()
	group := make([]chan error, 0, connections)
	for first := range waiting {
		group = gather(append(group[:0], first), waiting)
		err := w.write(ctx, len(group))
		for _, c := range group {
			c <- err
		}
		if err != nil {
			return 0, fmt.Errorf("bare store: %w", err)
		}
		n += len(group)
	}
	return float64(n) / time.Since(start).Seconds(), nil
}

// callers starts callers that ask one after the other for span, each for a send,
// and wait until it is durable. What they ask is closed when all have ended.
func callers(span time.Duration) <-chan chan error {
	waiting := make(chan chan error, connections)
	end := time.Now().Add(span)
	var wg sync.WaitGroup
	for range connections {
		wg.Go(func() {
			done := make(chan error, 1)
			for time.Now().Before(end) {
				waiting <- done
				if <-done != nil {
					return
				}
			}
		})
	}
	go func() { wg.Wait(); close(waiting) }()
	return waiting
}

// gather adds all who wait now to a group.
func gather(group []chan error, waiting <-chan chan error) []chan error {
	for {
		select {
		case c, ok := <-waiting:
			if !ok {
				return group
			}
			group = append(group, c)
		default:
			return group
		}
	}
}

// bareWriter is the connection that writes, and its statements.
type bareWriter struct {
	db       *sql.DB
	conn     *sql.Conn
	otp, job *sql.Stmt
}

func (w *bareWriter) open(ctx context.Context, dir string) (err error) {
	if w.db, err = sql.Open("sqlite", "file:"+filepath.Join(dir, "bare.db")+
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=wal_autocheckpoint(16000)&_pragma=cache_size(-16384)"); err != nil {
		return err
	}
	w.db.SetMaxOpenConns(1)
	if _, err = w.db.ExecContext(ctx, bareSchema); err != nil {
		return err
	}
	if w.conn, err = w.db.Conn(ctx); err != nil {
		return err
	}
	if w.otp, err = w.conn.PrepareContext(ctx, "INSERT INTO otps VALUES (1, ?, ?, 1, 0, ?, ?, ?)"); err != nil {
		return err
	}
	w.job, err = w.conn.PrepareContext(ctx, "INSERT INTO deliveries VALUES (1, ?, 1, 1, ?, ?)")
	return err
}

// close closes what is open, the last first. The file is thrown away.
func (w *bareWriter) close() {
	if w.job != nil {
		_ = w.job.Close()
	}
	if w.otp != nil {
		_ = w.otp.Close()
	}
	if w.conn != nil {
		_ = w.conn.Close()
	}
	if w.db != nil {
		_ = w.db.Close()
	}
}

// What each send writes beside its id and the time, as large as a real one's.
const (
	bareDigest = 32
	bareSealed = 38
	barePlan   = `{"p":[{"c":"SMS","t":["ACME code ",0,", valid 3 min."],"s":"VERIFY","l":"en","e":180000000000,"w":60000000000}]}`
)

// write writes n sends in one commit.
func (w *bareWriter) write(ctx context.Context, n int) error {
	if _, err := w.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	digest, sealed := make([]byte, bareDigest), make([]byte, bareSealed)
	for range n {
		id := randomID()
		now := time.Now().UnixMicro()
		if _, err := w.otp.ExecContext(ctx, id, "+4915112345678", now, digest, barePlan); err != nil {
			return err
		}
		if _, err := w.job.ExecContext(ctx, id, now, sealed); err != nil {
			return err
		}
	}
	_, err := w.conn.ExecContext(ctx, "COMMIT")
	return err
}
