// See town_test.go.

//go:build !race

package callback_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign/countersign/internal/callback"
)

// soon is when an event has come to a receiver that nothing holds up.
const soon = 10 * time.Millisecond

func TestManyEndpointsThatHangDelayNoOther(t *testing.T) {
	t.Parallel()
	for _, hanging := range []int{1, 70, 120, 380} {
		inTown(t, func(w *town) {
			dead := w.receivers("dead", hanging, hangs)
			good := w.receivers("good", 1, after(time.Millisecond))
			w.events(dead, 12)
			for range 60 {
				time.Sleep(317 * time.Millisecond)
				w.events(good, 1)
				w.prompt(good, soon)
			}
			if n := w.queue.tried(dead); n != hanging {
				t.Errorf("%d of %d hanging endpoints were tried", n, hanging)
			}
		})
	}
}

func TestNewEndpointsAreServedBesideHundredsThatHang(t *testing.T) {
	t.Parallel()
	inTown(t, func(w *town) {
		w.events(w.receivers("dead", 380, hangs), 12)
		for i := range 60 {
			fresh := w.receivers(fmt.Sprint("fresh", i, "-"), 1, after(time.Millisecond))
			w.events(fresh, 1)
			w.prompt(fresh, soon)
			time.Sleep(317 * time.Millisecond)
		}
	})
}

func TestNewEndpointsAreServedWhileOthersBeginToHangOneAfterTheOther(t *testing.T) {
	t.Parallel()
	inTown(t, func(w *town) {
		for i := range 250 { // all of them within a time-out
			w.events(w.receivers(fmt.Sprint("dead", i, "-"), 1, hangs), 12)
			fresh := w.receivers(fmt.Sprint("fresh", i, "-"), 1, after(time.Millisecond))
			w.events(fresh, 1)
			w.prompt(fresh, soon)
			time.Sleep(25 * time.Millisecond)
		}
	})
}

func TestEndpointsThatAnswerWithoutTheirBodyDelayNoOther(t *testing.T) {
	t.Parallel()
	inTown(t, func(w *town) {
		good := w.receivers("good", 1, after(time.Millisecond))
		mute := w.mute("mute", 300)
		w.events(mute, 40)
		for i := range 90 {
			fresh := w.receivers(fmt.Sprint("fresh", i, "-"), 1, after(time.Millisecond))
			w.events(good, 9)
			w.events(fresh, 1)
			w.prompt(append(fresh, good...), soon)
			time.Sleep(317 * time.Millisecond)
		}
		for _, name := range mute {
			if n := w.queue.mostAtATime(name); n > 2 {
				t.Errorf("%s had %d requests at a time, want 2 at most", name, n)
			}
		}
	})
}

func TestHangingRequestsLeaveAnEighthToTheQuick(t *testing.T) {
	t.Parallel()
	inTown(t, func(w *town) {
		began := time.Now()
		dying := w.receivers("dying", 48, func(int) time.Duration {
			if time.Since(began) < 10*time.Second {
				return time.Millisecond
			}
			return time.Hour
		})
		good := w.receivers("good", 1, after(time.Millisecond))
		w.events(append(dying, good...), 20)
		w.prompt(append(dying, good...), time.Second)
		time.Sleep(10 * time.Second)
		w.events(dying, 20)
		time.Sleep(1100 * time.Millisecond) // now they lag
		w.events(w.receivers("dead", 300, hangs), 1)
		for range 25 {
			w.events(good, 2)
			w.prompt(good, soon)
			time.Sleep(290 * time.Millisecond)
		}
		synctest.Wait()
		if n := w.queue.posting(); n != 448 {
			t.Errorf("%d requests hang, want seven eighths of all places", n)
		}
	})
}

func TestManyEndpointsThatAreSlowDelayNoOther(t *testing.T) {
	t.Parallel()
	inTown(t, func(w *town) {
		slow := w.receivers("slow", 70, after(8*time.Second))
		good := w.receivers("good", 3, after(time.Millisecond))
		w.events(slow, 20)
		for range 100 {
			w.events(good, 2)
			w.prompt(good, soon)
			time.Sleep(290 * time.Millisecond)
		}
		for _, name := range slow {
			if n := w.queue.mostAtATime(name); n != 2 {
				t.Errorf("%s had %d requests at a time, want 2", name, n)
			}
		}
	})
}

