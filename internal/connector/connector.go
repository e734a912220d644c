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
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
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

// Bounds of host names (RFC 1035 §2.3.4).
const maxName, maxLabel = 253, 63

// validHost reports whether host can be one, as a URL and a JSON text write it:
// a host name, an IPv4 address or an IPv6 address in brackets, and perhaps a
// port.
func validHost(host string) bool {
	u, err := url.Parse("https://" + host)
	if err != nil || u.Host != host || strings.HasSuffix(host, ":") {
		return false
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return false
		}
	}
	if strings.HasPrefix(host, "[") {
		a, err := netip.ParseAddr(u.Hostname())
		return err == nil && a.Is6() && a.Zone() == ""
	}
	return validName(u.Hostname())
}

// validName reports whether name is a host name or an IPv4 address. What ends in
// a number, programs take for an address.
func validName(name string) bool {
	if len(name) > maxName {
		return false
	}
	labels := strings.Split(strings.TrimSuffix(name, "."), ".")
	for _, l := range labels {
		if len(l) > maxLabel || !labelForm.MatchString(l) {
			return false
		}
	}
	if strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		a, err := netip.ParseAddr(name)
		return err == nil && a.Is4()
	}
	return true
}

// labelForm is a part of a host name between dots.
var labelForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$`)
