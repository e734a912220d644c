// Command render makes the page of an OpenAPI file. go generate runs it.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
)

func main() {
	in, out, title := flag.String("in", "", "OpenAPI file"), flag.String("out", "", "page to write"), flag.String("title", "", "the API's name")
	flag.Parse()
	var page bytes.Buffer
	err := render(&page, *in, *title)
	if err == nil {
		err = os.WriteFile(*out, page.Bytes(), 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "render:", err)
		os.Exit(1)
	}
}
