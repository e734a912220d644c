package server

import (
	"context"
	"crypto/x509"
	"log/slog"
)

// warnWithoutAuthorities warns where no certificate can be verified, as in an
// image without a bundle: every https carrier and callback would fail.
func warnWithoutAuthorities(ctx context.Context, log *slog.Logger, system func() (*x509.CertPool, error)) {
	if pool, err := system(); err != nil || pool.Equal(x509.NewCertPool()) {
		log.WarnContext(ctx, "no certificate authorities were found: https carriers and callbacks cannot be reached; install ca-certificates or set SSL_CERT_FILE")
	}
}
