package delivery

// ParseClass returns the class of a refusal by its name: RETRY, PERMANENT or
// CONFIG. Operators and receivers may name no other: what else a submit ends in
// is for its carrier to find out.
func ParseClass(name string) (Class, bool) {
	for _, class := range []Class{Retry, Permanent, Config} {
		if class.String() == name {
			return class, true
		}
	}
	return 0, false
}
