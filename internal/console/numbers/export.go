package numbers

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/console/page"
	"github.com/countersign/countersign/internal/report"
)

// export answers with the figures of every bucket and value as CSV.
func (g *Group) export(w http.ResponseWriter, r *page.Request) error {
	f, err := g.figures(r)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	out := csv.NewWriter(&b)
	rows := [][]string{{
		f.Span.String(), f.By.String(), "sent", "delivered", "undeliverable", "verified",
		"conversion", "seconds_to_verify_median", "seconds_to_verify_p95",
	}}
	for i, start := range f.Starts {
		for _, l := range f.Lines {
			if c := &l.At[i]; *c != (report.Counts{}) {
				rows = append(rows, append([]string{start.Format(time.RFC3339), cell(l.Value)}, figures(c)...))
			}
		}
	}
	if err := out.WriteAll(rows); err != nil {
		return fmt.Errorf("write csv: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8; header=present")
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="numbers-by-%s-per-%s.csv"`, f.By, f.Span))
	_, _ = w.Write(b.Bytes()) // a browser that left needs none
	return nil
}

func figures(c *report.Counts) []string {
	var all []string
	for _, n := range []int64{c.Sent, c.Delivered, c.Undeliverable, c.Verified} {
		all = append(all, strconv.FormatInt(n, 10))
	}
	share := ""
	if s, ok := c.Conversion(); ok {
		share = strconv.FormatFloat(s, 'f', 4, 64)
	}
	all = append(all, share)
	for _, q := range []float64{0.5, 0.95} {
		text := ""
		if d, ok := c.Times.Quantile(q); ok {
			text = strconv.FormatFloat(d.Seconds(), 'f', 1, 64)
		}
		all = append(all, text)
	}
	return all
}

// cell keeps spreadsheets from taking a name for a formula.
func cell(name string) string {
	if name != "" && strings.ContainsRune("=+-@\t\r", rune(name[0])) {
		return "'" + name
	}
	return name
}
