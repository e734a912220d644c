package endtoend_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/freeport"
)

// carrierTOML is a [[carrier]] at the message centre.
func carrierTOML(name string, port int, customer string) string {
	return fmt.Sprintf("[[carrier]]\nname = %q\ntype = \"smpp\"\nhost = \"127.0.0.1\"\nport = %d\nsystem_id = %q\npassword = \"env:SMSC_PASSWORD\"\nsender = \"Acme\"\n\n",
		name, port, customer)
}

var code = regexp.MustCompile(`\d{6}`)

func TestACodeTravelsOverSMPPAndItsReceiptBecomesACallback(t *testing.T) {
	t.Parallel()
	centre := startSMSC(t)
	centre.auto("acme")
	j := travel(t, carrierTOML("direct", centre.port, "acme"))
	otp := j.send("sms")
	j.told(otp, "DISPATCHED", "DELIVERED")
	all := centre.submits("acme")
	if len(all) != 1 || !code.MatchString(all[0].Text) {
		t.Fatalf("the message centre read %+v; want one message with a code", all)
	}
	answer := j.must(200, "POST", "/2fa/v4/otp/"+otp+"/validate", `{"otpCode":"`+code.FindString(all[0].Text)+`"}`)
	if !strings.Contains(answer, "VERIFIED") {
		t.Errorf("the code was answered with %s; want VERIFIED", answer)
	}

	// K-05: a real carrier is configured, so nothing else falls to the sandbox.
	j.told(j.send("voice"), "UNDELIVERABLE")
	j.must(404, "GET", "/sandbox/messages", "")
	if got := j.metric(`countersign_carrier_link`); got != `countersign_carrier_link{carrier="direct",link="1 bind_transceiver"} 1` {
		t.Errorf("links: %s; want one that is up", got)
	}
}

func TestAReceiptThatComesOverAnotherBindReachesItsDelivery(t *testing.T) {
	t.Parallel()
	centre := startSMSC(t)
	j := travel(t, carrierTOML("direct", centre.port, "acme"))
	otp := j.send("sms")
	j.told(otp, "DISPATCHED")
	centre.drop("acme")
	centre.report("acme", centre.submits("acme")[0].ID, "DELIVRD")
	j.told(otp, "DISPATCHED", "DELIVERED")
}

func TestABindThatIsCutMidFlightRepeatsNothingAndTheNextMessageArrives(t *testing.T) {
	t.Parallel()
	centre := startSMSC(t)
	centre.auto("acme")
	centre.script("acme", "drop")
	j := travel(t, carrierTOML("direct", centre.port, "acme"))
	cut := j.send("sms")
	j.told(cut, "DISPATCHED") // nobody knows whether it was taken; the wait decides
	next := j.send("sms")
	j.told(next, "DISPATCHED", "DELIVERED")
	if all := centre.submits("acme"); len(all) != 2 {
		t.Errorf("the message centre read %+v; want each message once", all)
	}
	if got := j.metric(`countersign_deliveries_total{carrier="direct",channel="SMS",result="uncertain"}`); !strings.HasSuffix(got, " 1") {
		t.Errorf("uncertain submits: %q; want 1", got)
	}
}

func TestAThrottledMessageIsSentAgainAndArrives(t *testing.T) {
	t.Parallel()
	centre := startSMSC(t)
	centre.auto("acme")
	centre.script("acme", 0x58, 0x58)
	j := travel(t, carrierTOML("direct", centre.port, "acme"))
	j.told(j.send("sms"), "DISPATCHED", "DELIVERED")
	if all := centre.submits("acme"); len(all) != 3 {
		t.Errorf("the message centre read %d submits; want 3", len(all))
	}
}

func TestTheSecondCarrierOfARouteTakesOverWhileTheFirstIsDown(t *testing.T) {
	t.Parallel()
	centre := startSMSC(t)
	centre.auto("backup")
	nobody := freeport.Get(t)
	j := travel(t, "[wait]\nsms = \"6s\"\n"+carrierTOML("first", nobody, "acme")+carrierTOML("second", centre.port, "backup")+
		"[[route]]\nchannels = [\"SMS\"]\ncarriers = [\"first\", \"second\"]\n")
	j.told(j.send("sms"), "DISPATCHED", "DELIVERED")
	if all := centre.submits("backup"); len(all) != 1 {
		t.Errorf("the second carrier got %d messages; want 1", len(all))
	}
}

