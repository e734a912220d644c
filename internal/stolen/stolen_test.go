//go:build unix

package stolen_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign/countersign/internal/stolen"
)

// frozenEnv makes this binary the process that the test stops.
const frozenEnv = "COUNTERSIGN_STOLEN_FROZEN"

func TestWhatAStopTookIsCountedAndNotMoreThanHasPassed(t *testing.T) {
	t.Parallel()
	if os.Getenv(frozenEnv) != "" {
		frozen(t)
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), frozenEnv+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if lines.Text() == "counting" {
			break
		}
	}
	const stop = 500 * time.Millisecond
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	time.Sleep(stop)
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	_ = in.Close()
	var taken, passed time.Duration
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "taken ") {
			if _, err := fmt.Sscanf(lines.Text(), "taken %d of %d", &taken, &passed); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if taken < stop*9/10 || taken >= passed {
		t.Errorf("of %v a stop of %v took %v", passed, stop, taken)
	}
}

// frozen counts until its standard input ends, and is stopped meanwhile.
func frozen(t *testing.T) {
	t.Helper()
	begun := time.Now()
	w := stolen.Start(t)
	time.Sleep(500 * time.Millisecond) // until all watches have begun
	fmt.Println("counting")
	_, _ = bufio.NewReader(os.Stdin).ReadByte()
	time.Sleep(500 * time.Millisecond) // until all have noticed
	fmt.Printf("taken %d of %d\n", w.Total(), time.Since(begun))
}

func TestASpanExceedsALimitOfWhichTheMachineTookNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		span := stolen.Start(t).Begin()
		time.Sleep(time.Second)
		if !span.Exceeds(999 * time.Millisecond) {
			t.Error("a second does not exceed 999 ms")
		}
		if span.Exceeds(time.Second) {
			t.Error("a second exceeds a second")
		}
	})
}

func TestOnlyQuestionsThatBeginWithinTheLimitMayGetANo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		last := stolen.Within(t, time.Second, "the third answer", func() bool {
			time.Sleep(900 * time.Millisecond) // the second begins in time and ends late
			asked++
			return asked == 3
		})
		if asked != 3 || last != 910*time.Millisecond {
			t.Errorf("asked %d times, the last no to a question after %v; want 3 and 910ms", asked, last)
		}
	})
}
