package fleet

// Observer is told what happens at carriers, for metrics. Many goroutines call
// it at once; it does not block.
type Observer interface {
	// ReceiptRefused: a receipt over HTTP was not taken. carrier is "" where the
	// sender had no token of one.
	ReceiptRefused(carrier, reason string)
	// Noticed: something happened that the carrier's type counts.
	Noticed(carrier, notice string)
	// Bound: a connection that a carrier keeps was made, or lost. link names it.
	Bound(carrier, link string, up bool)
	// Gone: a connection is kept no longer.
	Gone(carrier, link string)
}

type unobserved struct{}

func (unobserved) ReceiptRefused(string, string) {}
func (unobserved) Noticed(string, string)        {}
func (unobserved) Bound(string, string, bool)    {}
func (unobserved) Gone(string, string)           {}
