package endtoend_test

import (
	"encoding/json"
	"io"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/carrier/npmtest"
)

const npmPackage = "smpp@0.5.1"

// smsc is a process with a message centre made of npm's smpp.
type smsc struct {
	t    *testing.T
	port int

	mu      sync.Mutex // guards what follows
	in      io.Writer
	next    int
	waiting map[int]chan []byte
}

func startSMSC(t *testing.T) *smsc {
	t.Helper()
	node := npmtest.Start(t, npmtest.Modules(t, npmPackage), "../smpp/testdata/smsc.cjs")
	var hello struct{ Port int }
	node.Hear(t, &hello)
	s := &smsc{t: t, port: hello.Port, in: node.In, waiting: map[int]chan []byte{}}
	go s.read(node.Lines)
	return s
}

func (s *smsc) read(lines <-chan []byte) {
	for line := range lines {
		var head struct {
			ID int `json:"id"`
		}
		if err := json.Unmarshal(line, &head); err != nil {
			continue
		}
		s.mu.Lock()
		c := s.waiting[head.ID]
		delete(s.waiting, head.ID)
		s.mu.Unlock()
		if c != nil {
			c <- line
		}
	}
}

func (s *smsc) await(c <-chan []byte, result any) {
	s.t.Helper()
	select {
	case line := <-c:
		if err := json.Unmarshal(line, result); err != nil {
			s.t.Fatalf("%s: %v", line, err)
		}
	case <-time.After(patience):
		s.t.Fatal("the message centre does not answer")
	}
}

// do runs a command for a customer.
func (s *smsc) do(customer, command string, more map[string]any, result any) {
	s.t.Helper()
	line := map[string]any{"customer": customer, "command": command}
	maps.Copy(line, more)
	c := make(chan []byte, 1)
	s.mu.Lock()
	s.next++
	line["id"], s.waiting[s.next] = s.next, c
	b, err := json.Marshal(line)
	if err == nil {
		_, err = s.in.Write(append(b, '\n'))
	}
	s.mu.Unlock()
	if err != nil {
		s.t.Fatal(err)
	}
	s.await(c, result)
}

// auto lets every message that is taken from now on have a receipt at once.
func (s *smsc) auto(customer string) {
	s.t.Helper()
	s.do(customer, "auto", map[string]any{"stat": "DELIVRD"}, &struct{}{})
}

// script sets what becomes of the next submits.
func (s *smsc) script(customer string, answers ...any) {
	s.t.Helper()
	s.do(customer, "script", map[string]any{"answers": answers}, &struct{}{})
}

// drop cuts every bind of a customer.
func (s *smsc) drop(customer string) {
	s.t.Helper()
	s.do(customer, "drop", nil, &struct{}{})
}

// bound waits until the customer has so many binds.
func (s *smsc) bound(customer string, n int) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		var r struct{ Count int }
		if s.do(customer, "bound", nil, &r); r.Count == n {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s has %d binds; want %d", customer, r.Count, n)
		}
	}
}

// submit is one that the message centre read.
type submit struct {
	ID   string // "" if it was not taken
	Text string
	Dest []any
}

func (s *smsc) submits(customer string) []submit {
	s.t.Helper()
	var r struct{ Submits []submit }
	s.do(customer, "submits", nil, &r)
	return r.Submits
}

// report sends a receipt over a bind of the customer, as soon as there is one.
func (s *smsc) report(customer, id, stat string) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		var r struct{ Status int }
		if s.do(customer, "receipt", map[string]any{"message": id, "stat": stat}, &r); r.Status == 0 {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the receipt was answered with %d", r.Status)
		}
	}
}
