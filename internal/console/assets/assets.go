// Package assets serves the console's style sheet and scripts from the binary,
// under names that hold their checksum, so that browsers may keep them for ever.
package assets

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strings"
)

//go:embed console.css console.js numbers.js icon.svg vendor
var files embed.FS

// sumLength is how many letters of the checksum a name holds.
const sumLength = 16

// Assets are the files by their names in URLs.
type Assets struct {
	urls   map[string]string // by plain name
	byName map[string]asset  // by name with checksum
}

type asset struct {
	media string
	body  []byte
}

// served are the files that pages use, by the names that templates know.
func served() map[string]string {
	return map[string]string{
		"console.css": "console.css", "console.js": "console.js", "numbers.js": "numbers.js", "icon.svg": "icon.svg",
		"htmx.js": "vendor/htmx/htmx.min.js", "uplot.js": "vendor/uplot/uplot.min.js", "uplot.css": "vendor/uplot/uplot.min.css",
	}
}

// New reads the files; base is the path that they are served under, without a
// slash at its end.
func New(base string) (*Assets, error) {
	a := &Assets{map[string]string{}, map[string]asset{}}
	for name, file := range served() {
		body, err := files.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read asset %s: %w", name, err)
		}
		sum := sha256.Sum256(body)
		ext := path.Ext(name)
		full := strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:])[:sumLength] + ext
		a.urls[name] = base + "/" + full
		a.byName[full] = asset{mediaOf(ext), body}
	}
	return a, nil
}

func mediaOf(ext string) string {
	switch ext {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return "application/octet-stream"
}

// URL returns the path of a file; an error for one that there is not.
func (a *Assets) URL(name string) (string, error) {
	u, ok := a.urls[name]
	if !ok {
		return "", fmt.Errorf("no asset %q", name)
	}
	return u, nil
}

// ServeHTTP answers for the last segment of the path.
func (a *Assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, ok := a.byName[path.Base(r.URL.Path)]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.media)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(f.body) // a browser that left needs none
}
