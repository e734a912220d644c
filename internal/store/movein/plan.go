package movein

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/countersign/countersign/internal/delivery"
)

// table is one to move, with the columns that both databases have.
type table struct {
	name    string
	columns []column
	after   []string // tables that its foreign keys refer to
	ordered bool     // the source has row numbers, which give new ones their order
}

type column struct {
	name     string
	kind     string // PostgreSQL's name of the type
	identity bool   // PostgreSQL numbers new rows by it
}

// Tables that are not copied row by row: the schema's own, and those that both
// databases have rows of from the start.
const (
	gooseTable    = "goose_db_version"
	metaTable     = "meta"
	versionsTable = "versions"
	// Of this one a view has what PostgreSQL keeps in a table, and the rest is
	// in the table of OTPs too.
	recipientsTable = "recipients"
)

// What carriers call deliveries, which earlier versions kept as they gave it.
const (
	deliveriesTable = "deliveries"
	refColumn       = "ref"
)

// plan pairs the tables of both schemas. Whatever the source has, the target
// must have; what only the target has stays as it is made.
func plan(ctx context.Context, from *source, to *target) ([]table, error) {
	have, err := from.schema(ctx)
	if err != nil {
		return nil, err
	}
	want, err := to.schema(ctx)
	if err != nil {
		return nil, err
	}
	var tables []table
	for name, s := range have {
		if name == gooseTable || name == metaTable || name == versionsTable || name == recipientsTable {
			continue
		}
		t, ok := want[name]
		if !ok {
			return nil, fmt.Errorf("%w: PostgreSQL has no table %s", ErrSchema, name)
		}
		for _, c := range s.columns {
			if !slices.ContainsFunc(t.columns, func(o column) bool { return o.name == c.name }) {
				return nil, fmt.Errorf("%w: PostgreSQL has no column %s.%s", ErrSchema, name, c.name)
			}
		}
		t.columns = slices.DeleteFunc(t.columns, func(c column) bool {
			return !slices.ContainsFunc(s.columns, func(o column) bool { return o.name == c.name })
		})
		t.ordered = s.ordered
		tables = append(tables, t)
	}
	return inOrder(tables)
}

// inOrder puts every table behind those that it refers to.
func inOrder(tables []table) ([]table, error) {
	slices.SortFunc(tables, func(a, b table) int { return strings.Compare(a.name, b.name) })
	var out []table
	there := map[string]bool{}
	for len(out) < len(tables) {
		before := len(out)
		for _, t := range tables {
			if there[t.name] || slices.ContainsFunc(t.after, func(name string) bool { return name != t.name && !there[name] }) {
				continue
			}
			out, there[t.name] = append(out, t), true
		}
		if len(out) == before {
			return nil, fmt.Errorf("%w: tables refer to each other in a circle", ErrSchema)
		}
	}
	return out, nil
}

// names are the columns', quoted for either database.
func (t table) names() string {
	var b strings.Builder
	for i, c := range t.columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quoted(c.name))
	}
	return b.String()
}

func (t table) plainNames() []string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.name
	}
	return names
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// read reads a row of the source as the target has it.
func (t table) read(row interface{ Scan(dest ...any) error }) ([]any, error) {
	values := make([]any, len(t.columns))
	into := make([]any, len(values))
	for i := range values {
		into[i] = &values[i]
	}
	if err := row.Scan(into...); err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	for i, c := range t.columns {
		v, ok := converted(values[i], c.kind)
		if !ok {
			return nil, fmt.Errorf("%w: column %s holds %T, PostgreSQL wants %s", ErrSchema, c.name, values[i], c.kind)
		}
		if text, ok := v.(string); ok {
			if t.name == deliveriesTable && c.name == refColumn {
				text = delivery.KeptRef(text)
			}
			if !utf8.ValidString(text) || strings.Contains(text, "\x00") {
				return nil, fmt.Errorf("%w: column %s", ErrText, c.name)
			}
			v = text
		}
		values[i] = v
	}
	return values, nil
}

// timeSize is how many bytes a time takes in a list that SQLite holds packed.
const timeSize = 8

// converted is a value of SQLite as PostgreSQL's type has it.
func converted(v any, kind string) (any, bool) {
	if v == nil {
		return nil, true
	}
	switch kind {
	case "int2", "int4", "int8":
		n, ok := v.(int64)
		return n, ok
	case "bool":
		n, ok := v.(int64)
		return n == 1, ok && (n == 0 || n == 1)
	case "text":
		s, ok := v.(string)
		return s, ok
	case "bytea":
		b, ok := v.([]byte)
		if b == nil {
			b = []byte{}
		}
		return b, ok
	case "_int8": // packed times
		b, ok := v.([]byte)
		if !ok || len(b)%timeSize != 0 {
			return nil, false
		}
		list := make([]int64, 0, len(b)/timeSize)
		for ; len(b) > 0; b = b[timeSize:] {
			list = append(list, int64(binary.BigEndian.Uint64(b))) //nolint:gosec // the same bits
		}
		return list, true
	}
	return nil, false
}
