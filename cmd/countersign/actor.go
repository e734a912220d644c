package main

import (
	"bufio"
	"os"
	"os/user"
	"strconv"
	"strings"
)

// users is where the system lists its users.
const users = "/etc/passwd"

// actor names who runs the command, for the audit list: by the user's number
// where the system has no name for it, as containers' often have none.
func actor() string {
	u, err := user.Current()
	switch {
	case err == nil && (u.Username != os.Getenv("USER") || listed(u.Uid)):
		return "cli " + u.Username
	case err == nil: // package user took the caller's own word
		return "cli uid " + u.Uid
	case os.Getuid() >= 0:
		return "cli uid " + strconv.Itoa(os.Getuid())
	}
	return "cli"
}

// listed reports whether the system has a name for a user's number.
func listed(uid string) bool {
	f, err := os.Open(users)
	if err != nil {
		return false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if fields := strings.Split(lines.Text(), ":"); len(fields) > 2 && fields[2] == uid {
			return true
		}
	}
	return false
}
