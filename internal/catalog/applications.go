package catalog

import (
	"context"
	"fmt"
)

// KnownApplications is Applications for those who ask at every send and check:
// the list is remembered until the account's catalog changes and shared between
// calls. Do not change what it points to.
func (s *Service) KnownApplications(ctx context.Context, account string) ([]Application, error) {
	// Read before the list, so that what is remembered is never older than the
	// version it is remembered under.
	version, err := s.CatalogVersion(ctx, account)
	if err != nil {
		return nil, fmt.Errorf("read catalog version: %w", err)
	}
	if found, ok := s.applications.get(account, version); ok {
		return found, nil
	}
	found, err := s.Applications(ctx, account)
	if err != nil {
		return nil, fmt.Errorf("list applications: %w", err)
	}
	s.applications.put(account, version, found)
	return found, nil
}
