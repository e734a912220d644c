package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"sync"

	"github.com/countersign/countersign/internal/otp"
)

// The purposes keys are derived for; the labels are part of what is stored
// under them and never change.
const (
	labelID    = "countersign key id v1"
	labelCode  = "countersign code v1"
	labelData  = "countersign data v1"
	labelIndex = "countersign index v1"
	labelAudit = "countersign audit v1"

	labelReceipts = "countersign receipts v1"
)

// Keyring derives and holds the keys of one current and some earlier roots.
// It is safe for concurrent use.
type Keyring struct {
	current otp.KeyID
	known   []otp.KeyID
	oldest  otp.KeyID // of index
	sets    map[otp.KeyID]*keySet
	index   *macPool // index keys come from the oldest root, so that they survive rotation
}

type keySet struct {
	code     *macPool
	audit    *macPool
	receipts *macPool
	aead     cipher.AEAD
}

// NewKeyring derives the keys. Previous roots are still read, never written
// with (C-06); list them newest first. The index key is that of the root that
// is listed last, the oldest, so lookups by keyed hash keep working while that
// root is listed. A root may come twice: where nodes are to read a new root
// before any writes with it, the old one is current, and also the last.
func NewKeyring(current Root, previous ...Root) (*Keyring, error) {
	k := &Keyring{sets: map[otp.KeyID]*keySet{}}
	roots := append([]Root{current}, previous...)
	for _, root := range roots {
		if root.IsZero() {
			return nil, ErrRoot
		}
		id := otp.KeyID(binary.BigEndian.Uint32(derive(root, labelID)[:4]))
		k.oldest = id
		if _, twice := k.sets[id]; twice {
			continue
		}
		block, err := aes.NewCipher(derive(root, labelData))
		if err != nil {
			return nil, fmt.Errorf("derive data key: %w", err)
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return nil, fmt.Errorf("derive data key: %w", err)
		}
		k.known = append(k.known, id)
		k.sets[id] = &keySet{
			code:     newMACPool(derive(root, labelCode)),
			audit:    newMACPool(derive(root, labelAudit)),
			receipts: newMACPool(derive(root, labelReceipts)),
			aead:     aead,
		}
	}
	k.current = k.known[0]
	k.index = newMACPool(derive(roots[len(roots)-1], labelIndex))
	return k, nil
}

func derive(root Root, label string) []byte {
	key, err := hkdf.Key(sha256.New, root.bytes(), nil, label, 32)
	if err != nil {
		panic("secret: " + err.Error()) // only for lengths that HKDF cannot make
	}
	return key
}

// Current is the key that new data is hashed and sealed under.
func (k *Keyring) Current() otp.KeyID { return k.current }

// Known lists every key that is still read, the current one first.
func (k *Keyring) Known() []otp.KeyID { return k.known }

// IndexKey is the key that Index hashes with: that of the root that was listed
// last.
func (k *Keyring) IndexKey() otp.KeyID { return k.oldest }

// Sum is the keyed hash of a code and what it belongs to. It panics for a key
// that is not Known.
func (k *Keyring) Sum(key otp.KeyID, parts ...string) otp.Digest {
	return otp.Digest(k.sets[key].code.sum(parts...))
}

// Index is a keyed hash to look up personal data by, without keeping it: the
// first 16 bytes of HMAC-SHA-256 over the parts, each length-prefixed.
func (k *Keyring) Index(parts ...string) [16]byte {
	sum := k.index.sum(parts...)
	return [16]byte(sum[:16])
}

// Audit is the link of the audit chain over the parts (P-07).
func (k *Keyring) Audit(key otp.KeyID, parts ...string) ([32]byte, bool) {
	set, ok := k.sets[key]
	if !ok {
		return [32]byte{}, false
	}
	return set.audit.sum(parts...), true
}

// ErrSealed is returned for data that this keyring cannot open: another key,
// another context, or changed bytes.
var ErrSealed = errors.New("sealed data cannot be opened")

// ErrKeyUnknown is the ErrSealed of data that was sealed under a root that is
// not listed.
var ErrKeyUnknown = fmt.Errorf("%w: its root key is not listed", ErrSealed)

const sealHeader = 4 // the key id before the nonce

// Seal encrypts plain (AES-256-GCM). The context, such as account and OTP id,
// is bound to it: Open needs the same.
func (k *Keyring) Seal(plain []byte, context ...string) []byte {
	aead := k.sets[k.current].aead
	out := make([]byte, sealHeader+aead.NonceSize(), sealHeader+aead.NonceSize()+len(plain)+aead.Overhead())
	binary.BigEndian.PutUint32(out, uint32(k.current))
	nonce := out[sealHeader:]
	_, _ = rand.Read(nonce)                                // never fails (Go 1.24)
	return aead.Seal(out, nonce, plain, prefixed(context)) //nolint:gosec // the nonce is drawn above
}

// Open decrypts what Seal made with the same context; ErrSealed, which
// ErrKeyUnknown is too, otherwise.
func (k *Keyring) Open(sealed []byte, context ...string) ([]byte, error) {
	if len(sealed) < sealHeader {
		return nil, ErrSealed
	}
	set, ok := k.sets[otp.KeyID(binary.BigEndian.Uint32(sealed))]
	if !ok {
		return nil, ErrKeyUnknown
	}
	if len(sealed) < sealHeader+set.aead.NonceSize() {
		return nil, ErrSealed
	}
	body := sealed[sealHeader:]
	n := set.aead.NonceSize()
	plain, err := set.aead.Open(nil, body[:n], body[n:], prefixed(context))
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

// prefixed returns the parts, each after its length.
func prefixed(parts []string) []byte {
	n := 0
	for _, p := range parts {
		n += lengthOctets + len(p)
	}
	return appendPrefixed(make([]byte, 0, n), parts)
}

const lengthOctets = 4 // of a length

// appendPrefixed appends the parts, each after its length.
func appendPrefixed(b []byte, parts []string) []byte {
	for _, p := range parts {
		b = binary.BigEndian.AppendUint32(b, uint32(len(p))) //nolint:gosec // they are short
		b = append(b, p...)
	}
	return b
}

// macPool keeps HMAC states of one key: making one anew costs more than the
// hash.
type macPool struct{ pool sync.Pool }

// mac is a state with room for what goes in and comes out.
type mac struct {
	hash hash.Hash
	room []byte
}

// keptRoom is the most octets of room that stay with a state.
const keptRoom = 512

func newMACPool(key []byte) *macPool {
	return &macPool{sync.Pool{New: func() any { return &mac{hash: hmac.New(sha256.New, key), room: make([]byte, 0, keptRoom)} }}}
}

func (m *macPool) sum(parts ...string) [32]byte {
	s := m.pool.Get().(*mac)
	s.hash.Reset()
	in := appendPrefixed(s.room[:0], parts)
	s.hash.Write(in)
	clear(in) // there may be a code in it
	out := [32]byte(s.hash.Sum(s.room[:0]))
	m.pool.Put(s)
	return out
}
