package desk

import (
	"fmt"
	"net/http"
	"time"

	"github.com/countersign/countersign/internal/console/page"
	"github.com/countersign/countersign/internal/upkeep"
)

// nodeLate is after how long without a sign a node is shown as silent.
const nodeLate = time.Minute

// operationPage is how the deployment does.
type operationPage struct {
	Mode     string
	Notices  []string
	Carriers []Carrier
	Queues   upkeep.Queues
	Nodes    []nodeRow
}

type nodeRow struct {
	Node

	Silent bool
}

func (g *Group) showOperation(w http.ResponseWriter, r *page.Request) error {
	q, err := g.cfg.Queues(r.Context())
	if err != nil {
		return fmt.Errorf("measure the queues: %w", err)
	}
	q.DeliveryAge, q.CallbackAge = q.DeliveryAge.Round(time.Millisecond), q.CallbackAge.Round(time.Millisecond)
	nodes, err := g.cfg.Nodes(r.Context())
	if err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}
	data := operationPage{Mode: g.cfg.Mode, Notices: g.cfg.Notices, Carriers: g.cfg.Carriers(), Queues: q}
	for _, n := range nodes {
		data.Nodes = append(data.Nodes, nodeRow{n, r.Now().Sub(n.Seen) > nodeLate})
	}
	return r.Render(w, http.StatusOK, "operation.html", data)
}
