package server

import (
	"net/http"
	"net/http/pprof"

	"github.com/countersign/countersign/internal/config"
)

// admin answers on the admin address: metrics, and profiling while nobody but
// this machine can reach it (S-01).
func admin(metrics http.Handler, address string) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	if config.Loopback(address) {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return mux
}
