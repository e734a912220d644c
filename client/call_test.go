package client_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/countersign/countersign/client"
)

func TestAnIdempotencyKeyIsSent(t *testing.T) {
	t.Parallel()
	once := client.WithIdempotencyKey("once")
	for _, c := range []struct {
		name, body, want string
		call             func(context.Context, *client.Client) error
	}{
		{"Send", `{"id":"o1"}`, "once", func(ctx context.Context, c *client.Client) error {
			_, err := c.Send(ctx, client.Message{}, once)
			return err
		}},
		{"Send of a message with one", `{"id":"o1"}`, "kept", func(ctx context.Context, c *client.Client) error {
			_, err := c.Send(ctx, client.Message{IdempotencyKey: "kept"})
			return err
		}},
		{"Send of a message with another", `{"id":"o1"}`, "once", func(ctx context.Context, c *client.Client) error {
			_, err := c.Send(ctx, client.Message{IdempotencyKey: "kept"}, once)
			return err
		}},
		{"Validate", `{"otpStatus":"VERIFIED"}`, "once", func(ctx context.Context, c *client.Client) error {
			_, err := c.Validate(ctx, "o1", "483920", once)
			return err
		}},
		{"Delete", "", "once", func(ctx context.Context, c *client.Client) error { return c.Delete(ctx, "o1", once) }},
		{"Delete without", "", "", func(ctx context.Context, c *client.Client) error { return c.Delete(ctx, "o1") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := &answer{status: http.StatusOK, body: c.body}
			if err := c.call(t.Context(), serve(t, a)); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(a.hdr.Values("Idempotency-Key"), ", "); got != c.want {
				t.Errorf("Idempotency-Key %q; want %q", got, c.want)
			}
		})
	}
}

func TestAnAnswerThatIsNoneIsAnError(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "<html>", "null", "{}", "[null]", `{"id":"","otpId":"","otpStatus":""}`, `{"id":5,"otpId":5,"otpStatus":5}`} {
		c := serve(t, &answer{status: http.StatusOK, body: body})
		if id, err := c.Send(t.Context(), client.Message{}); err == nil || id != "" {
			t.Errorf("Send answered with %s = %q, %v; want an error", body, id, err)
		}
		if verdict, err := c.Validate(t.Context(), "o1", "483920"); err == nil || verdict != "" {
			t.Errorf("Validate answered with %s = %q, %v; want an error", body, verdict, err)
		}
		if o, err := c.Read(t.Context(), "o1"); err == nil || o != (client.OTP{}) {
			t.Errorf("Read answered with %s = %v, %v; want an error", body, o, err)
		}
	}
	for _, body := range []string{"", "<html>", "null", "{}"} {
		if _, err := serve(t, &answer{status: http.StatusOK, body: body}).List(t.Context(), client.Filter{}); err == nil {
			t.Errorf("List answered with %s: no error", body)
		}
	}
}

func TestAnAnswerThatIsTooLongIsAnError(t *testing.T) {
	t.Parallel()
	body := `{"id":"` + strings.Repeat("x", 8<<20) + `"}`
	_, err := serve(t, &answer{status: http.StatusOK, body: body}).Send(t.Context(), client.Message{})
	if err == nil || !strings.Contains(err.Error(), "longer than 8388608 bytes") {
		t.Errorf("%v; want an error that says how long answers may be", err)
	}
	_, err = serve(t, &answer{status: http.StatusForbidden, body: body}).Send(t.Context(), client.Message{})
	if !errors.Is(err, client.ErrUnauthorized) {
		t.Errorf("a refusal that is too long: %v; want ErrUnauthorized", err)
	}
}

func TestAnIDThatNamesNoOTPIsNotAskedFor(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", ".", ".."} {
		a := &answer{status: http.StatusOK, body: `{}`}
		c := serve(t, a)
		if _, err := c.Read(t.Context(), id); !errors.Is(err, client.ErrNotFound) {
			t.Errorf("Read of %q: %v; want ErrNotFound", id, err)
		}
		if _, err := c.Validate(t.Context(), id, "483920"); !errors.Is(err, client.ErrNotFound) {
			t.Errorf("Validate of %q: %v; want ErrNotFound", id, err)
		}
		if err := c.Delete(t.Context(), id); err != nil {
			t.Errorf("Delete of %q: %v; want no error", id, err)
		}
		if a.got != "" {
			t.Errorf("the id %q led to the request %q", id, a.got)
		}
	}
}

func TestAListTellsWhetherItIsTruncated(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{"": false, "false": false, "true": true} {
		a := &answer{status: http.StatusOK, header: map[string]string{"X-Result-Truncated": value}, body: `[]`}
		if l, err := serve(t, a).List(t.Context(), client.Filter{}); err != nil || l.Truncated != want {
			t.Errorf("X-Result-Truncated %q: %v, %v; want %v", value, l.Truncated, err, want)
		}
	}
}
