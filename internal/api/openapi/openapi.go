// Package openapi serves the OpenAPI files of the APIs, and pages to read them
// with a browser. The pages are made from the files by go generate and are
// whole by themselves: nothing is fetched from elsewhere, and there are no
// scripts.
package openapi

import (
	"embed"
	"html/template"
	"io/fs"
	"net/http"
	"strings"
)

//go:generate go run ./render -title "Version 4" -in ../../../api/v4.yaml -out pages/v4.html
//go:generate go run ./render -title "Version 1" -in ../../../api/v1.yaml -out pages/v1.html
//go:generate go run ./render -title "Octopush-compatible OTP" -in ../../../api/octopush.yaml -out pages/octopush.html
//go:generate go run ./render -title "Sandbox inbox" -in ../../../api/sandbox.yaml -out pages/sandbox.html

//go:embed pages
var pages embed.FS

//go:embed index.html
var indexText string

// Document is one API's file.
type Document struct {
	Name  string // as in v4.yaml: v4
	Title string
	YAML  []byte
}

// Register adds GET /openapi/ and below it a file and a page for each
// document. No key is needed.
func Register(mux *http.ServeMux, documents ...Document) error {
	index, err := template.New("index").Parse(indexText)
	if err != nil {
		return err //nolint:wrapcheck // a mistake in the page's text, met by every test
	}
	var page strings.Builder
	if err := index.Execute(&page, documents); err != nil {
		return err //nolint:wrapcheck // as above
	}
	// http.ServeMux would lead on with the query, and so repeat a key in it.
	mux.HandleFunc("GET /openapi", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/openapi/", http.StatusMovedPermanently)
	})
	mux.Handle("GET /openapi/{$}", file("text/html; charset=utf-8", []byte(page.String())))
	for _, d := range documents {
		body, err := fs.ReadFile(pages, "pages/"+d.Name+".html")
		if err != nil {
			return err //nolint:wrapcheck // names the file
		}
		mux.Handle("GET /openapi/"+d.Name+".yaml", file("application/yaml", d.YAML))
		mux.Handle("GET /openapi/"+d.Name, file("text/html; charset=utf-8", body))
	}
	style, err := fs.ReadFile(pages, "pages/style.css")
	if err != nil {
		return err //nolint:wrapcheck // names the file
	}
	mux.Handle("GET /openapi/style.css", file("text/css; charset=utf-8", style))
	return nil
}

func file(media string, body []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", media)
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(body)
	})
}
