package smpp_test

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/carrier/smpp"
	"github.com/countersign/countersign/internal/carrier/smpp/pdu"
	"github.com/countersign/countersign/internal/delivery"
)

// perl starts a message centre of Net::SMPP and returns what it tells, line by
// line.
func perl(t *testing.T) <-chan map[string]any {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "perl", "-MNet::SMPP", "-MJSON::PP", "-e1").CombinedOutput(); err != nil {
		t.Fatalf("Perl's Net::SMPP is missing (Debian: apt-get install libnet-smpp-perl): %v\n%s", err, out)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "perl", "testdata/smsc.pl")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan map[string]any, 1000)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			var line map[string]any
			if json.Unmarshal(s.Bytes(), &line) == nil {
				lines <- line
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		for range lines { // until it is over
		}
		_ = cmd.Wait()
	})
	return lines
}

// told returns the next line with an event.
func told(t *testing.T, lines <-chan map[string]any, event string) map[string]any {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				t.Fatalf("the message centre ended before %q", event)
			}
			if line["event"] == event {
				return line
			}
			if line["event"] == "unknown" {
				t.Errorf("the message centre did not know %v", line["cmd"])
			}
		case <-deadline:
			t.Fatalf("the message centre told nothing of %q", event)
		}
	}
}

func TestAMessageTravelsThroughPerlsNetSMPP(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"udh", "sar", "payload"} {
		lines := perl(t)
		cfg, d := config(), newDesk()
		cfg.Port, cfg.Long = int(told(t, lines, "listening")["port"].(float64)), mode
		c, err := smpp.New(cfg, smpp.Deps{Receive: d.receive, Log: discard(), Now: time.Now, Observer: d})
		if err != nil {
			t.Fatal(err)
		}
		r := running{Carrier: c, desk: d, stop: run(t, c)}
		decided(t, c)
		refused := text(t, "refuse {code}")
		if got := r.submit(t, refused); got.Class != delivery.Permanent {
			t.Errorf("Submit of what is refused = %+v; want Permanent", got)
		}
		want := map[string]any{
			"event": "submit", "source_addr_ton": "5", "source_addr_npi": "0", "source_addr": "Acme",
			"dest_addr_ton": "1", "dest_addr_npi": "1", "destination_addr": "491712345678", "esm_class": "0",
			"validity_period": "000000000500000R", "registered_delivery": "1", "data_coding": "0",
			"text": hex.EncodeToString([]byte("refuse 80427519")),
		}
		got := told(t, lines, "submit")
		delete(got, "user_message_reference")
		now := pdu.RelativeTime(time.Until(refused.Expires))
		if v, _ := got["validity_period"].(string); v >= now && v < want["validity_period"].(string) { // seconds were over
			got["validity_period"] = want["validity_period"]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("what Net::SMPP read (-want +got):\n%s", diff)
		}
		accepted := r.submit(t, text(t, long))
		if accepted.Class != delivery.Accepted || accepted.Ref != "00000001" {
			t.Fatalf("%s: Submit = %+v; want Accepted as 00000001", mode, accepted)
		}
		parts := 2
		if mode == "payload" {
			parts = 1
		}
		var whole strings.Builder
		for n := range parts {
			got := told(t, lines, "submit")
			octets, _ := hex.DecodeString(got["text"].(string))
			switch mode {
			case "udh":
				if got["esm_class"] != "64" || octets[4] != 2 || int(octets[5]) != n+1 {
					t.Errorf("part %d: %v", n+1, got)
				}
				octets = octets[6:]
			case "sar":
				if got["sar_total_segments"] != "02" || got["sar_segment_seqnum"] != []string{"01", "02"}[n] {
					t.Errorf("part %d: %v", n+1, got)
				}
			case "payload":
				octets, _ = hex.DecodeString(got["message_payload"].(string))
			}
			whole.Write(octets)
		}
		if want := strings.ReplaceAll(long, "{code}", "80427519"); whole.String() != want {
			t.Errorf("%s: Net::SMPP read %q; want %q", mode, whole.String(), want)
		}
		for range parts {
			if got := told(t, lines, "receipt"); got["status"] != 0.0 {
				t.Errorf("%s: the receipt was answered with %v; want 0", mode, got["status"])
			}
		}
		all := d.received()
		if accepted.Receipt != nil { // it was faster than the result
			all = append(all, *accepted.Receipt)
		}
		if len(all) != 1 || all[0].State != delivery.ReceiptDelivered {
			t.Errorf("%s: receipts = %+v; want one, delivered", mode, all)
		}
		told(t, lines, "alive")
		r.stop()
		told(t, lines, "unbound")
	}
}
