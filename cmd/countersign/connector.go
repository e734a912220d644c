package main

import (
	"errors"
	"path/filepath"

	"github.com/countersign/countersign/internal/connector"
)

type connectorCmd struct {
	Host string `required:"" placeholder:"HOST" help:"The server's public host name, with a port if it is not 443."`
	Out  string `default:"./connector" placeholder:"DIR" help:"Where to write the files; ./connector if not given."`
}

func (c connectorCmd) Run(e *environment) error {
	files, err := connector.Write(c.Out, c.Host)
	if errors.Is(err, connector.ErrHost) {
		return useError{"--host: " + err.Error()}
	}
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := e.say(filepath.Join(c.Out, f.Name)); err != nil {
			return err
		}
	}
	return nil
}
