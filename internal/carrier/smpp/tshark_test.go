package smpp_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/carrier/smpp"
	"github.com/countersign/countersign/internal/carrier/smpp/pdu"
	"github.com/countersign/countersign/internal/delivery"
)

// tap keeps what is written to a connection.
type tap struct {
	net.Conn

	mu     sync.Mutex // guards frames
	frames [][]byte
}

func (c *tap) Write(b []byte) (int, error) {
	c.mu.Lock()
	c.frames = append(c.frames, bytes.Clone(b))
	c.mu.Unlock()
	return c.Conn.Write(b)
}

// capture returns a file that tshark reads: the frames as one TCP stream to
// port 2775, each in a packet of its own (linktype 101, raw IP).
func capture(frames [][]byte) []byte {
	file := binary.LittleEndian.AppendUint32(nil, 0xA1B2C3D4)
	file = append(file, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 101, 0, 0, 0)
	seq := uint32(1)
	for i, f := range frames {
		size := 40 + len(f)
		file = binary.LittleEndian.AppendUint32(file, uint32(i))
		file = append(file, 0, 0, 0, 0)
		file = binary.LittleEndian.AppendUint32(file, uint32(size))
		file = binary.LittleEndian.AppendUint32(file, uint32(size))
		file = append(file, 0x45, 0, byte(size>>8), byte(size), 0, 0, 0x40, 0, 64, 6, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1)
		file = append(file, 0xC0, 0, 0x0A, 0xD7) // 49152 to 2775
		file = binary.BigEndian.AppendUint32(file, seq)
		file = append(file, 0, 0, 0, 1, 0x50, 0x18, 0xFF, 0xFF, 0, 0, 0, 0)
		file = append(file, f...)
		seq += uint32(len(f))
	}
	return file
}

func TestTsharkReadsWhatWeWrite(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Fatalf("tshark is missing (Debian: apt-get install tshark): %v", err)
	}
	var frames [][]byte
	for _, mode := range []string{"udh", "udh16", "sar", "payload"} {
		frames = append(frames, written(t, mode)...)
	}
	file := filepath.Join(t.TempDir(), "smpp.pcap")
	if err := os.WriteFile(file, capture(frames), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	fields := []string{
		"smpp.command_id", "smpp.sm_length", "smpp.source_addr", "smpp.validity_period_r", "smpp.sar_segment_seqnum",
		"smpp.message_payload", "_ws.malformed", "_ws.expert.severity",
	}
	args := []string{"-n", "-r", file, "-d", "tcp.port==2775,smpp", "-o", "tcp.check_checksum:FALSE", "-T", "fields", "-E", "separator=|"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "tshark", args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v\n%s", err, stderr.String())
	}
	var got []string
	for line := range strings.Lines(string(out)) {
		columns := strings.Split(strings.TrimRight(line, "\n"), "|")
		if columns[5] != "" {
			columns[5] = "payload"
		}
		columns[3] = "" // what is left of the code's life, to the second
		got = append(got, strings.Join(columns, "|"))
	}
	var want []string
	for _, mode := range []string{"udh", "udh16", "sar", "payload"} {
		want = append(want, "0x00000009|||||||")
		switch mode {
		case "udh":
			want = append(want, "0x00000004|159|Acme|||||", "0x00000004|22|Acme|||||")
		case "udh16":
			want = append(want, "0x00000004|159|Acme|||||", "0x00000004|24|Acme|||||")
		case "sar":
			want = append(want, "0x00000004|152|Acme||1|||", "0x00000004|17|Acme||2|||")
		case "payload":
			want = append(want, "0x00000004|0|Acme|||payload||")
		}
		want = append(want, "0x00000004|16|Acme|||||", "0x80000005|||||||", "0x80000015|||||||", "0x80000000|||||||", "0x00000006|||||||")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what tshark read (-want +got):\n%s", diff)
	}
}

// written returns what a carrier writes from bind to unbind: a long message, a
// short one in UCS-2, and answers to a receipt, to enquire_link and to nonsense.
func written(t *testing.T, mode string) [][]byte {
	t.Helper()
	s, d := newSMSC(), newDesk()
	cfg := config()
	cfg.Long = mode
	var wire *tap
	c, err := smpp.New(cfg, smpp.Deps{
		Receive: d.receive, Log: discard(), Now: time.Now,
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := s.dial(ctx, network, address)
			wire = &tap{Conn: conn}
			return wire, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := running{Carrier: c, smsc: s, desk: d, stop: run(t, c)}
	decided(t, c)
	for _, words := range []string{long, "{code}"} {
		m := text(t, words)
		if words != long {
			m = text(t, "ж"+"1234567") // eight units
		}
		if got := r.submit(t, m); got.Class != delivery.Accepted {
			t.Fatalf("Submit = %+v; want Accepted", got)
		}
	}
	p := s.peer(t)
	s.report(t, "m1", "DELIVRD")
	p.ask(pdu.EnquireLink, nil)
	p.ask(0x99, nil)
	r.stop()
	wire.mu.Lock()
	defer wire.mu.Unlock()
	return wire.frames
}
