package main_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	main "github.com/countersign/countersign/cmd/countersign"
)

// as lets a command run as this user of a namespace of its own, who owns what
// whoever runs the tests owns: rights count then, also for root.
func as(c *exec.Cmd, uid int) *exec.Cmd {
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: uid, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: uid, HostID: os.Getgid(), Size: 1}},
	}
	return c
}

// ended returns a command's exit code and all that it said.
func ended(t *testing.T, c *exec.Cmd) (code int, said string) {
	t.Helper()
	out, err := c.CombinedOutput()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return failed.ExitCode(), string(out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0, string(out)
}

func TestAServerThatMayOnlyReadItsDatabaseIsRefusedAndCommandsThatLookAreNot(t *testing.T) {
	t.Parallel()
	const nobody = 54321
	for _, c := range []struct {
		mode    fs.FileMode
		command string
		code    int
		want    string
	}{
		{0o400, "serve", 2, "has mode 0400; expected a database that the user that this runs as may read and write"},
		{0o400, "account list", 0, "acme"},
		{0o000, "serve", 2, "has mode 0000; expected"},
		{0o000, "account list", 2, "has mode 0000; expected"},
	} {
		p := onFiles(t)
		p.done("account", "create", "acme")
		if err := os.Chmod(filepath.Join(p.dir, "countersign.db"), c.mode); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		code, said := ended(t, as(p.command(ctx, strings.Fields(c.command)...), nobody))
		if code != c.code || !strings.Contains(said, c.want) {
			t.Errorf("%s on mode %04o: exit code %d, said %s; want %d and %q", c.command, c.mode, code, said, c.code, c.want)
		}
	}
}

func TestADatabaseThatHasNoRoomToBeMadeIsNotCalledAnothers(t *testing.T) {
	t.Parallel()
	p := onFiles(t)
	c := p.command(t.Context(), "-c", `ulimit -f 40; exec "$0" account create acme`, binary)
	c.Path = "/bin/sh"
	code, said := ended(t, c)
	if code != 1 || !strings.Contains(said, "expected room on the disk") {
		t.Errorf("exit code %d, said %s; want 1 and that there is no room", code, said)
	}
	p.done("account", "create", "acme") // what was left does not keep it from being made
}

// A bare root directory has no /dev/null to try.
func TestALackOfDescriptorsIsNamedWhereThereAreNoDeviceFiles(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if err := os.Link(binary, filepath.Join(root, "countersign")); err != nil {
		t.Fatal(err)
	}
	p := &place{t: t, dir: filepath.Join(root, "data")}
	p.done("account", "create", "acme")
	p.dir = "/data"
	c := as(p.command(t.Context(), "-c", `ulimit -n 9; exec chroot "$0" /countersign account list`, root), 0)
	c.Path, c.Dir = "/bin/sh", root
	if code, said := ended(t, c); code != 2 || !strings.Contains(said, "a higher limit of open files") {
		t.Errorf("exit code %d, said %s; want 2 and the cause", code, said)
	}
}

func TestAKeyThatCannotBePrintedIsNamedSoThatItCanBeRevoked(t *testing.T) {
	t.Parallel()
	p := onFiles(t)
	p.done("account", "create", "acme")
	var errs bytes.Buffer
	environ := []string{"COUNTERSIGN_DATA_DIR=" + p.dir}
	code := main.Run(t.Context(), []string{"key", "create", "--account", "acme"}, strings.NewReader(""), full{}, &errs, environ)
	id, _, _ := strings.Cut(p.done("key", "list"), "\t")
	if code != 1 || id == "" || !strings.Contains(errs.String(), "countersign key revoke "+id) || !strings.Contains(errs.String(), "no space") {
		t.Errorf("exit code %d, said %q; want 1 and how to revoke %q", code, &errs, id)
	}
}

// In a container it is the first process, which the signal of a pipe without a
// reader cannot end.
func TestAFirstProcessWhoseReaderWentAwaySaysSo(t *testing.T) {
	t.Parallel()
	p := onFiles(t)
	p.done("account", "create", "acme")
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = read.Close()
	defer write.Close()
	var errs bytes.Buffer
	c := as(p.command(t.Context(), "key", "create", "--account", "acme"), 0)
	c.SysProcAttr.Cloneflags |= syscall.CLONE_NEWPID
	c.Stdout, c.Stderr = write, &errs
	err = c.Run()
	if failed, ok := errors.AsType[*exec.ExitError](err); !ok || failed.ExitCode() != 1 || !strings.Contains(errs.String(), "broken pipe") {
		t.Errorf("ended with %v, said %q; want exit code 1 and why", err, &errs)
	}
}

// What the environment says of the user is the caller's own word.
func TestTheAuditListNamesAUserWithoutANameByItsNumber(t *testing.T) {
	t.Parallel()
	const nobody = 54321
	p := onFiles(t)
	p.done("account", "create", "acme")
	c := as(p.command(t.Context(), "quarantine", "on"), nobody)
	c.Env = append(c.Env, "USER=somebody", "HOME=/")
	if code, said := ended(t, c); code != 0 {
		t.Fatalf("exit code %d, said %s", code, said)
	}
	db := p.open()
	defer db.Close()
	var entry string
	if err := db.QueryRowContext(t.Context(), "SELECT entry FROM audit ORDER BY seq DESC LIMIT 1").Scan(&entry); err != nil || !strings.Contains(entry, `"cli uid 54321"`) {
		t.Errorf("the list says %s, %v; want the number", entry, err)
	}
}

func TestALineBreakAfterThePathOfTheSettingsIsNamed(t *testing.T) {
	t.Parallel()
	p := onFiles(t, "COUNTERSIGN_CONFIG=ok.toml\r")
	if r := p.run("", "account", "list"); r.code != 2 || !strings.Contains(r.err, "COUNTERSIGN_CONFIG ends with a line break") {
		t.Errorf("exit code %d, said %q; want 2 and what is wrong", r.code, r.err)
	}
}
