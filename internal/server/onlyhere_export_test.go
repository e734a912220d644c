package server

import "context"

// What tests reach of the start.
var (
	ListenOn               = listenOn
	ShownAddress           = shownAddress
	WarnWithoutAuthorities = warnWithoutAuthorities
)

// NoListener is noListener of a server without settings.
func NoListener(setting string, err error) error { return (&Server{}).noListener(setting, err) }

// WarnOfFiles is warnOfFiles.
func (s *Server) WarnOfFiles(ctx context.Context) { s.warnOfFiles(ctx) }
