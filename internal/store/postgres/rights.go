package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// right is one that the role must have, however it came by it: as the owner, as
// a member of another role, or by a grant.
type right struct {
	Kind, Name string // TABLE or SEQUENCE
	Any        string // rights of which one will do
	For        string // what for, "" where that is plain
}

// What is done with a table's rows.
const (
	reads    = "SELECT"
	adds     = "SELECT INSERT"
	replaces = "SELECT INSERT UPDATE"
	empties  = "SELECT INSERT DELETE"
	all      = "SELECT INSERT UPDATE DELETE"
)

// rights are those that this version's statements need, and no more. Tables
// that only other versions know are not among them. Numbers of rows need
// none, but for a sequence that a statement names.
func rights() []right {
	var out []right
	for _, t := range []struct{ does, tables string }{
		{all, "otps deliveries events tallies idempotency callbacks"},
		{all, "applications callback_configs console_sessions console_tries console_users delivery_ids figures nodes"},
		{all, "priorities profile_links profiles sandbox_orders sandbox_templates templates"},
		{replaces, "accounts api_keys meta versions whatsapp_notes"},
		{empties, "console_invites figure_facts sandbox_messages"},
		{adds, "audit whatsapp_accounts"},
		{reads, "goose_db_version"},
	} {
		for name := range strings.FieldsSeq(t.tables) {
			for one := range strings.FieldsSeq(t.does) {
				out = append(out, right{Kind: "TABLE", Name: name, Any: one})
			}
		}
	}
	return append(out,
		right{"TABLE", "audit", "UPDATE, DELETE, TRUNCATE", "to lock it"},
		right{"SEQUENCE", "otps_seq_seq", "USAGE, UPDATE", ""},
	)
}

// lackingRight finds the first that is lacking of what stands where statements
// find it.
const lackingRight = `SELECT i FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS r (kind, name, privileges, i)
	WHERE NOT CASE kind WHEN 'TABLE' THEN has_table_privilege(to_regclass(quote_ident(name)), privileges)
		ELSE has_sequence_privilege(to_regclass(quote_ident(name)), privileges) END
	ORDER BY i LIMIT 1`

// checkRights refuses a role that would be refused by the first caller's
// statement.
func checkRights(ctx context.Context, pool *pgxpool.Pool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readTime, errSlow)
	defer cancel()
	asked := rights()
	var kinds, names, privileges []string
	for _, r := range asked {
		kinds, names, privileges = append(kinds, r.Kind), append(names, r.Name), append(privileges, r.Any)
	}
	var i int
	switch err := pool.QueryRow(ctx, lackingRight, kinds, names, privileges).Scan(&i); {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return readError("read the role's rights", err)
	}
	return fmt.Errorf("%w: %s", ErrRights, asked[i-1])
}

// String is such as "INSERT on table otps".
func (r right) String() string {
	text := r.Any
	if i := strings.LastIndex(text, ", "); i >= 0 {
		text = text[:i] + " or " + text[i+len(", "):]
	}
	text += " on " + strings.ToLower(r.Kind) + " " + r.Name
	if r.For != "" {
		text += ", " + r.For
	}
	return text
}
