package column

// OptionalText is s, or NULL for "".
func OptionalText(s string) any {
	if s == "" {
		return nil
	}
	return s
}
