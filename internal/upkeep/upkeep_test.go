package upkeep_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign/countersign/internal/upkeep"
)

func TestWhatIsKeptFollowsFromTheOperatorsRetention(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for otps, want := range map[time.Duration]upkeep.Retention{
		time.Hour:      {OTPs: time.Hour, Callbacks: time.Hour, Tallies: 48 * time.Hour},
		7*day - 1:      {OTPs: 7*day - 1, Callbacks: 7*day - 1, Tallies: 48 * time.Hour},
		7 * day:        {OTPs: 7 * day, Callbacks: 7 * day, Tallies: 48 * time.Hour},
		30 * day:       {OTPs: 30 * day, Callbacks: 7 * day, Tallies: 48 * time.Hour},
		10 * 365 * day: {OTPs: 10 * 365 * day, Callbacks: 7 * day, Tallies: 48 * time.Hour},
	} {
		if got := upkeep.Keep(otps); got != want {
			t.Errorf("Keep(%v) = %+v, want %+v", otps, got, want)
		}
	}
}

// swept notes when what was called.
type swept struct {
	start           time.Time
	expired, purged []time.Duration
	keep            upkeep.Retention
	takes           time.Duration // a purge
	err             error
}

func (s *swept) ExpireOTPs(context.Context) (int, error) {
	s.expired = append(s.expired, time.Since(s.start))
	return 0, s.err
}

func (s *swept) Purge(_ context.Context, keep upkeep.Retention) (int, error) {
	s.purged, s.keep = append(s.purged, time.Since(s.start)), keep
	time.Sleep(s.takes)
	return 0, s.err
}

func TestSweepsAreNeverFarApart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		otps          time.Duration
		first, second time.Duration // when it purges after the start
		takes         time.Duration
		err           error
	}{
		{"a short retention", time.Minute, 10 * time.Second, 20 * time.Second, 0, nil},
		{"a retention of an hour", time.Hour, 3 * time.Minute, 6 * time.Minute, 0, nil},
		{"a long retention", 30 * 24 * time.Hour, 10 * time.Minute, 20 * time.Minute, 0, nil},
		{"much to remove", 30 * 24 * time.Hour, 19 * time.Minute, 29 * time.Minute, 9 * time.Minute, nil},
		{"no database", 30 * 24 * time.Hour, 10 * time.Minute, 20 * time.Minute, 0, errors.New("no database")},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &swept{start: time.Now(), takes: c.takes, err: c.err}
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan struct{})
			keep := upkeep.Keep(c.otps)
			go func() {
				upkeep.Sweep(ctx, s, keep, slog.New(slog.DiscardHandler))
				close(ended)
			}()
			time.Sleep(c.second + time.Second)
			stop()
			<-ended
			last := time.Duration(0)
			for _, at := range s.expired {
				if gap := at - last; gap > time.Minute { // C-05
					t.Errorf("%s: no OTP ended between %v and %v, want at most a minute", c.name, last, at)
				}
				last = at
			}
			if len(s.expired) == 0 || s.expired[0] != 5*time.Second {
				t.Errorf("%s: OTPs were first ended at %v, want after 5 s", c.name, s.expired)
			}
			if len(s.purged) != 3 || s.purged[0] != 0 || s.purged[1] != c.first || s.purged[2] != c.second || s.keep != keep {
				t.Errorf("%s: purged at %v by %+v; want at 0s, %v and %v", c.name, s.purged, s.keep, c.first, c.second)
			}
		})
	}
}
