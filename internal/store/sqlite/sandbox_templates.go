package sqlite

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
		WHERE account_id = ? AND ref = ? AND (deleted_at IS NULL OR deleted_at > ?) ORDER BY seq`
	// All that follow use sandbox_templates_name_key.
	goneSandboxTemplates = "DELETE FROM sandbox_templates WHERE account_id = ? AND ref = ? AND deleted_at <= ?"
	sandboxTemplateTaken = `SELECT 1 FROM sandbox_templates WHERE account_id = ? AND ref = ? AND folded = ?
		AND (language = ? AND deleted_at IS NULL OR deleted_at > ?)`
	addSandboxTemplate = `INSERT INTO sandbox_templates (account_id, ref, name, folded, language, one_tap, advice, minutes,
		copy_text, autofill_text, package_name, signature, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	sandboxTemplateNamed = `SELECT 1 FROM sandbox_templates WHERE account_id = ? AND ref = ? AND folded = ? AND name = ?
		AND (deleted_at IS NULL OR deleted_at > ?)`
	deleteSandboxTemplate = `UPDATE sandbox_templates SET deleted_at = ?
		WHERE account_id = ? AND ref = ? AND folded = ? AND name = ? AND deleted_at IS NULL`
)

// SandboxTemplates implements sandbox.TemplateStore.
func (s *Store) SandboxTemplates(ctx context.Context, account, accountRef string) ([]sandbox.StoredTemplate, error) {
	owner, err := s.accountID(ctx, account)
	if errors.Is(err, ErrNoAccount) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	gone := column.Micros(s.clock.Now().Add(-sandbox.Grace))
	list, err := collect(s.pooled(ctx), scanSandboxTemplate, selectSandboxTemplates, owner, accountRef, gone)
	if err != nil {
		return nil, s.readError("read sandbox templates", err)
	}
	return list, nil
}

func scanSandboxTemplate(rows rower) (sandbox.StoredTemplate, error) {
	var t sandbox.StoredTemplate
	var created, deleted int64
	err := rows.Scan(&t.Name, &t.Language, &t.OneTap, &t.SecurityRecommendation, &t.Minutes, &t.CopyButtonText, &t.AutofillButtonText,
		&t.PackageName, &t.SignatureHash, &created, &deleted)
	t.Created, t.Deleted = column.FromMicros(created), column.FromMicros(deleted)
	return t, err //nolint:wrapcheck // the caller says what it was doing
}

// PutSandboxTemplate implements sandbox.TemplateStore.
func (s *Store) PutSandboxTemplate(ctx context.Context, account, accountRef string, n catalog.WhatsAppTemplate) error {
	owner, err := s.accountID(ctx, account)
	if err != nil {
		return err
	}
	return s.write(ctx, func(t *tx) error {
		folded, gone := strings.ToLower(n.Name), column.Micros(t.now.Add(-sandbox.Grace))
		taken, err := exists(t.query, sandboxTemplateTaken, owner, accountRef, folded, n.Language, gone)
		if err != nil {
			return fmt.Errorf("look for sandbox template: %w", err)
		}
		if taken {
			return catalog.ErrNameTaken
		}
		if _, err := t.exec(goneSandboxTemplates, owner, accountRef, gone); err != nil {
			return fmt.Errorf("remove sandbox templates: %w", err)
		}
		_, err = t.exec(addSandboxTemplate, owner, accountRef, n.Name, folded, n.Language, n.OneTap, n.SecurityRecommendation, n.Minutes,
			n.CopyButtonText, n.AutofillButtonText, n.PackageName, n.SignatureHash, column.Micros(t.now))
		if err != nil {
			return fmt.Errorf("add sandbox template: %w", err)
		}
		return nil
	})
}

// DeleteSandboxTemplate implements sandbox.TemplateStore.
func (s *Store) DeleteSandboxTemplate(ctx context.Context, account, accountRef, name string) error {
	owner, err := s.accountID(ctx, account)
	if errors.Is(err, ErrNoAccount) {
		return catalog.ErrNotFound
	}
	if err != nil {
		return err
	}
	return s.write(ctx, func(t *tx) error {
		folded := strings.ToLower(name)
		named, err := exists(t.query, sandboxTemplateNamed, owner, accountRef, folded, name, column.Micros(t.now.Add(-sandbox.Grace)))
		if err != nil {
			return fmt.Errorf("look for sandbox template: %w", err)
		}
		if !named {
			return catalog.ErrNotFound
		}
		if _, err := t.exec(deleteSandboxTemplate, column.Micros(t.now), owner, accountRef, folded, name); err != nil {
			return fmt.Errorf("delete sandbox template: %w", err)
		}
		return nil
	})
}
