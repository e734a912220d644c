package main

import (
	"bytes"
	"os"
	"testing"
)

func TestThePageIsThatOfTheFileWhichTheServerServes(t *testing.T) {
	t.Parallel()
	var got bytes.Buffer
	if err := render(&got, "../../../../api/v4.yaml", "Version 4"); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("../pages/v4.html")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Error("pages/v4.html is not what render makes of api/v4.yaml: run go generate ./internal/api/openapi")
	}
}
