// Command bench measures a real server, started as its users start it, beside
// ceilings measured in the same run on the same machine: a bare net/http
// server, and a bare SQLite store with group commit. It prints every figure
// beside its ceiling and their ratio, so that anyone can run it again; single
// figures of a noisy machine mean little, ratios in one run mean something.
//
// All load goes to loopback, is bounded in count and time, and stops by
// itself.
package main
