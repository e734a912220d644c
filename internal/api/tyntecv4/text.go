package tyntecv4

import (
	"strconv"

	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/message"
)

// MaxCodeLength is how many characters a code can have at most.
const MaxCodeLength = maxCode

// Text is what a template that this server holds says, the code left open
// (contract v4 §9).
func Text(t catalog.Template) message.Template {
	return message.Parse(t.Message, []message.Placeholder{
		{Token: codePlaceholder, Code: true},
		{Token: minutesPlaceholder, Value: strconv.Itoa(t.Minutes)},
	})
}
