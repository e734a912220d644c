// Package proof has no code, only tests of promises that no single package
// keeps alone: histories of concurrent calls against a sequential model,
// servers killed amid their work, bursts of requests, and a search for secrets
// in everything that a server leaves behind.
//
// Long forms run with the build tag soak.
package proof
