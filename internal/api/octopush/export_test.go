package octopush

import (
	"time"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/api/wire"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
)

// Decoded is what a body came to.
type Decoded struct {
	Text   map[string]string // by parameter
	Given  map[string]string // by parameter: absent, unusable or usable
	Policy otp.Policy
	Step   message.Template
}

// DecodeGenerate decodes the body of a generate; false if it is no object.
func DecodeGenerate(body []byte, a account.Account) (Decoded, bool) {
	return decodeFor(generateParameters, body, a)
}

// DecodeValidate decodes the body of a validate; false if it is no object.
func DecodeValidate(body []byte, a account.Account) (Decoded, bool) {
	return decodeFor(validateParameters, body, a)
}

func decodeFor(parameters []parameter, body []byte, a account.Account) (Decoded, bool) {
	object, ok := parseBody(body)
	if !ok {
		return Decoded{}, false
	}
	c := &call{account: a, in: decode(parameters, object, settingsOf(a))}
	d := Decoded{Text: map[string]string{}, Given: map[string]string{}, Policy: policyOf(c)}
	d.Step = compose(c, message.SMS, d.Policy.Length, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	for name, f := range c.in {
		d.Text[name] = f.text
		d.Given[name] = [...]string{absent: "absent", unusable: "unusable", usable: "usable"}[f.given]
	}
	return d, true
}

// Recast casts what a parameter of a generate was decoded to once more.
func Recast(name, text string) (string, bool) {
	for _, p := range generateParameters {
		if p.name == name {
			return p.cast(wire.Value{Kind: wire.String, Text: text})
		}
	}
	return "", false
}

// ReadSettings are the account settings of its own that the facade reads.
func ReadSettings() []string {
	var out []string
	for _, p := range generateParameters {
		if p.setting != "" {
			out = append(out, p.setting)
		}
	}
	return append(out, OperatorSettings()...)
}

// OperatorSettings are the account settings that no parameter has.
func OperatorSettings() []string {
	return []string{settingMaxValidity, settingChooseSender, settingRecipientIP}
}
