// Package proof has no code, only tests of promises that no single package
// keeps alone: histories of concurrent calls against a sequential model,
// servers killed amid their work, nodes whose database fails over or goes away,
// bursts of requests, and a search for secrets in everything that a server
// leaves behind. docs/reliability.md describes them.
//
// Long forms run with the build tag soak.
package proof
