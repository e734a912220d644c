package tyntecv1

import (
	"strconv"
	"time"

	"github.com/countersign/countersign/internal/message"
)

// Text is what a text of an application says whose codes live that long, the
// code left open (contract v1 §2.8).
func Text(text string, life time.Duration) message.Template {
	return message.Parse(text, []message.Placeholder{
		{Token: codePlaceholder, Code: true},
		{Token: secondsPlaceholder, Value: strconv.FormatInt(int64(life/time.Second), 10)},
	})
}
