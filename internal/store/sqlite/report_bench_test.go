package sqlite_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/report"
	"github.com/countersign/countersign/internal/secret"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/store/sqlite"
	"github.com/countersign/countersign/internal/verify"
)

// BenchmarkLife is a whole life: sent, taken by a carrier, verified.
func BenchmarkLife(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "bench.db"), nil)
	if err := s.CreateAccount(b.Context(), account.Account{Name: "acme"}); err != nil {
		b.Fatal(err)
	}
	plan := delivery.Plan{Steps: []delivery.Step{{
		Channel: message.SMS, Sender: "VERIFY", Language: "en", Life: time.Hour, Wait: time.Minute, Name: "login",
		Text: message.Parse("ACME code #, valid 3 min.", []message.Placeholder{{Token: "#", Code: true}}),
	}}}
	countries := []string{"+49151", "+44740", "+33612", "+39320", "+34612"}
	var next atomic.Int64
	b.ReportAllocs()
	b.SetParallelism(callers / 2)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := next.Add(1)
			n := newOTP(b, uuid.NewString(), time.Hour)
			to, err := phone.Syntax(fmt.Sprintf("%s%07d", countries[i%int64(len(countries))], i))
			if err != nil {
				b.Error(err)
				return
			}
			n.Recipient, n.Plan = to.Recipient(), plan
			if _, err := s.CreateOTP(b.Context(), n); err != nil {
				b.Error(err)
				return
			}
			result := delivery.Result{Class: delivery.Accepted, Ref: n.ID}
			o := delivery.SubmitOutcome{Key: delivery.Key{Account: "acme", OTPID: n.ID, Seq: 1}, Carrier: "c", Result: result}
			o.Tries = []delivery.Try{{Carrier: "c", At: s.Now(), Took: 20 * time.Millisecond, Class: delivery.Accepted, Place: 1, Of: 1}}
			if _, err := s.RecordSubmits(b.Context(), []delivery.SubmitOutcome{o}); err != nil {
				b.Error(err)
				return
			}
			if _, err := s.CountAttempt(b.Context(), guess(n.ID, rightCode)); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// manyOTPs is how many OTPs BenchmarkReports fills a database with.
const manyOTPs = 1_000_000

