package postgres

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/store/registry"
)

// uses events_pkey.
const selectHistory = `SELECT seq, at FROM events WHERE account_id = $1 AND otp = $2 ORDER BY seq DESC LIMIT 1`

const insertEvent = `INSERT INTO events (account_id, otp, seq, at, kind, delivery, channel, carrier, failure_area, failure_code, failure_text, label)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`

// recordEvent writes the next event of an OTP that is locked and, where
// configurations of the account want it, the callbacks that push it, all in
// this transaction (D-02).
func (t *tx) recordEvent(row *otpRow, e otp.Event) error {
	if row.history == nil {
		last, _, err := registry.First(t.query, scanTwo, selectHistory, row.accountID, row.seq)
		if err != nil {
			return fmt.Errorf("read last event: %w", err)
		}
		row.history = &history{seq: int(last[0]), at: column.FromMicros(last[1])}
	}
	e.Seq = row.history.seq + 1
	e.At = otp.NextEventTime(t.now, row.history.at)
	*row.history = history{e.Seq, e.At}
	label, err := t.count(row, e)
	if err != nil {
		return err
	}
	var area, code, text any
	if e.Failure != nil {
		area, code, text = e.Failure.Area, e.Failure.Code, e.Failure.Text
	}
	t.put(insertEvent, row.accountID, row.seq, e.Seq, column.Micros(e.At), int16(e.Kind), e.Delivery,
		column.OptionalText(e.Channel), column.OptionalText(e.Carrier), area, code, text, column.OptionalText(label))
	if !e.Kind.OfDelivery() || row.ProfileID == "" {
		return nil
	}
	return t.queueCallbacks(row, e)
}

// configsOf names whose configurations want an event.
type configsOf struct {
	account int64
	profile string
}

// A configuration that is just being deleted is waited for: nothing is queued
// for one that is gone. uses callback_configs_profile_idx, once for those of no
// profile and once for the event's: those of other profiles are not read.
const selectConfigs = `SELECT k.id FROM (VALUES (''), ($2)) AS p (profile_id)
	CROSS JOIN LATERAL (SELECT c.id, c.seq FROM callback_configs c
		WHERE c.account_id = $1 AND c.profile_id = p.profile_id ORDER BY c.seq FOR KEY SHARE) k
	ORDER BY k.seq`

const insertCallback = `INSERT INTO callbacks (id, account_id, config_id, otp, event_seq, due_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`

// queueCallbacks matches the event with the account's configurations as they
// are now (callback events §2).
func (t *tx) queueCallbacks(row *otpRow, e otp.Event) error {
	of := configsOf{row.accountID, row.ProfileID}
	configs, known := t.configs[of]
	if !known {
		var err error
		if configs, err = registry.Collect(t.query, registry.ScanText, selectConfigs, of.account, of.profile); err != nil {
			return fmt.Errorf("match callback configurations: %w", err)
		}
		if t.configs == nil {
			t.configs = map[configsOf][]string{}
		}
		t.configs[of] = configs
	}
	for _, config := range configs {
		id := uuid.New()
		t.put(insertCallback, id[:], row.accountID, config, row.seq, e.Seq, column.Micros(t.now), column.Micros(t.now))
	}
	return nil
}
