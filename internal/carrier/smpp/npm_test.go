package smpp_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/carrier/carriertest"
	"github.com/countersign/countersign/internal/carrier/npmtest"
	"github.com/countersign/countersign/internal/carrier/smpp"
	"github.com/countersign/countersign/internal/carrier/smpp/pdu"
	"github.com/countersign/countersign/internal/delivery"
)

const npmPackage = "smpp@0.5.1"

// npm is a process with a message centre of another author.
type npm struct {
	port int

	mu      sync.Mutex // guards what follows
	in      io.Writer
	next    int
	waiting map[int]chan []byte
}

func startNPM(t testing.TB, args ...string) *npm {
	t.Helper()
	node := npmtest.Start(t, npmtest.Modules(t, npmPackage), "testdata/smsc.cjs", args...)
	var hello struct{ Port int }
	node.Hear(t, &hello)
	n := &npm{port: hello.Port, in: node.In, waiting: map[int]chan []byte{}}
	go n.read(node.Lines)
	return n
}

func (n *npm) read(lines <-chan []byte) {
	for line := range lines {
		var head struct {
			ID int `json:"id"`
		}
		if err := json.Unmarshal(line, &head); err != nil {
			continue
		}
		n.mu.Lock()
		c := n.waiting[head.ID]
		delete(n.waiting, head.ID)
		n.mu.Unlock()
		if c != nil {
			c <- line
		}
	}
}

// do runs a command for a customer.
func (n *npm) do(t testing.TB, customer, command string, more map[string]any, result any) {
	t.Helper()
	line := map[string]any{"customer": customer, "command": command}
	maps.Copy(line, more)
	c := make(chan []byte, 1)
	n.mu.Lock()
	n.next++
	id := n.next
	line["id"] = id
	n.waiting[id] = c
	b, err := json.Marshal(line)
	if err == nil {
		_, err = n.in.Write(append(b, '\n'))
	}
	n.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	select {
	case line := <-c:
		if result != nil {
			if err := json.Unmarshal(line, result); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		}
	case <-time.After(patience):
		t.Fatalf("the message centre of npm does not answer %s", command)
	}
}

// seen is a submit as npm's smpp decoded it.
type seen struct {
	Source, Dest []any
	ESM          int
	Coding       int
	Registered   int
	Validity     int
	Text         string
	UDH          []string
	Payload      string
	Reference    int
	SAR          []int
}

func (n *npm) submits(t testing.TB, customer string) []seen {
	t.Helper()
	var r struct{ Submits []seen }
	n.do(t, customer, "submits", nil, &r)
	return r.Submits
}

func (n *npm) report(t testing.TB, customer, id, stat string, byTLV bool) pdu.Status {
	t.Helper()
	var r struct{ Status int }
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) { // the bind may be under way
		if n.do(t, customer, "receipt", map[string]any{"message": id, "stat": stat, "byTLV": byTLV}, &r); r.Status >= 0 {
			return pdu.Status(r.Status)
		}
	}
	t.Fatal("nobody bound")
	return 0
}

func (n *npm) script(t testing.TB, customer string, answers ...any) {
	t.Helper()
	n.do(t, customer, "script", map[string]any{"answers": answers}, nil)
}

// carrier starts a carrier at npm's message centre.
func (n *npm) carrier(t testing.TB, customer string, change func(*smpp.Config)) running {
	t.Helper()
	cfg, d := config(), newDesk()
	cfg.Port, cfg.SystemID = n.port, customer
	if change != nil {
		change(&cfg)
	}
	c, err := smpp.New(cfg, smpp.Deps{Receive: d.receive, Log: discard(), Now: time.Now, Observer: d})
	if err != nil {
		t.Fatal(err)
	}
	r := running{Carrier: c, desk: d, stop: run(t, c)}
	decided(t, c)
	return r
}

func TestSMPPIsACarrierAtTheMessageCentreOfNPM(t *testing.T) {
	t.Parallel()
	n := startNPM(t)
	var mu sync.Mutex
	customers := 0
	carriertest.Run(t, func(t testing.TB, d carriertest.Deps) carriertest.Rig {
		mu.Lock()
		customers++
		name := fmt.Sprint("case", customers)
		mu.Unlock()
		return n.rig(t, name, d)
	})
}

