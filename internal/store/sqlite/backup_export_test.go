package sqlite

// PartialNames is partialNames.
func PartialNames(path string) string { return partialNames(path) }
