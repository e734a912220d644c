package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/countersign/countersign/internal/callback"
)

// Callbacks lists the account's callback configurations in clear, oldest
// first.
func (s *Service) Callbacks(ctx context.Context, account string) ([]Callback, error) {
	sealed, err := s.Store.Callbacks(ctx, account)
	if err != nil {
		return nil, fmt.Errorf("list callback configurations: %w", err)
	}
	all := make([]Callback, 0, len(sealed))
	for _, c := range sealed {
		one, err := s.open(account, c)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// AddCallback stores a configuration under a new id, with a new signing
// secret, and returns it with the id.
func (s *Service) AddCallback(ctx context.Context, account string, c Callback) (Callback, error) {
	id, err := s.NewID()
	if err != nil {
		return Callback{}, err
	}
	c.ID = id
	sealed, err := s.seal(account, c)
	if err != nil {
		return Callback{}, err
	}
	if sealed.Secret, err = s.newSecret(account, id); err != nil {
		return Callback{}, err
	}
	if err := s.CreateCallback(ctx, account, sealed); err != nil {
		return Callback{}, fmt.Errorf("add callback configuration: %w", err)
	}
	return c, nil
}

// ChangeCallback applies a change and returns the configuration as it then is;
// ErrNotFound if the account has none of the id. apply is as for Store.
func (s *Service) ChangeCallback(
	ctx context.Context, account, id string, apply func(Callback) (Callback, error),
) (Callback, error) {
	var result Callback // read only if the change returned no error: else it may still be running
	err := s.UpdateCallback(ctx, account, id, func(was SealedCallback) (SealedCallback, error) {
		before, err := s.open(account, was)
		if err != nil {
			return SealedCallback{}, err
		}
		after, err := apply(before)
		if err != nil {
			return SealedCallback{}, err
		}
		after.ID = id
		sealed, err := s.seal(account, after)
		if err != nil {
			return SealedCallback{}, err
		}
		was.URL, was.ProfileID, was.Headers = sealed.URL, sealed.ProfileID, sealed.Headers
		result = after
		return was, nil
	})
	if err != nil {
		return Callback{}, err // as it is: it may be apply's own
	}
	return result, nil
}

// RemoveCallback deletes a configuration and what is queued for it. One that
// is not there is no error.
func (s *Service) RemoveCallback(ctx context.Context, account, id string) error {
	if err := s.DeleteCallback(ctx, account, id); err != nil {
		return fmt.Errorf("remove callback configuration: %w", err)
	}
	return nil
}

// Signing is how the callbacks of one configuration are signed.
type Signing struct {
	Account string
	Secret  callback.Secret
	// Previous signs too until PreviousUntil; zero if there is none any more.
	Previous      callback.Secret
	PreviousUntil time.Time
}

// CallbackSecret returns how the callbacks of a configuration, of whichever
// account, are signed; ErrNotFound if there is none of the id. It is for
// operators.
func (s *Service) CallbackSecret(ctx context.Context, id string) (Signing, error) {
	account, sealed, err := s.CallbackByID(ctx, id)
	if err != nil {
		return Signing{}, fmt.Errorf("find callback configuration: %w", err)
	}
	return s.signing(account, sealed)
}

// RotateCallbackSecret gives a configuration a new signing secret. The one
// before keeps signing for callback.SecretOverlap; an even older one ends now.
func (s *Service) RotateCallbackSecret(ctx context.Context, id string) (Signing, error) {
	account, _, err := s.CallbackByID(ctx, id)
	if err != nil {
		return Signing{}, fmt.Errorf("find callback configuration: %w", err)
	}
	secret, err := s.newSecret(account, id)
	if err != nil {
		return Signing{}, err
	}
	until := s.now().Add(callback.SecretOverlap).UnixMicro()
	var result SealedCallback // as in ChangeCallback
	err = s.UpdateCallback(ctx, account, id, func(c SealedCallback) (SealedCallback, error) {
		c.Previous, c.PreviousUntil, c.Secret = c.Secret, until, secret
		result = c
		return c, nil
	})
	if err != nil {
		return Signing{}, fmt.Errorf("rotate signing secret: %w", err)
	}
	return s.signing(account, result)
}

func (s *Service) signing(account string, c SealedCallback) (Signing, error) {
	current, err := s.openSecret(account, c.ID, c.Secret)
	if err != nil {
		return Signing{}, err
	}
	out := Signing{Account: account, Secret: current}
	until := time.UnixMicro(c.PreviousUntil).UTC()
	if c.Previous == nil || !s.now().Before(until) {
		return out, nil
	}
	out.PreviousUntil = until
	out.Previous, err = s.openSecret(account, c.ID, c.Previous)
	return out, err
}

func (s *Service) newSecret(account, id string) ([]byte, error) {
	secret, err := callback.NewSecret(s.random)
	if err != nil {
		return nil, fmt.Errorf("make signing secret: %w", err)
	}
	return s.keys.Seal([]byte(secret.Reveal()), callback.SecretContext(account, id)...), nil
}

func (s *Service) openSecret(account, id string, sealed []byte) (callback.Secret, error) {
	plain, err := s.keys.Open(sealed, callback.SecretContext(account, id)...)
	if err != nil {
		return callback.Secret{}, fmt.Errorf("open signing secret of callback configuration %s: %w", id, err)
	}
	secret, err := callback.ParseSecret(string(plain))
	if err != nil {
		return callback.Secret{}, fmt.Errorf("read signing secret of callback configuration %s: %w", id, err)
	}
	return secret, nil
}

// headerText is a Header as it is sealed.
type headerText struct {
	Name  string `json:"Name"`
	Value string `json:"Value"`
}

func (s *Service) seal(account string, c Callback) (SealedCallback, error) {
	out := SealedCallback{ID: c.ID, URL: c.URL, ProfileID: c.ProfileID}
	if len(c.Headers) == 0 {
		return out, nil
	}
	texts := make([]headerText, 0, len(c.Headers))
	for _, h := range c.Headers {
		texts = append(texts, headerText(h))
	}
	plain, err := json.Marshal(texts)
	if err != nil {
		return SealedCallback{}, fmt.Errorf("encode headers: %w", err)
	}
	out.Headers = s.keys.Seal(plain, callback.HeadersContext(account, c.ID)...)
	return out, nil
}

func (s *Service) open(account string, c SealedCallback) (Callback, error) {
	out := Callback{ID: c.ID, URL: c.URL, ProfileID: c.ProfileID}
	if c.Headers == nil {
		return out, nil
	}
	plain, err := s.keys.Open(c.Headers, callback.HeadersContext(account, c.ID)...)
	if err != nil {
		return Callback{}, fmt.Errorf("open headers of callback configuration %s: %w", c.ID, err)
	}
	var texts []headerText
	if err := json.Unmarshal(plain, &texts); err != nil {
		return Callback{}, fmt.Errorf("decode headers of callback configuration %s", c.ID) // the cause quotes them
	}
	for _, t := range texts {
		out.Headers = append(out.Headers, Header(t))
	}
	return out, nil
}
