package proof_test

import (
	"os"
	"path/filepath"
)

// driveCommands runs the commands beside the server, right and wrong ones, with
// secrets in them. id is an OTP of version 4.
func driveCommands(a *aviary, dir, id string) {
	a.t.Helper()
	word, address := a.keep("text of a command", "txtcmq9943rre"), a.keep("e-mail address", "tove.canary.7731@example.org")
	many := a.number("9999")
	send := func(args ...string) { a.command(dir, "", append([]string{"send", "--account", "default"}, args...)...) }
	send("--to", many, "--text", "{{otp_code}} "+word)
	send("--to", many, "--channel", "VOICE")
	send("--to", address)
	send("--to", many, "--text", word)
	send("--to", many+"x")
	send("--to", address, "--channel", "SMS")
	a.command(dir, "", "send", "--account", "nobody", "--to", a.number("9999"))
	sent := a.reveal(dir, "send", "--account", "default", "--to", a.number("9999")) // an id
	for _, otp := range []string{sent, id, "none"} {
		for range 6 {
			a.command(dir, a.code("typed at a command"), "check", "--account", "default", otp)
		}
	}
	a.command(dir, a.code("typed for nobody"), "check", "--account", "nobody", sent)

	a.secret("key of a command", a.reveal(dir, "key", "create", "--account", "default", "--name", "canary", "--login", "second@example.org", "--throttle"))
	a.command(dir, "", "key", "create", "--account", "nobody")
	a.command(dir, "", "key", "list")
	a.command(dir, "", "key", "revoke", "none")
	a.command(dir, "", "account", "create", "second")
	a.command(dir, "", "account", "set", "second", "octopush.text="+word+" {code}")
	a.command(dir, "", "account", "set", "second", "octopush.code_length="+word)
	a.command(dir, "", "account", "suspend", "second")
	a.command(dir, "", "account", "enable", "second")
	a.command(dir, "", "account", "list")
	a.command(dir, "", "callback", "list")
	a.command(dir, "", "callback", "list", "--dead")
	a.command(dir, "", "callback", "replay", "none")
	a.command(dir, "", "callback", "secret", "none")
	a.command(dir, "", "limit", "clear", "--account", "default", "--to", many)
	a.command(dir, "", "limit", "clear", "--account", "default", "--to", many+"x")
	a.command(dir, "", "erase", "--to", many)
	a.command(dir, "", "erase", "--to", address)
	a.reveal(dir, "inbox", "--to", many) // its result is codes and numbers; its log is not
	a.command(dir, "", "migrate")
	a.command(dir, "", "version")

	out := filepath.Join(a.t.TempDir(), "connector")
	a.command(dir, "", "connector", "--host", "otp.example.org", "--out", out)
	files, err := os.ReadDir(out)
	if err != nil || len(files) == 0 {
		a.t.Fatalf("%d files of the connector, %v", len(files), err)
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(out, f.Name()))
		if err != nil {
			a.t.Fatal(err)
		}
		a.put("connector", b)
	}
}
