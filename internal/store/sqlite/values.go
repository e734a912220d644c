package sqlite

import (
	"database/sql"
	"errors"
	"fmt"
	"reflect"

	engine "zombiezen.com/go/sqlite"
)

// bind sets a statement's argument; the first is 1. It takes what the columns
// hold, and types made of that; times are numbers here (micros).
func bind(s *engine.Stmt, at int, arg any) error {
	switch v := arg.(type) {
	case nil:
		s.BindNull(at)
	case int64:
		s.BindInt64(at, v)
	case int:
		s.BindInt64(at, int64(v))
	case string:
		s.BindText(at, v)
	case []byte:
		if v == nil {
			s.BindNull(at)
		} else {
			s.BindBytes(at, v)
		}
	case bool:
		s.BindBool(at, v)
	default:
		return bindKind(s, at, reflect.ValueOf(arg))
	}
	return nil
}

// bindKind binds values of types that are made of a plain one.
func bindKind(s *engine.Stmt, at int, v reflect.Value) error {
	switch {
	case v.CanInt():
		s.BindInt64(at, v.Int())
	case v.CanUint():
		s.BindInt64(at, int64(v.Uint())) //nolint:gosec // what is stored unsigned is small
	case v.Kind() == reflect.String:
		s.BindText(at, v.String())
	case v.Kind() == reflect.Bool:
		s.BindBool(at, v.Bool())
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8:
		return bind(s, at, v.Bytes())
	default:
		return fmt.Errorf("argument %d is of type %s, which no column holds", at, v.Type())
	}
	return nil
}

// scanRow reads the columns of the row a statement is at.
func scanRow(s *engine.Stmt, dest []any) error {
	if n := s.DataCount(); n != len(dest) {
		return fmt.Errorf("read %d columns of %d", len(dest), n)
	}
	for i, d := range dest {
		if err := scanColumn(s, i, d); err != nil {
			return fmt.Errorf("read column %d: %w", i, err)
		}
	}
	return nil
}

// errNull: a column is NULL and what it is read into cannot tell.
var errNull = errors.New("it is NULL")

func scanColumn(s *engine.Stmt, at int, dest any) error {
	switch d := dest.(type) {
	case *[]byte:
		*d = columnBytes(s, at)
		return nil
	case sql.Scanner:
		return d.Scan(columnValue(s, at)) //nolint:wrapcheck // scanRow says which column
	}
	if s.ColumnIsNull(at) {
		return errNull
	}
	switch d := dest.(type) {
	case *int64:
		*d = s.ColumnInt64(at)
	case *int:
		*d = s.ColumnInt(at)
	case *string:
		*d = s.ColumnText(at)
	case *bool:
		*d = s.ColumnBool(at)
	default:
		return scanKind(s, at, reflect.ValueOf(dest))
	}
	return nil
}

// scanKind reads into types that are made of a plain one.
func scanKind(s *engine.Stmt, at int, dest reflect.Value) error {
	if dest.Kind() != reflect.Pointer || dest.IsNil() {
		return fmt.Errorf("cannot read into a %s", dest.Type())
	}
	switch v := dest.Elem(); {
	case v.CanInt():
		v.SetInt(s.ColumnInt64(at))
	case v.CanUint():
		v.SetUint(uint64(s.ColumnInt64(at))) //nolint:gosec // as bindKind
	case v.Kind() == reflect.String:
		v.SetString(s.ColumnText(at))
	case v.Kind() == reflect.Bool:
		v.SetBool(s.ColumnBool(at))
	default:
		return fmt.Errorf("cannot read into a %s", dest.Type())
	}
	return nil
}

// columnBytes is a column's bytes, nil for NULL.
func columnBytes(s *engine.Stmt, at int) []byte {
	if s.ColumnIsNull(at) {
		return nil
	}
	b := make([]byte, s.ColumnLen(at))
	s.ColumnBytes(at, b)
	return b
}

// columnValue is a column as package database/sql hands it to Scanners.
func columnValue(s *engine.Stmt, at int) any {
	switch s.ColumnType(at) {
	case engine.TypeInteger:
		return s.ColumnInt64(at)
	case engine.TypeText:
		return s.ColumnText(at)
	case engine.TypeBlob:
		return columnBytes(s, at)
	case engine.TypeNull, engine.TypeFloat: // no column is a float
	}
	return nil
}
