package delivery

import "github.com/countersign/countersign/internal/phone"

// Coverage tells which plans limits apply to. It satisfies the interface of
// package verify.
type Coverage struct {
	Router Router
	// IsSandbox tells sandbox carriers from real ones; nil: there is no
	// sandbox.
	IsSandbox func(Carrier) bool
	// SandboxLimits applies limits to what only sandbox carriers carry, too.
	SandboxLimits bool
}

// Limited reports whether a plan to this recipient is limited: false if every
// carrier that could be tried for any of its steps is a sandbox, true also if
// there is no carrier at all.
func (c Coverage) Limited(plan Plan, to phone.Recipient) bool {
	if c.SandboxLimits || c.IsSandbox == nil {
		return true
	}
	carried := false
	for i := 0; ; i++ {
		step, ok := plan.Step(i)
		if !ok {
			return !carried
		}
		for _, carrier := range c.Router.Route(step.Channel, to, "") {
			if !c.IsSandbox(carrier) {
				return true
			}
			carried = true
		}
	}
}
