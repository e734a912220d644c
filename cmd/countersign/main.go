// Command countersign is a self-hosted server for one-time passwords, and the
// commands that operators use beside it.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/config"
	"github.com/countersign/countersign/internal/server"
)

// What the process ends with.
const (
	exitDone   = 0
	exitFailed = 1
	exitWrong  = 2 // usage, setting or database: the operator must change something
)

func main() {
	silenceLibraries()
	if os.Getpid() == 1 { // which this signal does not end: the run-time would, without a word
		signal.Ignore(syscall.SIGPIPE)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}, os.Environ()))
}

// streams are the process's own.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// cli is the command line. Each setting with a flag is in Settings.
type cli struct {
	Config   string       `help:"TOML file with settings (COUNTERSIGN_CONFIG)." placeholder:"FILE"`
	Settings kong.Plugins `embed:""`

	Serve      serveCmd      `cmd:"" help:"Run the server until SIGTERM or SIGINT, then drain."`
	Migrate    migrateCmd    `cmd:"" help:"Bring the database to this version's schema."`
	Account    accountCmd    `cmd:"" help:"Accounts and their settings."`
	Key        keyCmd        `cmd:"" help:"API keys."`
	Send       sendCmd       `cmd:"" help:"Send a one-time password and print its id."`
	Check      checkCmd      `cmd:"" help:"Check the code on standard input and print the state."`
	Limit      limitCmd      `cmd:"" help:"What limits remember of a recipient."`
	Erase      eraseCmd      `cmd:"" help:"Remove everything that was sent to a recipient; audited."`
	Inbox      inboxCmd      `cmd:"" help:"What the sandbox carriers received."`
	Carrier    carrierCmd    `cmd:"" help:"The carriers of the configuration."`
	Route      routeCmd      `cmd:"" help:"Who carries what."`
	Callback   callbackCmd   `cmd:"" help:"Event deliveries, dead letters and signing secrets."`
	Console    consoleCmd    `cmd:"" help:"Who may use the console."`
	Connector  connectorCmd  `cmd:"" help:"Write the Power Platform connector of a server."`
	Backup     backupCmd     `cmd:"" help:"Copy the SQLite database to a file while servers go on."`
	Restore    restoreCmd    `cmd:"" help:"Make the database, quarantined, from a backup."`
	Quarantine quarantineCmd `cmd:"" help:"Keep a copy of a database from sending anything: on, release, or say which."`
	Audit      auditCmd      `cmd:"" help:"The list of what operators and console users did."`
	Version    versionCmd    `cmd:"" help:"Print version, commit and Go version."`
}

// run is the whole program but for the process around it.
func run(ctx context.Context, args []string, s streams, environ []string) int {
	flags := config.NewFlags()
	commands := cli{Settings: kong.Plugins{flags.Parsed()}}
	helped := false
	help := &failing{to: s.out}
	parser, err := kong.New(&commands,
		kong.Name("countersign"), kong.Description("A self-hosted server for one-time passwords."),
		kong.Writers(help, s.err), kong.Exit(func(int) { helped = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		panic("command line: " + err.Error()) // a mistake in the tags
	}
	parsed, err := parser.Parse(args)
	if help.err != nil {
		fmt.Fprintln(s.err, "countersign: print the help:", help.err)
		return exitFailed
	}
	if helped {
		return exitDone
	}
	e := &environment{ctx: ctx, streams: s, environ: environ, file: commands.Config, flags: flags}
	defer e.close()
	if wrong := withoutKeys(args); wrong != nil {
		err = wrong
	}
	if err == nil {
		err = parsed.Run(e)
	}
	if err != nil {
		fmt.Fprintln(e.err, "countersign:", said(err))
	}
	return exitCode(err)
}

// failing remembers what writing failed with: the parser makes wrong use of it.
type failing struct {
	to  io.Writer
	err error
}

func (f *failing) Write(p []byte) (int, error) {
	n, err := f.to.Write(p)
	f.err = cmp.Or(f.err, err)
	return n, err
}

// said is what an error says. The parser's repeat arguments: from a URL, which
// may hold a password, on they are cut.
func said(err error) string {
	wrong, ok := errors.AsType[*kong.ParseError](err)
	if !ok {
		return err.Error()
	}
	text := unexpected(err.Error(), wrong.Context)
	if wrong.Context.Selected() == nil {
		text += "; countersign --help lists the commands"
	}
	before, _, found := strings.Cut(text, "://")
	if !found {
		return text
	}
	return before[:strings.LastIndex(before, " ")+1] + "…, a URL"
}

// useError is a command line that says something impossible.
type useError struct{ text string }

func (w useError) Error() string { return w.text }

func exitCode(err error) int {
	if err == nil {
		return exitDone
	}
	if _, ok := errors.AsType[*kong.ParseError](err); ok {
		return exitWrong
	}
	if _, ok := errors.AsType[*config.SettingError](err); ok {
		return exitWrong
	}
	if _, ok := errors.AsType[*config.FileError](err); ok {
		return exitWrong
	}
	if _, ok := errors.AsType[*server.RefusalError](err); ok {
		return exitWrong
	}
	if _, ok := errors.AsType[useError](err); ok {
		return exitWrong
	}
	for _, e := range []error{config.ErrFile, account.ErrUnknownSetting, account.ErrSettingValue, account.ErrLogin} {
		if errors.Is(err, e) {
			return exitWrong
		}
	}
	return exitFailed
}
