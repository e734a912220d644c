// Package npmtest installs npm's packages, and starts scripts that use them, for
// tests that talk to programs of other authors.
package npmtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// installBound is how long npm may take, on a slow network.
const installBound = 4 * time.Minute

// Modules returns the node_modules directory that holds packages, each written
// with its exact version: "smpp@0.5.1". They are installed once and kept in the
// user's cache; scripts of packages are not run. A test that cannot have them
// fails.
func Modules(t testing.TB, names ...string) string {
	t.Helper()
	dir, err := install(t.Context(), names)
	if err != nil {
		t.Fatalf("npm install %s (install Node.js 20 or later with npm): %v", strings.Join(names, " "), err)
	}
	return filepath.Join(dir, "node_modules")
}

func install(ctx context.Context, names []string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache: %w", err)
	}
	dir := filepath.Join(cache, "countersign-test", "npm", strings.ReplaceAll(strings.Join(names, ","), "/", "+"))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o750); err != nil {
		return "", fmt.Errorf("make the cache: %w", err)
	}
	fresh, err := os.MkdirTemp(filepath.Dir(dir), "install-")
	if err != nil {
		return "", fmt.Errorf("make the cache: %w", err)
	}
	defer func() { _ = os.RemoveAll(fresh) }() // gone if it was renamed
	ctx, cancel := context.WithTimeout(ctx, installBound)
	defer cancel()
	args := append([]string{"install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", fresh}, names...)
	cmd := exec.CommandContext(ctx, "npm", args...) //nolint:gosec // a test names the packages
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	if err := os.Rename(fresh, dir); err != nil {
		if _, gone := os.Stat(dir); gone != nil { // else another test run was first
			return "", fmt.Errorf("keep the package: %w", err)
		}
	}
	return dir, nil
}

// Command returns node with a script and its arguments; the script finds the
// modules of that directory. It is killed when ctx ends.
func Command(ctx context.Context, modules, script string, args ...string) *exec.Cmd {
	//nolint:gosec // a test names the script
	cmd := exec.CommandContext(ctx, "node", append([]string{script}, args...)...)
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
	return cmd
}
