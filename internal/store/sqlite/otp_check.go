package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/verify"
)

// CountAttempt implements verify.Store.
func (s *Store) CountAttempt(ctx context.Context, a verify.Attempt) (verify.Checked, error) {
	accountID, err := s.AccountID(ctx, a.Account)
	if err != nil {
		return verify.Checked{}, err
	}
	var c verify.Checked
	err = s.writeUrgent(ctx, func(t *tx) error {
		c = verify.Checked{}
		if kept, err := t.answer(accountID, a.Idempotency); kept != nil || err != nil {
			if err == nil {
				c = *kept
			}
			return err
		}
		row, err := t.loadOTP(accountID, a.Ref)
		if err != nil {
			return err
		}
		if c, err = t.countAttempt(row, a); err != nil {
			return err
		}
		return t.rememberAnswer(accountID, a.Idempotency, c)
	})
	if err != nil {
		return verify.Checked{}, err
	}
	return c, nil
}

func (t *tx) countAttempt(row *otpRow, a verify.Attempt) (_ verify.Checked, err error) {
	before := row.OTP
	after, verdict := row.Check(t.now, a.Guess)
	if verdict.Compared() && !a.Guess.Judges(before) {
		return verify.Checked{}, verify.ErrKeyUnknown
	}
	if verdict.Compared() && row.limited {
		g, err := t.tally(row.accountID, row.recipientKey)
		if err != nil {
			return verify.Checked{}, err
		}
		if refused := a.Rules.AdmitCheck(g.Tally, t.now); refused != nil {
			return verify.Checked{}, &verify.LimitError{Limit: refused.Limit, RetryAfter: refused.RetryAfter}
		}
		remembered := g.Consecutive > 0 || len(g.Failures) > 0
		if verdict == otp.Right {
			a.Rules.CountSuccess(&g.Tally)
		} else {
			a.Rules.CountFailure(&g.Tally, t.now)
		}
		if verdict != otp.Right || remembered {
			if err := t.saveTally(g); err != nil {
				return verify.Checked{}, err
			}
		}
	}
	row.OTP = after
	switch {
	case after.State != before.State:
		if err = t.saveLife(row); err == nil {
			err = t.endDeliveries(row)
		}
	case after != before:
		err = t.saveAttempts(row)
	}
	if err != nil {
		return verify.Checked{}, err
	}
	if kind, ok := otp.CheckEvent(before, after, verdict); ok {
		if err := t.recordEvent(row, otp.Event{Kind: kind}, t.now); err != nil {
			return verify.Checked{}, err
		}
	}
	return verify.Checked{Record: row.Record, Verdict: verdict}, nil
}

// uses events_pkey.
const selectLastEvent = `SELECT seq, at FROM events WHERE account_id = ? AND otp = ? ORDER BY seq DESC LIMIT 1`

const insertEvent = `INSERT INTO events (account_id, otp, seq, at, kind, delivery, channel, carrier, failure_area, failure_code, failure_text)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

// recordEvent writes the OTP's next event and, where configurations of the
// account want it, the callbacks that push it, all in this transaction (D-02).
func (t *tx) recordEvent(row *otpRow, e otp.Event, now time.Time) error {
	var lastSeq int
	var lastAt int64
	var sent otp.Event
	var err error
	if e.Kind == otp.EventVerified {
		lastSeq, lastAt, sent, err = t.lastAndSent(row)
	} else if err = t.row(selectLastEvent, row.accountID, row.seq).Scan(&lastSeq, &lastAt); errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("read last event: %w", err)
	}
	e.Seq = lastSeq + 1
	e.At = otp.NextEventTime(now, column.FromMicros(lastAt))
	var area, code, text any
	if e.Failure != nil {
		area, code, text = e.Failure.Area, e.Failure.Code, e.Failure.Text
	}
	_, err = t.exec(insertEvent, row.accountID, row.seq, e.Seq, column.Micros(e.At), e.Kind, e.Delivery,
		column.OptionalText(e.Channel), column.OptionalText(e.Carrier), area, code, text)
	if err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	if err := t.count(row, sent, e); err != nil {
		return err
	}
	if !e.Kind.OfDelivery() || row.ProfileID == "" {
		return nil
	}
	return t.queueCallbacks(row, e)
}
