package registry

// Row is one row of what a query found.
type Row interface{ Scan(dest ...any) error }

// Ask runs a query and hands each row over: on a pool, in a snapshot, or in a
// transaction. It lets one piece of code read in all three.
type Ask func(each func(Row) error, query string, args ...any) error

// Collect returns all rows of a query, nil if there are none.
func Collect[T any](q Ask, scan func(Row) (T, error), query string, args ...any) ([]T, error) {
	var all []T
	err := q(func(row Row) error {
		one, err := scan(row)
		all = append(all, one)
		return err
	}, query, args...)
	if err != nil {
		return nil, err
	}
	return all, nil
}

// First returns the first row of a query, false if there is none.
func First[T any](q Ask, scan func(Row) (T, error), query string, args ...any) (one T, ok bool, err error) {
	all, err := Collect(q, scan, query, args...)
	if err != nil || len(all) == 0 {
		return one, false, err
	}
	return all[0], true, nil
}

// Exists reports whether a query has a row.
func Exists(q Ask, query string, args ...any) (bool, error) {
	_, ok, err := First(q, func(Row) (struct{}, error) { return struct{}{}, nil }, query, args...)
	return ok, err
}

// ScanInt reads one number.
func ScanInt(row Row) (n int64, err error) {
	err = row.Scan(&n)
	return n, err
}

// ScanText reads one text.
func ScanText(row Row) (text string, err error) {
	err = row.Scan(&text)
	return text, err
}
