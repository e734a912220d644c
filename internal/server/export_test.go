package server

// RefusePostgres is what Open makes of an error of the PostgreSQL store.
func RefusePostgres(err error) error { return refusePostgres(SettingsDatabase, err) }
