package fleet

import "errors"

// The ways in which a carrier has no receipt URL.
var (
	ErrNoReceipts  = errors.New("carriers of this type take no receipts by HTTP")
	ErrNoPublicURL = errors.New("public_url is not set, so nobody can reach it")
)

// ReceiptURL returns where a carrier's provider is to send receipts, for
// providers that have to be told by hand. Whoever knows it can send receipts
// where the provider signs none.
func (f *Fleet) ReceiptURL(name string) (string, error) {
	for _, s := range f.States() {
		switch {
		case s.Name != name:
			continue
		case !s.Receipts:
			return "", ErrNoReceipts
		}
		if url := f.receiptURL(name); url != "" {
			return url, nil
		}
		return "", ErrNoPublicURL
	}
	return "", ErrNoCarrier
}
