package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/countersign/countersign/client"
)

// A login: a code is sent, and checked when the person has typed it. Both calls
// have a key, so that they can be repeated if an answer is lost.
func Example() {
	server := httptest.NewServer(standIn()) // in place of https://otp.example.com
	defer server.Close()

	c, err := client.New(server.URL, "the API key")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	id, err := c.Send(ctx, client.Message{To: "+4915112345678", Profile: "login", Priority: "sms-only"},
		client.WithIdempotencyKey("send-5f0c2d"))
	if errors.Is(err, client.ErrThrottled) {
		fmt.Println("try again later")
		return
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, attempt := range []struct{ typed, key string }{{"000000", "check-91ab07"}, {"483920", "check-c4e833"}} {
		verdict, err := c.Validate(ctx, id, attempt.typed, client.WithIdempotencyKey(attempt.key))
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(verdict, verdict == client.Verified)
	}
	// Output:
	// WRONG_CODE false
	// VERIFIED true
}

// standIn answers as a server does whose code is always 483920.
func standIn() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /2fa/v4/otp", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"id":"7b0a5f3c-52a9-4c0e-9d1e-0f6d6f1f0a11"}`)
	})
	mux.HandleFunc("POST /2fa/v4/otp/{id}/validate", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		verdict := client.WrongCode
		if string(body) == `{"otpCode":"483920"}` {
			verdict = client.Verified
		}
		_, _ = fmt.Fprintf(w, `{"otpStatus":%q}`, verdict)
	})
	return mux
}
