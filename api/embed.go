// Package api holds the OpenAPI documents that the server serves and that the
// tests check every answer against.
package api

import _ "embed"

//go:embed v4.yaml
var v4 []byte

// V4 returns the OpenAPI document of the version 4 API, YAML. Do not change it.
func V4() []byte { return v4 }

//go:embed octopush.yaml
var octopush []byte

// Octopush returns the OpenAPI document of the Octopush-compatible API, YAML. Do
// not change it.
func Octopush() []byte { return octopush }

//go:embed sandbox.yaml
var sandbox []byte

// Sandbox returns the OpenAPI document of the sandbox's inbox, YAML. Do not
// change it.
func Sandbox() []byte { return sandbox }

//go:embed v1.yaml
var v1 []byte

// V1 returns the OpenAPI document of the version 1 API, YAML. Do not change it.
func V1() []byte { return v1 }
