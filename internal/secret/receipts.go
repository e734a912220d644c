package secret

import "encoding/base64"

// ReceiptTokens are the tokens in the URLs that a carrier sends its receipts to
// 256 bits in base64url, one from each root key that is read, the
// current one's first. They are the same on every node and after every start.
func (k *Keyring) ReceiptTokens(carrier string) []string {
	out := make([]string, len(k.known))
	for i, id := range k.known {
		sum := k.sets[id].receipts.sum(carrier)
		out[i] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return out
}
