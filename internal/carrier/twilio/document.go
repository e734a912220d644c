package twilio

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// document is what a URL carries, sealed, for the fetch of a call's words.
type document struct {
	Speech  speech `json:"s"`
	Expires int64  `json:"e"` // Unix seconds; afterwards nothing is said
}

// sealer seals documents. Every node with the same token opens them.
type sealer struct{ aead cipher.AEAD }

var errSealed = errors.New("not a document that we sealed")

func newSealer(token, account string) (*sealer, error) {
	key, err := hkdf.Key(sha256.New, []byte(token), nil, "countersign twilio say 1 "+account, 32)
	if err != nil {
		return nil, fmt.Errorf("derive the key of calls: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("derive the key of calls: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("derive the key of calls: %w", err)
	}
	return &sealer{aead}, nil
}

// seal returns the document as a text for a URL.
func (s *sealer) seal(d document, random io.Reader) (string, error) {
	plain, err := json.Marshal(d)
	if err != nil {
		return "", fmt.Errorf("write document: %w", err)
	}
	nonce := make([]byte, s.aead.NonceSize(), s.aead.NonceSize()+len(plain)+s.aead.Overhead())
	if _, err := io.ReadFull(random, nonce); err != nil {
		return "", fmt.Errorf("draw nonce: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nonce, nonce, plain, nil)), nil
}

// open returns the document in a text, or errSealed.
func (s *sealer) open(text string) (document, error) {
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(sealed) < s.aead.NonceSize() {
		return document{}, errSealed
	}
	nonce, sealed := sealed[:s.aead.NonceSize()], sealed[s.aead.NonceSize():]
	plain, err := s.aead.Open(nil, nonce, sealed, nil)
	if err != nil {
		return document{}, errSealed
	}
	var d document
	if err := json.Unmarshal(plain, &d); err != nil {
		return document{}, errSealed
	}
	return d, nil
}
