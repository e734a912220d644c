//go:build linux

package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/report"
)

// childLives sends, dispatches and checks as fast as it can, until it is
// killed.
func childLives(path string) error {
	s, err := openChild(path)
	if err != nil {
		return err
	}
	ctx := context.Background()
	_ = s.CreateAccount(ctx, account.Account{Name: "acme"}) // there after the first crash
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for {
				n := newOTP(fatal{}, uuid.NewString(), time.Hour)
				_, err := s.CreateOTP(ctx, n)
				result := delivery.Result{Class: delivery.Accepted, Ref: n.ID}
				if worker%3 == 2 {
					result = delivery.Result{Class: delivery.Permanent, Failure: delivery.Unreachable}
				}
				if err == nil {
					o := delivery.SubmitOutcome{Key: delivery.Key{Account: "acme", OTPID: n.ID, Seq: 1}, Carrier: fmt.Sprint("c", worker%3), Result: result}
					_, err = s.RecordSubmits(ctx, []delivery.SubmitOutcome{o})
				}
				if err == nil {
					_, err = s.CountAttempt(ctx, guess(n.ID, rightCode))
				}
				if err != nil {
					fmt.Println("error", err)
					return
				}
				fmt.Println("lived")
			}
		})
	}
	wg.Wait()
	return nil
}

func TestFiguresAreExactAfterKills(t *testing.T) {
	t.Parallel()
	path := made(t)
	lives := 0
	const kills = 6
	for kill := range kills {
		cmd := child(t, "lives", path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			if strings.HasPrefix(lines.Text(), "error") {
				t.Fatalf("kill %d: %s", kill, lines.Text())
			}
			lives++
			if n == 15+10*kill {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait()
	}
	s := openAt(t, path, time.Now)
	defer s.Close()
	// By carrier and kind, as the events tell; a code counts for the carrier of
	// the only message before it.
	rows, err := s.Reader().QueryContext(t.Context(), `SELECT CASE e.kind WHEN 5 THEN coalesce(d.carrier, '') ELSE coalesce(e.carrier, '') END, e.kind, count(*)
		FROM events e LEFT JOIN events d ON d.account_id = e.account_id AND d.otp = e.otp AND d.kind = 1
		WHERE e.kind IN (1, 2, 3, 5) GROUP BY 1, 2`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	want := map[string]report.Counts{}
	for rows.Next() {
		var carrier string
		var kind, n int64
		if err := rows.Scan(&carrier, &kind, &n); err != nil {
			t.Fatal(err)
		}
		c := want[carrier]
		switch kind {
		case 1:
			c.Sent = n
		case 2:
			c.Delivered = n
		case 3:
			c.Undeliverable = n
		case 5:
			c.Verified = n
		}
		want[carrier] = c
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	figures, err := s.Figures(t.Context(), "acme", report.ByCarrier, 0, 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]report.Counts{}
	for _, row := range figures {
		sum := got[row.Value]
		if err := row.Each(func(_ int64, c *report.Counts) { sum.Add(c) }); err != nil {
			t.Fatal(err)
		}
		sum.Times = report.Histogram{}
		got[row.Value] = sum
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("figures after %d kills (-events +figures):\n%s", kills, diff)
	}
	t.Logf("%d kills, %d lives told of: %+v", kills, lives, got)
	if got["c0"].Verified < kills || got["c2"].Undeliverable < kills {
		t.Error("too little happened before the kills")
	}
}
