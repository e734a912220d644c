package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// input is an array of composite values in the making: what a group's statement
// is told of each of its callers, as one argument. A value's fields are added in
// the order of its type.
type input interface {
	row() // begins the next value
	int2(n int)
	int4(n int)
	int8(n int64)
	bool(b bool)
	bytes(b []byte) // NULL for nil
	string(s string)
	optional(s string) // NULL for ""
	argument() any     // the array; nothing is added to it any more
}

// inputTypes are the composite types of groups as the database numbers them, 0
// where groups are told in text.
type inputTypes struct{ send, check uint32 }

const selectInputTypes = `SELECT 'send_input'::regtype::oid, 'send_input[]'::regtype::oid, 'check_input'::regtype::oid, 'check_input[]'::regtype::oid`

// numberInputs has every connection of a pool ask for the numbers of the types,
// so that arrays of them can go in binary, which PostgreSQL reads several times
// faster than text. A database that was restored in its place numbers them anew.
func (s *Store) numberInputs(c *pgxpool.Config) {
	s.inputs.Store(&inputTypes{})
	if textual(c.ConnConfig.DefaultQueryExecMode) {
		return
	}
	connected := c.AfterConnect
	c.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		var t inputTypes
		var sends, checks uint32 // arrays
		if err := conn.QueryRow(ctx, selectInputTypes).Scan(&t.send, &sends, &t.check, &checks); err != nil {
			return fmt.Errorf("look for the types of groups: %w", err)
		}
		for _, array := range []uint32{sends, checks} {
			conn.TypeMap().RegisterType(&pgtype.Type{OID: array, Codec: pgtype.ByteaCodec{}}) // bytes go as they are
		}
		s.inputs.Store(&t)
		return connected(ctx, conn)
	}
}

// renumbered reports whether the server may have refused a group, and undone it,
// because the types have other numbers now; the next connection asks for them. So
// it is where the database was restored under a running node.
func (s *Store) renumbered(err error) bool {
	return *s.inputs.Load() != inputTypes{} && slices.Contains([]string{stateInternal, stateMalformed, stateOtherType}, stateOf(err))
}

// newInput begins an array of a type, for a connection of the pool that is at hand.
func newInput(of uint32) input {
	if of == 0 {
		return &textInput{}
	}
	return &binaryInput{of: of}
}
