// Package connector makes the Power Platform connector of a server: the
// definition, properties and icon that people import as a custom connector, and
// a README that tells them how. Its operations, inputs and outputs have the
// names of the published connector "tyntec 2FA", so that flows which use that
// one keep them; the server answers through its version 1 API.
package connector

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// placeholder stands for the server's host in the files.
const placeholder = "otp.example.com"

//go:embed files
var templates embed.FS

// ErrHost is returned for a text that names no host.
var ErrHost = errors.New("expected a host name, optionally with a port, such as otp.example.com")

// File is one file of a connector package.
type File struct {
	Name    string
	Content []byte
}

// Package returns the files of the connector for the server at host, a host
// name or address with an optional port. The platform calls it by HTTPS. The
// error is ErrHost.
func Package(host string) ([]File, error) {
	if !validHost(host) {
		return nil, ErrHost
	}
	icon, err := drawIcon()
	if err != nil {
		return nil, err
	}
	files := []File{{Name: "icon.png", Content: icon}}
	for _, name := range []string{"apiDefinition.swagger.json", "apiProperties.json", "README.md"} {
		text, err := fs.ReadFile(templates, "files/"+name)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		files = append(files, File{Name: name, Content: bytes.ReplaceAll(text, []byte(placeholder), []byte(host))})
	}
	return files, nil
}

// Write writes the files of Package into the directory dir, which it makes if
// it is not there; files of these names are replaced.
func Write(dir, host string) ([]File, error) {
	files, err := Package(host)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // nothing in it is secret
		return nil, fmt.Errorf("make directory: %w", err)
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Content, 0o644); err != nil { //nolint:gosec // as above
			return nil, fmt.Errorf("write connector: %w", err)
		}
	}
	return files, nil
}

// validHost reports whether host can stand in a URL and in a JSON text as it
// is.
func validHost(host string) bool {
	for _, c := range []byte(host) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && strings.IndexByte("-.:[]", c) < 0 {
			return false
		}
	}
	u, err := url.Parse("https://" + host + "/")
	if err != nil || u.Host != host || u.Hostname() == "" || strings.HasSuffix(host, ":") {
		return false
	}
	// A colon belongs to a port or to an address in brackets.
	return net.ParseIP(u.Hostname()) != nil || !strings.ContainsAny(u.Hostname(), ":[]")
}
