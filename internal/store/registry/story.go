package registry

import (
	"github.com/countersign/countersign/internal/report"
	"github.com/countersign/countersign/internal/store/column"
)

// ScanWaiting reads a callback of an OTP's story.
func ScanWaiting(row Row) (w report.Waiting, err error) {
	var due int64
	err = row.Scan(&w.ConfigID, &w.EventSeq, &w.Attempts, &due, &w.Status, &w.Problem)
	w.Due = column.FromMicros(due)
	return w, err
}
