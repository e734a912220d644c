package server

// NewHTTPServer is newHTTPServer.
var NewHTTPServer = newHTTPServer

// RefusePostgres is what Open makes of an error of the PostgreSQL store.
func RefusePostgres(err error) error { return refusePostgres(SettingsDatabase, err) }
