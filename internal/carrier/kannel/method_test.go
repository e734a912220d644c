package kannel_test

import (
	"net/http"
	"testing"

	"github.com/countersign/countersign/internal/carrier/kannel"
	"github.com/countersign/countersign/internal/delivery"
)

func TestAGatewayThatTakesNoSuchMethodIsTheOperatorsToMend(t *testing.T) {
	t.Parallel()
	at := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusMethodNotAllowed) })
	c, _ := start(t, config(at), kannel.Deps{ReceiptURL: receiptURL})
	if r := c.Submit(t.Context(), text(t, "{code}")); r.Class != delivery.Config || r.Failure.Code != "405" {
		t.Errorf("Submit = %+v; want Config, 405", r)
	}
}
