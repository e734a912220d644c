package proof_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/pgtest"
)

// A root key that is no sample.
const burstKey = "zl387V7bFfCBAz1D86hSpyAs9ASFyybnwmkpIf9Lr7I="

// command runs a command with the server's settings and returns what it printed.
func (p *process) command(args ...string) ran {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), p.cmd.Path, args...)
	cmd.Env = p.cmd.Env
	out, err := cmd.Output()
	if err != nil {
		p.t.Fatalf("%v: %v", args, err)
	}
	return ran{out: strings.TrimSpace(string(out))}
}

func TestABurstOverPostgreSQLIsCountedExactly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := certificate(t, dir)
	p := serve(t, dir, "COUNTERSIGN_TLS_CERT="+cert, "COUNTERSIGN_TLS_KEY="+key,
		"COUNTERSIGN_DATABASE_URL="+pgtest.Ready(t), "COUNTERSIGN_SECRET_KEY="+burstKey)
	for _, f := range facades(p, limit, true) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			g := &target{facade: f, p: p.as(t), burst: newCorked(t, p)}
			g.rounds(t, 3)
		})
	}
}

func TestManyParallelGuessesOverPostgreSQLAreCountedExactly(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir(), "COUNTERSIGN_DATABASE_URL="+pgtest.Ready(t), "COUNTERSIGN_SECRET_KEY="+burstKey)
	for _, f := range facades(p, limit, false) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			g := &target{facade: f, p: p.as(t), burst: withheld{newWires(t, p, 300)}}
			g.wrongs(t, 300)
			g.rights(t, 200)
		})
	}
}
