package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/store/column"
)

const (
	selectSandboxTemplates = `SELECT name, language, one_tap, advice, minutes, copy_text, autofill_text, package_name, signature,
		created_at, coalesce(deleted_at, 0) FROM sandbox_templates
		WHERE account_id = $1 AND ref = $2 AND (deleted_at IS NULL OR deleted_at > $3) ORDER BY seq`
	// All that follow use sandbox_templates_name_key.
	goneSandboxTemplates = "DELETE FROM sandbox_templates WHERE account_id = $1 AND ref = $2 AND deleted_at <= $3"
	sandboxTemplateTaken = `SELECT 1 FROM sandbox_templates WHERE account_id = $1 AND ref = $2 AND folded = $3
		AND (language = $4 AND deleted_at IS NULL OR deleted_at > $5)`
	addSandboxTemplate = `INSERT INTO sandbox_templates (account_id, ref, name, folded, language, one_tap, advice, minutes,
		copy_text, autofill_text, package_name, signature, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING`
	sandboxTemplateNamed = `SELECT 1 FROM sandbox_templates WHERE account_id = $1 AND ref = $2 AND folded = $3 AND name = $4
		AND (deleted_at IS NULL OR deleted_at > $5)`
	deleteSandboxTemplate = `UPDATE sandbox_templates SET deleted_at = $1
		WHERE account_id = $2 AND ref = $3 AND folded = $4 AND name = $5 AND deleted_at IS NULL`
)

// SandboxTemplates implements sandbox.TemplateStore.
func (r *Registry) SandboxTemplates(ctx context.Context, account, accountRef string) ([]sandbox.StoredTemplate, error) {
	owner, err := r.AccountID(ctx, account)
	if errors.Is(err, ErrNoAccount) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	gone := column.Micros(r.db.Now().Add(-sandbox.Grace))
	list, err := Collect(r.db.Ask(ctx, owner), scanSandboxTemplate, selectSandboxTemplates, owner, accountRef, gone)
	if err != nil {
		return nil, r.db.ReadError("read sandbox templates", err)
	}
	return list, nil
}

func scanSandboxTemplate(rows Row) (sandbox.StoredTemplate, error) {
	var t sandbox.StoredTemplate
	var created, deleted int64
	err := rows.Scan(&t.Name, &t.Language, &t.OneTap, &t.SecurityRecommendation, &t.Minutes, &t.CopyButtonText, &t.AutofillButtonText,
		&t.PackageName, &t.SignatureHash, &created, &deleted)
	t.Created, t.Deleted = column.FromMicros(created), column.FromMicros(deleted)
	return t, err
}

// holdAccount lets one change of the account's templates follow the other: what is
// deleted by its name and added in another language at once would do both.
func holdAccount(t Tx, owner int64) error {
	if _, err := Exists(t.Lock, "SELECT 1 FROM accounts WHERE id = $1", owner); err != nil {
		return fmt.Errorf("hold account: %w", err)
	}
	return nil
}

// PutSandboxTemplate implements sandbox.TemplateStore.
func (r *Registry) PutSandboxTemplate(ctx context.Context, account, accountRef string, n catalog.WhatsAppTemplate) error {
	owner, err := r.AccountID(ctx, account)
	if err != nil {
		return err
	}
	return r.db.Write(ctx, func(t Tx) error {
		t.Only(owner)
		if err := holdAccount(t, owner); err != nil {
			return err
		}
		folded, gone := strings.ToLower(n.Name), column.Micros(t.Now().Add(-sandbox.Grace))
		taken, err := Exists(t.Query, sandboxTemplateTaken, owner, accountRef, folded, n.Language, gone)
		if err != nil {
			return fmt.Errorf("look for sandbox template: %w", err)
		}
		if taken {
			return catalog.ErrNameTaken
		}
		if _, err := t.Exec(goneSandboxTemplates, owner, accountRef, gone); err != nil {
			return fmt.Errorf("remove sandbox templates: %w", err)
		}
		added, err := t.Exec(addSandboxTemplate, owner, accountRef, n.Name, folded, n.Language, n.OneTap, n.SecurityRecommendation, n.Minutes,
			n.CopyButtonText, n.AutofillButtonText, n.PackageName, n.SignatureHash, column.Micros(t.Now()))
		if err != nil {
			return fmt.Errorf("add sandbox template: %w", err)
		}
		if added == 0 {
			return catalog.ErrNameTaken // by another one just now
		}
		return nil
	})
}

// DeleteSandboxTemplate implements sandbox.TemplateStore.
func (r *Registry) DeleteSandboxTemplate(ctx context.Context, account, accountRef, name string) error {
	owner, err := r.AccountID(ctx, account)
	if errors.Is(err, ErrNoAccount) {
		return catalog.ErrNotFound
	}
	if err != nil {
		return err
	}
	return r.db.Write(ctx, func(t Tx) error {
		t.Only(owner)
		if err := holdAccount(t, owner); err != nil {
			return err
		}
		folded := strings.ToLower(name)
		named, err := Exists(t.Query, sandboxTemplateNamed, owner, accountRef, folded, name, column.Micros(t.Now().Add(-sandbox.Grace)))
		if err != nil {
			return fmt.Errorf("look for sandbox template: %w", err)
		}
		if !named {
			return catalog.ErrNotFound
		}
		if _, err := t.Exec(deleteSandboxTemplate, column.Micros(t.Now()), owner, accountRef, folded, name); err != nil {
			return fmt.Errorf("delete sandbox template: %w", err)
		}
		return nil
	})
}