// BenchmarkReports times what each page of the console asks of a database of a
// million OTPs:
//
//	go test -run '^$' -bench Reports -benchtime 20x ./internal/store/sqlite/
func BenchmarkReports(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "bench.db"), nil)
	if err := s.CreateAccount(b.Context(), account.Account{Name: "acme"}); err != nil {
		b.Fatal(err)
	}
	root, err := secret.NewRoot(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	keys, err := secret.NewKeyring(root)
	if err != nil {
		b.Fatal(err)
	}
	fill(b, s, keys)
	service := report.New(s, keys)
	someone, err := phone.ParseRecipient(filledNumber(manyOTPs / 2))
	if err != nil {
		b.Fatal(err)
	}
	now := s.Now()
	for _, c := range []struct {
		name string
		q    report.Query
	}{
		{"the newest", report.Query{}},
		{"a number", report.Query{RecipientKey: service.RecipientKey("acme", someone)}},
		{"an id", report.Query{ID: filledID(manyOTPs / 3)}},
		{"a reference", report.Query{Reference: "ref 77"}},
		{"a reference that all share", report.Query{Reference: "all"}},
		{"what half of all references begin with", report.Query{Reference: "ref"}},
		{"verified", report.Query{State: otp.Verified}},
		{"active, of which there are none", report.Query{State: otp.Active}},
		{"blocked, the rarest", report.Query{State: otp.TooManyAttempts}},
		{"a channel that none has", report.Query{Channel: message.Viber}},
		{"a carrier that none has", report.Query{Carrier: "nobody"}},
		{"a day two weeks ago", report.Query{From: now.Add(-15 * 24 * time.Hour), To: now.Add(-14 * 24 * time.Hour)}},
		{"a carrier two weeks ago", report.Query{Carrier: "b", To: now.Add(-14 * 24 * time.Hour)}},
	} {
		b.Run("search/"+c.name, func(b *testing.B) {
			c.q.Account = "acme"
			for b.Loop() {
				if _, err := service.Search(b.Context(), c.q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("story", func(b *testing.B) {
		for b.Loop() {
			if _, err := service.Story(b.Context(), "acme", filledID(manyOTPs/4), nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, span := range []report.Span{report.Hourly, report.Daily, report.Weekly} {
		for _, d := range report.Dimensions() {
			b.Run(fmt.Sprintf("numbers/%s by %s", span, d), func(b *testing.B) {
				for b.Loop() {
					if _, err := service.Figures(b.Context(), report.FiguresQuery{Account: "acme", By: d, Span: span}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func filledNumber(i int) string { return fmt.Sprintf("+49151%08d", i/3) }

func filledID(i int) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, i)).String()
}

// fill writes manyOTPs over the last 26 weeks, without the rules: one every
// 15.7 s, of 25 countries, 3 channels, 4 carriers and 12 templates.
func fill(b *testing.B, s *sqlite.Store, keys verify.Keys) {
	b.Helper()
	const batch = 5000
	const span = 26 * 7 * 24 * time.Hour
	plan, err := json.Marshal(delivery.Plan{Steps: []delivery.Step{{
		Channel: message.SMS, Sender: "VERIFY", Language: "en", Wait: time.Minute, Name: "login",
		Text: message.Parse("ACME code #, valid 3 min.", []message.Placeholder{{Token: "#", Code: true}}),
	}}})
	if err != nil {
		b.Fatal(err)
	}
	channels, carriers := []string{"SMS", "VOICE", "WHATSAPP"}, []string{"a", "b", "c", "d"}
	start := s.Now().Add(-span)
	notes := report.NoteTries(start, []delivery.Try{{At: start.Add(time.Millisecond), Took: 40 * time.Millisecond, Class: delivery.Accepted, Place: 1, Of: 1}})
	var totals report.Totals
	for from := 0; from < manyOTPs; from += batch {
		err := s.Write(b.Context(), func(t *sqlite.Tx) error {
			for i := from; i < from+batch; i++ {
				at := start.Add(span / manyOTPs * time.Duration(i))
				to, err := phone.ParseRecipient(filledNumber(i))
				if err != nil {
					return err
				}
				key := verify.RecipientKey(keys, "acme", to)
				reference := any("all")
				if i%2 == 0 {
					reference = fmt.Sprintf("ref %d", i/2)
				}
				state := int(otp.Verified)
				if i%3 == 0 {
					state = int(otp.Expired)
				}
				if i == 10 {
					state = int(otp.TooManyAttempts)
				}
				us := at.UnixMicro()
				if _, err := t.Exec(`INSERT INTO otps (seq, account_id, id, origin, state, allowed, form, code_length, bound, resendable, limited,
					created_at, expires_at, ended_at, life, key_id, digest, recipient, recipient_key, reference, plan, country)
					VALUES (?, 1, ?, 'v4', ?, 3, 0, 6, 0, 0, 1, ?, ?, ?, 180000000, 1, zeroblob(32), ?, ?, ?, ?, 'DE')`,
					i+1, column.EncodeID(filledID(i)), state, us, us+180_000_000, us+60_000_000, filledNumber(i), key[:], reference, string(plan)); err != nil {
					return err
				}
				if _, err := t.Exec(`INSERT INTO deliveries (account_id, otp, seq, state, step, next_step, queued_at, dedupe, carrier, ref, notes)
					VALUES (1, ?, 1, 3, 0, -1, ?, zeroblob(16), ?, ?, ?)`, i+1, us, carriers[i%len(carriers)], filledID(i), notes); err != nil {
					return err
				}
				for n, kind := range []otp.EventKind{otp.EventDispatched, otp.EventDelivered, otp.EventVerified} {
					if _, err := t.Exec(`INSERT INTO events (account_id, otp, seq, at, kind, delivery, channel, carrier) VALUES (1, ?, ?, ?, ?, 1, 'SMS', ?)`,
						i+1, n+1, us+int64(n)*1000, kind, carriers[i%len(carriers)]); err != nil {
						return err
					}
					totals.Add(report.Fact{
						Account: 1, Hour: report.HourOf(at), Country: fmt.Sprintf("C%d", i%25), Channel: channels[i%3],
						Carrier: carriers[i%4], Label: fmt.Sprintf("template %d", i%12), Kind: kind, Took: time.Duration(i%100) * time.Second,
					})
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	rows := 0
	err = s.Write(b.Context(), func(t *sqlite.Tx) error {
		return totals.Each(func(c report.Cell, d *report.Day) error {
			rows++
			_, err := t.Exec(`INSERT INTO figures (account_id, dimension, day, value, counts) VALUES (?, ?, ?, ?, ?)`, c.Account, c.Dimension, c.Day, c.Value, d.Encode())
			return err
		})
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("%d OTPs, %d rows of figures", manyOTPs, rows)
}
