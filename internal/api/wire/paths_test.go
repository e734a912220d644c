package wire_test

import (
	"slices"
	"testing"

	"github.com/countersign/countersign/internal/api/wire"
)

func TestOperationsAreFoundByPathAndMethod(t *testing.T) {
	t.Parallel()
	var paths wire.Paths[string]
	for _, pattern := range []string{
		"POST /a/otp", "GET /a/otp", "GET /a/otp/{id}", "POST /a/otp/{id}/check", "GET /a/otp/all", "DELETE /a/p/{id}/t/{name}",
	} {
		paths.Add(pattern, pattern)
	}
	for _, c := range []struct {
		method, path, operation string
		params, methods         []string
	}{
		{"POST", "/a/otp", "POST /a/otp", nil, []string{"POST", "GET"}},
		{"GET", "/a/otp/", "GET /a/otp", nil, []string{"POST", "GET"}},
		{"PUT", "/a/otp", "", nil, []string{"POST", "GET"}},
		{"GET", "/a/otp/x%2Fy", "GET /a/otp/{id}", []string{"x/y"}, []string{"GET"}},
		{"GET", "/a/%6Ftp/%7B%7D", "GET /a/otp/{id}", []string{"{}"}, []string{"GET"}},
		{"GET", "/a/otp/all", "GET /a/otp/all", nil, []string{"GET"}},
		{"POST", "/a/otp/1/check", "POST /a/otp/{id}/check", []string{"1"}, []string{"POST"}},
		{"DELETE", "/a/p/1/t/n%20m/", "DELETE /a/p/{id}/t/{name}", []string{"1", "n m"}, []string{"DELETE"}},
	} {
		found, params := paths.Find(c.path)
		if found == nil {
			t.Errorf("%s: no path", c.path)
			continue
		}
		if got := found.Operation(c.method); got != c.operation || !slices.Equal(params, c.params) || !slices.Equal(found.Methods(), c.methods) {
			t.Errorf("%s %s = %q with %q of %v; want %q with %q of %v", c.method, c.path, got, params, found.Methods(), c.operation, c.params, c.methods)
		}
	}
	for _, path := range []string{"", "/", "/a", "/a/", "//a/otp", "/a//otp", "/a/otp//", "/a/otp/%zz", "/a/otp/1/check/2", "/a/p/1/t", "/A/otp", "/a/p/1/t//"} {
		if found, params := paths.Find(path); found != nil || params != nil {
			t.Errorf("%q is a path of %v, with %q", path, found.Methods(), params)
		}
	}
	if found, _ := (&wire.Paths[string]{}).Find("/a"); found != nil {
		t.Error("without paths, one is found")
	}
}
