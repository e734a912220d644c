// Package config holds the settings of a server. Each setting is a TOML key,
// an environment variable and, unless it is a key or a password, a flag: the
// flag wins over the environment, the environment over the file, the file over
// the default. A key that no setting has is an error, and a wrong value is
// reported with the setting's name, where it came from and what was expected.
//
// The table in settings.go is the one list of settings. Flags, environment
// variables, TOML keys and the checks are all made from it.
package config
