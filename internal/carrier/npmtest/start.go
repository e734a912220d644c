package npmtest

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"testing"
	"time"
)

// patience is how long a line, or the end, of a process may be awaited on a busy
// machine.
const patience = 2 * time.Minute

// Process is a script that reads lines and writes lines.
type Process struct {
	// In is its standard input. It is closed when the test is over.
	In io.Writer
	// Lines is its standard output. It is closed after the last line, and what
	// nobody has taken when the test is over is lost.
	Lines <-chan []byte
}

// Start starts node as Command does. The script has to end when its input does,
// which is after the test; t waits for it, and fails if it does not end. What it
// writes to its standard error is output of t.
func Start(t testing.TB, modules, script string, args ...string) *Process {
	t.Helper()
	cmd := Command(context.WithoutCancel(t.Context()), modules, script, args...)
	cmd.Stderr = t.Output()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start node (install Node.js 20 or later): %v", err)
	}
	lines := make(chan []byte)
	go func() {
		defer close(lines)
		for r := bufio.NewReader(out); ; {
			line, err := r.ReadBytes('\n')
			if len(line) > 0 {
				lines <- line
			}
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = in.Close()
		late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		for range lines { // until its output ends
		}
		_ = cmd.Wait()
		if !late.Stop() {
			t.Errorf("%s did not end with its input", script)
		}
	})
	return &Process{In: in, Lines: lines}
}

// Hear waits for the next line and unmarshals its JSON into what. The test fails
// if there is none within two minutes.
func (p *Process) Hear(t testing.TB, what any) {
	t.Helper()
	select {
	case line, ok := <-p.Lines:
		if !ok {
			t.Fatal("the script ended")
		}
		if err := json.Unmarshal(line, what); err != nil {
			t.Fatalf("the script wrote %q: %v", line, err)
		}
	case <-time.After(patience):
		t.Fatal("the script does not answer")
	}
}