func (n *npm) rig(t testing.TB, name string, d carriertest.Deps) carriertest.Rig {
	t.Helper()
	cfg := config()
	cfg.Port, cfg.SystemID = n.port, name
	c, err := smpp.New(cfg, smpp.Deps{Receive: d.Receive, Log: d.Log, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	stop := run(t, c)
	decided(t, c)
	return carriertest.Rig{
		Carrier: c,
		Stop:    stop,
		Script: func(answers ...carriertest.Answer) {
			var script []any
			for _, a := range answers {
				script = append(script, map[carriertest.Answer]any{
					carriertest.Accept: 0, carriertest.Refuse: pdu.InvalidDest, carriertest.Misfit: pdu.InvalidSource,
					carriertest.Throttle: pdu.Throttled, carriertest.Broken: pdu.SystemError, carriertest.Silence: "silence",
				}[a])
			}
			n.script(t, name, script...)
		},
		References: func() (refs []string) {
			for _, s := range n.submits(t, name) {
				refs = append(refs, strconv.Itoa(s.Reference))
			}
			return refs
		},
		Receipt: func(t testing.TB, ref string, news carriertest.News) carriertest.Verdict {
			t.Helper()
			return verdict(n.report(t, name, ref, statOf(news), false))
		},
		Restart: func(t testing.TB, d carriertest.Deps) carriertest.Rig {
			t.Helper()
			n.do(t, name, "drop", nil, nil)
			stop()
			for r := (struct{ Count int }{Count: 1}); r.Count > 0; { // one may have been bound meanwhile
				n.do(t, name, "bound", nil, &r)
			}
			return n.rig(t, name, d)
		},
		Lacks: map[string]string{
			"Forge":   "receipts come over the bind, which the password opened",
			"Intrude": "receipts come over the bind and have no URL",
			"Rotate":  "receipts are not signed",
		},
	}
}

func TestNPMReadsWhatWeWrite(t *testing.T) {
	t.Parallel()
	n := startNPM(t)
	whole := strings.ReplaceAll(long, "{code}", "80427519")
	for mode, check := range map[string]func(t *testing.T, all []seen){
		"udh": func(t *testing.T, all []seen) {
			if len(all) != 2 || len(all[0].UDH) != 1 || !strings.HasSuffix(all[0].UDH[0], "0201") || !strings.HasSuffix(all[1].UDH[0], "0202") || all[0].ESM != 0x40 {
				t.Errorf("udh: %+v; want parts 1 and 2 of 2", all)
			}
		},
		"udh16": func(t *testing.T, all []seen) {
			if len(all) != 2 || len(all[0].UDH) != 1 || !strings.HasPrefix(all[0].UDH[0], "0804") || !strings.HasSuffix(all[1].UDH[0], "0202") {
				t.Errorf("udh16: %+v; want parts 1 and 2 of 2", all)
			}
		},
		"sar": func(t *testing.T, all []seen) {
			if len(all) != 2 || fmt.Sprint(all[0].SAR[1:], all[1].SAR[1:]) != "[2 1] [2 2]" || all[0].SAR[0] != all[1].SAR[0] {
				t.Errorf("sar: %+v; want parts 1 and 2 of 2", all)
			}
		},
		"payload": func(t *testing.T, all []seen) {
			if len(all) != 1 || all[0].Payload != whole {
				t.Errorf("payload: %+v; want one message", all)
			}
		},
	} {
		r := n.carrier(t, mode, func(c *smpp.Config) { c.Long = mode })
		got := r.submit(t, text(t, long))
		if got.Class != delivery.Accepted {
			t.Fatalf("%s: Submit = %+v; want Accepted", mode, got)
		}
		all := n.submits(t, mode)
		check(t, all)
		var joined strings.Builder
		for _, s := range all {
			joined.WriteString(s.Text + s.Payload)
			if fmt.Sprint(s.Source, s.Dest) != "[5 0 Acme] [1 1 491712345678]" || s.Registered != 1 || s.Validity < 290 || s.Validity > 301 {
				t.Errorf("%s: %+v; want from Acme, with receipt, valid five minutes", mode, s)
			}
		}
		if joined.String() != whole {
			t.Errorf("%s: text %q; want %q", mode, joined.String(), whole)
		}
	}
	for words, coding := range map[string]int{"äöüß@€ [{code}]": 0, "код {code} 😀": 8} {
		customer := fmt.Sprint("coding", coding)
		r := n.carrier(t, customer, nil)
		r.submit(t, text(t, words))
		got, want := n.submits(t, customer)[0], strings.ReplaceAll(words, "{code}", "80427519")
		if got.Text != want || got.Coding != coding {
			t.Errorf("text %q, data_coding %d; want %q, %d", got.Text, got.Coding, want, coding)
		}
	}
}

func TestReceiptsOfNPMAreReadLateTwiceAndByParameters(t *testing.T) {
	t.Parallel()
	n := startNPM(t)
	for _, mode := range []string{"transceiver", "pair"} {
		r := n.carrier(t, mode, func(c *smpp.Config) { c.Mode = mode })
		for i, byTLV := range []bool{false, true} {
			got := r.submit(t, text(t, "{code}"))
			if got.Class != delivery.Accepted {
				t.Fatalf("%s: Submit = %+v; want Accepted", mode, got)
			}
			n.report(t, mode, got.Ref, "ENROUTE", byTLV)
			for range 2 {
				if status := n.report(t, mode, got.Ref, "DELIVRD", byTLV); status != pdu.OK {
					t.Errorf("%s: answered with %v; want 0x00", mode, status)
				}
			}
			all := r.desk.received()
			if len(all) != 2*(i+1) || all[2*i].Ref != got.Ref || all[2*i].State != delivery.ReceiptDelivered || all[2*i] != all[2*i+1] {
				t.Errorf("%s: receipts = %+v; want %q delivered, twice", mode, all, got.Ref)
			}
		}
	}
}

func TestALinkThatNPMDropsMidFlightIsBoundAnewAndNothingRepeated(t *testing.T) {
	t.Parallel()
	n := startNPM(t)
	r := n.carrier(t, "dropped", nil)
	if got := r.submit(t, text(t, "{code}")); got.Class != delivery.Accepted {
		t.Fatalf("Submit = %+v; want Accepted", got)
	}
	n.script(t, "dropped", "silence", "silence", "drop")
	results := make(chan delivery.Result, 3)
	for range 3 {
		go func() { results <- r.submit(t, text(t, "{code}")) }()
	}
	for range 3 {
		if got := <-results; got.Class != delivery.Uncertain {
			t.Errorf("Submit = %+v; want Uncertain", got)
		}
	}
	for deadline := time.Now().Add(patience); r.desk.bound() < 2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the link was not bound anew")
		}
	}
	if got := r.submit(t, text(t, "{code}")); got.Class != delivery.Accepted {
		t.Errorf("Submit on the new bind = %+v; want Accepted", got)
	}
	if all := n.submits(t, "dropped"); len(all) != 5 {
		t.Errorf("%d submits were read; want 5, none of them twice", len(all))
	}
}

func TestAWrongPasswordIsTheOperators(t *testing.T) {
	t.Parallel()
	n := startNPM(t)
	r := n.carrier(t, "stranger", func(c *smpp.Config) { c.Password = smpp.NewPassword("wrong") })
	if got := r.submit(t, text(t, "{code}")); got.Class != delivery.Config || got.Failure.Code != "0x0e" {
		t.Errorf("Submit = %+v; want Config 0x0e", got)
	}
	if err := r.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "RINVPASWD") {
		t.Errorf("Check = %v; want RINVPASWD", err)
	}
}

func TestNPMIsSpokenToOverTLS(t *testing.T) {
	t.Parallel()
	certFile, keyFile, _ := certified(t)
	n := startNPM(t, keyFile, certFile)
	r := n.carrier(t, "tls", func(c *smpp.Config) { c.TLS, c.CAFile = true, certFile })
	if got := r.submit(t, text(t, "{code}")); got.Class != delivery.Accepted {
		t.Errorf("Submit = %+v; want Accepted", got)
	}
}