func TestManyGoodEndpointsThatBeginToHangDelayNoOther(t *testing.T) {
	t.Parallel()
	inTown(t, func(w *town) {
		began := time.Now()
		dying := w.receivers("dying", 70, func(int) time.Duration {
			if time.Since(began) < 10*time.Second {
				return time.Millisecond
			}
			return time.Hour
		})
		good := w.receivers("good", 1, after(time.Millisecond))
		w.events(dying, 20)
		w.events(good, 1)
		w.prompt(append(dying, good...), time.Second)
		time.Sleep(10 * time.Second)
		w.events(dying, 20)
		fresh := w.receivers("fresh", 1, after(time.Millisecond))
		for range 60 {
			w.events(good, 1)
			w.events(fresh, 1)
			w.prompt(append(good, fresh...), soon)
			time.Sleep(490 * time.Millisecond)
		}
	})
}

func TestEndpointsThatHangHaveThreeQuartersOfAllPlacesThenOne(t *testing.T) {
	t.Parallel()
	inTown(t, func(w *town) {
		good := w.receivers("good", 1, after(time.Millisecond))
		w.events(good, 1)
		w.prompt(good, soon)
		dead := w.receivers("dead", 600, hangs)
		w.events(dead, 6)
		for range 10 { // while it is not known yet that they hang
			time.Sleep(290 * time.Millisecond)
			w.events(good, 9)
			w.prompt(good, soon)
		}
		synctest.Wait()
		if n := w.queue.posting(); n != 384 {
			t.Errorf("%d requests to unproven endpoints, want three quarters of all places", n)
		}
		time.Sleep(30 * time.Second) // three time-outs
		if n := w.queue.tried(dead); n != len(dead) {
			t.Errorf("%d of %d hanging endpoints were tried", n, len(dead))
		}
		for i := range 30 {
			synctest.Wait()
			if n := w.queue.posting(); n != 128 {
				t.Errorf("%d requests to hanging endpoints, want a quarter of all places", n)
			}
			fresh := w.receivers(fmt.Sprint("new", i, "-"), 1, after(time.Millisecond))
			w.events(fresh, 1)
			w.prompt(append(fresh, good...), soon)
			time.Sleep(390 * time.Millisecond)
		}
	})
}

func TestAfterARestartTheGoodAreServedBesideTheHanging(t *testing.T) {
	t.Parallel()
	inTown(t, func(w *town) {
		dead := w.receivers("dead", 250, hangs)
		good := w.receivers("good", 100, after(20*time.Millisecond))
		w.events(dead, 12)
		w.events(good, 20)
		w.prompt(good, time.Second)
	})
}

func TestABurstForOneGoodEndpointHasAllItsPlaces(t *testing.T) {
	t.Parallel()
	inTown(t, func(w *town) {
		const events, each = 2000, 50 * time.Millisecond
		good := w.receivers("good", 1, after(each))
		w.events(good, events)
		// Three rounds more than with 8 places from the start.
		w.prompt(good, (events/8+3)*each)
		if n := w.queue.mostAtATime(good[0]); n != 8 {
			t.Errorf("at most %d requests at a time, want 8", n)
		}
	})
}

func TestHundredsOfGoodEndpointsHaveAlmostAllPlaces(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ endpoints, want int }{{60, 384}, {100, 384}, {300, 512}} {
		inTown(t, func(w *town) {
			const events, each = 20, 200 * time.Millisecond
			good := w.receivers("good", c.endpoints, after(each))
			w.events(good, events)
			// Three rounds more than with all those places from the start.
			w.prompt(good, time.Duration(c.endpoints*events/c.want+3)*each)
			if n := w.queue.mostPosting(); n < c.want || n > 512 {
				t.Errorf("%d endpoints had at most %d requests at a time, want %d to 512", c.endpoints, n, c.want)
			}
		})
	}
}

func TestAnEndpointThatIsQuickAgainHasItsPlacesBack(t *testing.T) {
	t.Parallel()
	inTown(t, func(w *town) {
		began := time.Now()
		mended := w.receivers("mended", 1, func(int) time.Duration {
			if time.Since(began) < time.Minute {
				return 9 * time.Second
			}
			return 50 * time.Millisecond
		})
		w.events(mended, 1000)
		time.Sleep(time.Minute)
		if n := w.queue.mostAtATime("mended0"); n != 2 {
			t.Errorf("%d requests at a time while slow, want 2", n)
		}
		w.prompt(mended, 20*time.Second)
		if n := w.queue.mostAtATime("mended0"); n != 8 {
			t.Errorf("%d requests at a time when quick again, want 8", n)
		}
	})
}

func TestAnEndpointIsForgottenAnHourAfterItsLastAttempt(t *testing.T) {
	t.Parallel()
	for idle, want := range map[time.Duration]int{time.Hour: 5, time.Hour + 1: 0} {
		if got := callback.Remembered(5, idle); got != want {
			t.Errorf("%d of 5 endpoints are known after %s, want %d", got, idle, want)
		}
	}
}
