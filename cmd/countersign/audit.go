package main

import (
	"errors"
	"fmt"

	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/server"
)

type auditCmd struct {
	Verify auditVerifyCmd `cmd:"" help:"Prove that the audit list holds together; with a checkpoint, that nothing was removed since."`
}

type auditVerifyCmd struct {
	Checkpoint *string `arg:"" optional:"" help:"What a server logged as checkpoint."`
}

func (c auditVerifyCmd) Run(e *environment) error {
	var since *audit.Checkpoint
	if c.Checkpoint != nil { // one that is empty was asked for too: a script lost it
		parsed, err := audit.ParseCheckpoint(*c.Checkpoint)
		if err != nil {
			return &server.RefusalError{What: "CHECKPOINT cannot be read", Expected: "c1.…, as a server logged it", Err: err}
		}
		since = &parsed
	}
	return e.with(func(d *server.Deployment) error {
		log := d.Audit()
		p, err := log.Prove(e.ctx)
		if err != nil {
			return err
		}
		if err := p.Err(); err != nil {
			return unlisted(err)
		}
		if since != nil {
			if err := log.Since(e.ctx, *since); err != nil {
				return unlisted(err)
			}
		}
		signed, err := log.Sign(p)
		if err != nil {
			return err
		}
		return e.say(fmt.Sprintf("%d entries hold together", p.Entries), signed.String())
	})
}

// unlisted says what was expected where a root key is not listed.
func unlisted(err error) error {
	if !errors.Is(err, audit.ErrKeyUnknown) {
		return err
	}
	return &server.RefusalError{
		What: "nothing is proven", Expected: "every earlier root key in secret_key_previous; if all are listed, the key's id was tampered with", Err: err,
	}
}
