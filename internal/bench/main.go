package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// settings are the benchmark's own.
type settings struct {
	binary string
	only   string
	rounds int
	sends  int
	live   int
	work   string
	nodes  bool
	given  bool // work was named
}

func run() error {
	if len(os.Args) > 1 && os.Args[1] == "bare" {
		return serveBare()
	}
	var s settings
	flag.StringVar(&s.binary, "binary", "", "the server to measure; built from this source if empty")
	flag.StringVar(&s.only, "only", "", "comma-separated goals to measure, such as P1,P4; all if empty")
	flag.IntVar(&s.rounds, "rounds", 5, "rounds that the median is taken of")
	flag.IntVar(&s.sends, "n", 20000, "requests of one round")
	flag.IntVar(&s.live, "live", 1_000_000, "live OTPs for P10 and P11")
	flag.StringVar(&s.work, "dir", "", "directory on the disk to measure; a temporary one if empty")
	flag.BoolVar(&s.nodes, "postgres", false, "measure PostgreSQL, with one node and with three, in place of the embedded database")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if s.given = s.work != ""; !s.given {
		dir, err := os.MkdirTemp("", "countersign-bench-")
		if err != nil {
			return fmt.Errorf("make a directory: %w", err)
		}
		defer os.RemoveAll(dir)
		s.work = dir
	}
	if s.binary == "" {
		s.binary = filepath.Join(s.work, "countersign")
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", s.binary, "./cmd/countersign")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build the server: %w\n%s", err, out)
		}
	}
	b := &bench{settings: s}
	defer b.print(os.Stdout) // also what was measured before something failed
	measurements := []measurement{
		{"P12", b.idle},
		{"P1 P4 P6", b.throughput},
		{"P8 P9", b.dispatch},
		{"P10 P11", b.footprint},
		{"P11b", b.growth},
	}
	if s.nodes {
		measurements = []measurement{{"P5 P6 nodes", b.postgres}, {"P9", b.handedOver}}
	}
	for _, m := range measurements {
		if !b.wanted(m.goals) {
			continue
		}
		if err := m.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", m.goals, err)
		}
	}
	return nil
}

// measurement measures some goals.
type measurement struct {
	goals string
	do    func(context.Context) error
}

type bench struct {
	settings
	rows []row
	made int // directories made so far
}

func (b *bench) wanted(goals string) bool {
	if b.only == "" {
		return true
	}
	return slices.ContainsFunc(strings.Split(b.only, ","), func(g string) bool {
		return slices.Contains(strings.Fields(goals), strings.TrimSpace(g))
	})
}

// newDir makes a fresh directory on the measured disk.
func (b *bench) newDir() (string, error) {
	b.made++
	dir := filepath.Join(b.work, fmt.Sprintf("run-%d", b.made))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make a directory: %w", err)
	}
	return dir, nil
}

// row is one figure beside what it is held against.
type row struct {
	goal, what    string
	figure        string
	against       string
	ratio         float64 // 0 for an absolute goal
	must, aim     string
	met, reaching bool
}

func (b *bench) print(w *os.File) {
	fmt.Fprintf(w, "\n%-4s %-44s %-14s %-44s %7s  %-16s %s\n", "goal", "what", "figure", "against, in this run", "ratio", "must / aim", "")
	for _, r := range b.rows {
		ratio := ""
		if r.ratio != 0 {
			ratio = fmt.Sprintf("%.2f ×", r.ratio)
		}
		verdict := "MISSED"
		switch {
		case r.reaching:
			verdict = "aim reached"
		case r.met:
			verdict = "met"
		}
		fmt.Fprintf(w, "%-4s %-44s %-14s %-44s %7s  %-16s %s\n", r.goal, r.what, r.figure, r.against, ratio, r.must+" / "+r.aim, verdict)
	}
}

// atLeast adds a figure that is to be large against a ceiling.
func (b *bench) atLeast(goal, what string, rate, ceiling float64, name string, must, aim float64) {
	ratio := rate / ceiling
	b.rows = append(b.rows, row{
		goal, what, fmt.Sprintf("%.0f/s", rate), fmt.Sprintf("%s %.0f/s", name, ceiling), ratio,
		fmt.Sprintf("%.2g ×", must), fmt.Sprintf("%.2g ×", aim), ratio >= must, ratio >= aim,
	})
}

// atMost adds a duration that is to be small against another.
func (b *bench) atMost(goal, what string, d, other time.Duration, name string, must, aim float64) {
	ratio := float64(d) / float64(other)
	b.rows = append(b.rows, row{
		goal, what, d.Round(10 * time.Microsecond).String(), fmt.Sprintf("%s %s", name, other.Round(10*time.Microsecond)), ratio,
		fmt.Sprintf("%.2g ×", must), fmt.Sprintf("%.2g ×", aim), ratio <= must, ratio <= aim,
	})
}

// within adds a duration with an absolute goal.
func (b *bench) within(goal, what string, d, must, aim time.Duration) { //nolint:unparam // as atMost
	b.rows = append(b.rows, row{
		goal: goal, what: what, figure: d.Round(10 * time.Microsecond).String(), against: "–",
		must: must.String(), aim: aim.String(), met: d <= must, reaching: d <= aim,
	})
}

// small adds a size with an absolute goal.
func (b *bench) small(goal, what string, bytes int64, must, aim int64) {
	b.rows = append(b.rows, row{
		goal: goal, what: what, figure: mib(bytes), against: "–",
		must: mib(must), aim: mib(aim), met: bytes <= must, reaching: bytes <= aim,
	})
}

func mib(n int64) string { return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20)) }

// median returns the middle of values.
func median[T int64 | float64 | time.Duration](values []T) T {
	s := slices.Clone(values)
	slices.Sort(s)
	return s[len(s)/2]
}
