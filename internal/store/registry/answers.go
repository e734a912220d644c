package registry

import (
	"encoding/json"
	"fmt"
	"strings"
)

// AnswerNaming returns what stands in every answer kept for an idempotency key
// that names the recipient, whom Reveal calls name, and in no other: quotes
// inside other members are escaped there.
func AnswerNaming(name string) (string, error) {
	member, err := json.Marshal(struct {
		Recipient string `json:"Recipient"` // as in answer.Answer
	}{name})
	if err != nil {
		return "", fmt.Errorf("name the recipient: %w", err)
	}
	return strings.Trim(string(member), "{}"), nil
}
