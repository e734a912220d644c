// Package browsertest holds the tests that drive the console in a real browser,
// against the real binary: Chromium, through npm's playwright-core, with axe for
// accessibility. What people do and see is in testdata/*.cjs, a case each; the
// Go side starts servers, hands cases their links and keys, and says what must
// come out. With UPDATE_SCREENSHOTS=1 it also takes the pictures of
// docs/images/console.
package browsertest
