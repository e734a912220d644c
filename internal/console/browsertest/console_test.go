package browsertest_test

import (
	"maps"
	"testing"
)

// fixture is what the cases share.
type fixture struct {
	binary   string
	browser  *browser
	local    *server // on loopback with the sandbox alone: a link signs in
	guarded  *server // over TLS with a public address: passwords sign in
	receiver *receiver
}

// The cases share a browser and two servers, so they are parts of one test.
func TestTheConsoleInABrowser(t *testing.T) {
	t.Parallel()
	f := &fixture{binary: build(t), browser: launch(t), receiver: receive(t)}
	t.Run("a first run gets to VERIFIED by clicking", f.firstRun) //nolint:paralleltest // it tells a time: nothing runs beside it
	f.local = serve(t, f.binary, "COUNTERSIGN_CALLBACK_ALLOW_PRIVATE=true")
	f.local.setUp(t)
	t.Run("a second browser sees a message as it is submitted", f.live) //nolint:paralleltest // likewise
	f.local.bury(t, f.receiver)
	f.local.send(t, "+4915112340001", "fallback") // a story with a failure, for who looks at every page
	f.guarded = serveGuarded(t, f.binary)
	f.guarded.setUp(t)
	// The longest first: two run at a time.
	for _, c := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"axe finds nothing serious on any page", f.axe},
		{"every channel has its look and a way to VERIFIED", f.everyWay},
		{"the longest names fit every screen", f.names},
		{"every page works without JavaScript", f.plain},
		{"no page shows a number to support", f.masked},
		{"a lost connection shows and heals without losing a message", f.lost},
		{"support cannot unmask without leaving a trace", f.trace},
		{"passwords and an app let in where a link does not", f.passwords},
		{"editing a template shows its segments change", f.template},
		{"a page whose session ended out of sight leads to the sign-in page", f.ended},
		{"a page opened behind others takes no connection", f.behind},
		{"a page whose session ended without a network leads to the sign-in page", f.expired},
		{"a link on another site asks before it replaces a session", f.asked},
		{"the focus stays where it was when a page changes", f.focus},
		{"a number that was shown stays shown", f.shown},
		{"what was pressed is not lost to a change", f.pressed},
		{"signing out leads away whatever else was asked for", f.left},
		{"what a lost connection does not answer is asked for again", f.hung},
		{"a dead letter is replayed by a click", f.letter},
		{"a key shows once, works and is revoked", f.key},
		{"a phone's buttons act on the next messages", f.orders},
		{"the main round works by keyboard alone", f.keyboard},
		{"the main round works without JavaScript", f.withoutScript},
		{"a forged post of another site is refused", f.forged},
		{"a stolen cookie is worth nothing after sign-out", f.stolen},
		{"no page can be framed", f.framed},
		{"what is injected into a page is refused and noted", f.injected},
		{"the pictures of the documents are there", f.pictures},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t)
		})
	}
}

// named is a reference to something by its name.
func named(kind, name string) map[string]any {
	return map[string]any{"type": kind, "templates": []any{map[string]any{"name": name}}}
}

// setUp makes what codes are sent with.
func (s *server) setUp(t testing.TB) {
	t.Helper()
	text := map[string]any{"name": "browser", "language": "en", "message": "Your code is {{otp_code}}."}
	s.post(t, "/2fa/v4/templates/sms", text)
	s.post(t, "/2fa/v4/templates/voice", text)
	s.post(t, "/2fa/v4/profiles", map[string]any{
		"name": "browser", "channels": []any{named("SMS", "browser"), named("VOICE", "browser")},
	})
	for name, channels := range map[string][]string{"browser": {"SMS"}, "fallback": {"SMS", "VOICE"}} {
		var order []any
		for i, c := range channels {
			order = append(order, map[string]any{"channel": c, "priority": i + 1})
		}
		s.post(t, "/2fa/v4/priorities", map[string]any{"name": name, "channelPriority": order})
	}
}

// send sends a code to a number.
func (s *server) send(t testing.TB, to, priority string) {
	t.Helper()
	s.post(t, "/2fa/v4/otp", map[string]any{"to": to, "profileName": "browser", "priorityName": priority})
}

// args are what a case needs to know of a server, its own link among it.
func (s *server) args(t testing.TB, more map[string]any) map[string]any {
	t.Helper()
	all := map[string]any{"server": s.url, "key": s.key, "link": s.invite(t, "owner")}
	maps.Copy(all, more)
	return all
}