func TestACarrierWithAWrongPasswordIsSkippedAtOnceAndTheAlarmIsRaised(t *testing.T) {
	t.Parallel()
	centre := startSMSC(t)
	centre.auto("backup")
	wrong := strings.Replace(carrierTOML("first", centre.port, "acme"), "SMSC_PASSWORD", "WRONG_PASSWORD", 1)
	j := travel(t, wrong+carrierTOML("second", centre.port, "backup")+
		"[[route]]\nchannels = [\"SMS\"]\nprefix = \"+49\"\ncarriers = [\"first\", \"second\"]\n", "WRONG_PASSWORD=wrong")
	for range 3 {
		j.told(j.send("sms"), "DISPATCHED", "DELIVERED")
	}
	if got := j.metric("countersign_carrier_circuit"); got != "countersign_carrier_circuit{carrier=\"first\"} 2\ncountersign_carrier_circuit{carrier=\"second\"} 0" {
		t.Errorf("circuits:\n%s\nwant the first with its operator", got)
	}
	if !strings.Contains(j.log.String(), "a carrier needs the operator") {
		t.Errorf("the log has no alarm:\n%s", j.log)
	}
}

func TestAReloadKeepsBindsThatDidNotChangeAndReplacesOthersWhileMessagesFlow(t *testing.T) {
	t.Parallel()
	centre := startSMSC(t)
	for _, customer := range []string{"kept", "before", "after", "more"} {
		centre.auto(customer)
	}
	const (
		done   = "carriers and routes reloaded"
		failed = "settings not reloaded; the old ones stay"
	)
	kept, changed := carrierTOML("a", centre.port, "kept"), carrierTOML("b", centre.port, "before")
	j := travel(t, kept+changed+"[[route]]\nchannels = [\"SMS\"]\ncarriers = [\"a\"]\n")
	centre.bound("kept", 1)
	centre.bound("before", 1)
	j.told(j.send("sms"), "DISPATCHED", "DELIVERED")

	// Anything wrong changes nothing, and is named with its line.
	j.reload(kept+changed+"[[route]]\nchannels = [\"SMS\"]\ncarriers = [\"c\"]\n", failed)
	j.reload(kept+changed+"pasword = \"x\"\n", failed)
	for _, says := range []string{`countersign.toml:19: route: carriers: there is no carrier`, `countersign.toml:19: carrier`, `unknown key`} {
		if !strings.Contains(strings.ReplaceAll(j.log.String(), `\`, ""), says) {
			t.Errorf("the log does not say %q:\n%s", says, j.log)
		}
	}
	j.told(j.send("sms"), "DISPATCHED", "DELIVERED")

	// Messages flow while one carrier is replaced, one stays and one comes.
	stop, flowing := make(chan struct{}), make(chan []string, 1)
	go func() {
		var sent []string
		defer func() { flowing <- sent }() // also after a send that failed
		for {
			select {
			case <-stop:
				return
			default:
				sent = append(sent, j.send("sms"))
			}
		}
	}()
	j.reload("retention = \"48h\"\n"+kept+strings.Replace(changed, "before", "after", 1)+carrierTOML("c", centre.port, "more")+
		"[[route]]\nchannels = [\"SMS\"]\ncarriers = [{ name = \"b\" }, { name = \"c\" }]\n", done)
	centre.bound("after", 1)
	centre.bound("more", 1)
	centre.bound("before", 0)
	j.told(j.send("sms"), "DISPATCHED", "DELIVERED")
	close(stop)
	for _, otp := range <-flowing {
		j.told(otp, "DISPATCHED", "DELIVERED")
	}
	text := j.log.String()
	for _, says := range []string{"kept=a replaced=b added=c", "changed settings need a restart", "settings=retention"} {
		if !strings.Contains(text, says) {
			t.Errorf("the log does not say %q:\n%s", says, text)
		}
	}
	if n := regexp.MustCompile(`msg=bound at=\S+ carrier=a `).FindAllString(text, -1); len(n) != 1 {
		t.Errorf("the carrier that did not change was bound %d times; want once", len(n))
	}
	if n := len(centre.submits("after")) + len(centre.submits("more")); n == 0 {
		t.Error("nothing went over the new carriers")
	}

	// The first real carrier of a server ends the sandbox, and the last brings it back.
	j.reload("", done)
	centre.bound("kept", 0)
	j.must(200, "GET", "/sandbox/messages", "")
}
