package client_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/countersign/countersign/client"
)

func TestNumbersAndCodesStayHiddenHoweverTheyArePrinted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		value any
		want  string
	}{
		{client.Message{To: "+4915112345678", Code: "998877", Profile: "login"}, "Profile:login"},
		{&client.Message{To: "15112345", Code: "998877", Profile: "login"}, "Profile:login"},
		{client.OTP{ID: "o1", To: "+4915112345678"}, "ID:o1 To:+49…78"},
		{client.Filter{To: "+4915112345678", Status: client.Verified}, "{To:+49…78 Status:VERIFIED}"},
		{client.Filter{}, "{To: Status:}"},
		{[]client.OTP{{To: "+4915112345678"}}, "+49…78"},
		{struct{ M client.Message }{client.Message{To: "+4915112345678", Code: "998877"}}, "+49…78"},
	} {
		texts := []string{fmt.Sprint(c.value), fmt.Sprintf("%+v", c.value), fmt.Sprintf("%#v", c.value), fmt.Sprintf("%s", c.value), fmt.Sprintf("%q", c.value)}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("sent", slog.Any("value", c.value))
		for _, text := range append(texts, log.String()) {
			if strings.Contains(text, "15112345") || strings.Contains(text, "998877") {
				t.Errorf("%s shows a number or a code", text)
			}
			if !strings.Contains(text, c.want) {
				t.Errorf("%s does not show %s", text, c.want)
			}
		}
	}
}

func TestTheJSONOfAnOTPIsWhole(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(client.OTP{To: "+4915112345678"})
	if err != nil || !strings.Contains(string(text), `"to":"+4915112345678"`) {
		t.Errorf("%s, %v; want the number in it", text, err)
	}
}
