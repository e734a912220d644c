package request

import (
	"strings"

	"github.com/countersign/countersign/internal/delivery"
)

func (s *settled) checkAnswers() error {
	for _, status := range s.SuccessStatus {
		if status < 200 || status > 599 || status/100 == 3 {
			return wrong("success_status", "has %d; use statuses from 200 to 599 that are no redirects", status)
		}
	}
	if s.Answer == formatText {
		s.read = readText
	}
	for _, f := range []struct {
		key, text string
		to        *pointer
	}{
		{"success_pointer", s.SuccessPointer, &s.successAt},
		{"ref_pointer", s.RefPointer, &s.refAt},
		{"error_pointer", s.ErrorPointer, &s.errsAt},
	} {
		p, err := parsePointer(f.text)
		if err != nil {
			return wrong(f.key, "%w", err)
		}
		*f.to = p
	}
	switch {
	case s.successAt != nil && s.SuccessValues == nil:
		return wrong("success_values", "is missing beside success_pointer")
	case s.successAt == nil && s.SuccessValues != nil:
		return wrong("success_pointer", "is missing beside success_values")
	}
	return nil
}

func (s *settled) checkClasses() error {
	for _, list := range []struct {
		key    string
		values []string
		class  delivery.Class
	}{
		{"success_values", s.SuccessValues, delivery.Accepted},
		{"retry_values", s.RetryValues, delivery.Retry},
		{"permanent_values", s.PermanentValues, delivery.Permanent},
		{"config_values", s.ConfigValues, delivery.Config},
	} {
		if list.class == delivery.Accepted && s.ErrorPointer != s.SuccessPointer {
			continue // values of another place
		}
		for _, v := range list.values {
			if s.errsAt == nil {
				return wrong("error_pointer", "is missing beside %s", list.key)
			}
			v = strings.ToLower(v)
			if _, twice := s.classes[v]; twice {
				return wrong(list.key, "has %q, which has a meaning already", v)
			}
			s.classes[v] = list.class
		}
	}
	return nil
}
