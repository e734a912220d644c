package fleet

import (
	"strconv"

	"github.com/countersign/countersign/internal/carrier/smpp"
	"github.com/countersign/countersign/internal/config"
)

func readSMPP(r *config.Reader, name string) smpp.Config {
	c := smpp.Config{Name: name}
	r.Text("host", &c.Host)
	r.Count("port", &c.Port)
	r.Text("mode", &c.Mode)
	r.Count("binds", &c.Binds)
	r.Text("system_id", &c.SystemID)
	r.Secret("password", func(s string) { c.Password = smpp.NewPassword(s) })
	r.Text("system_type", &c.SystemType)
	r.Text("address_range", &c.AddressRange)
	r.Bool("tls", &c.TLS)
	r.Text("tls_server_name", &c.ServerName)
	r.Text("tls_ca_file", &c.CAFile)
	r.Text("tls_cert_file", &c.CertFile)
	r.Text("tls_key_file", &c.KeyFile)
	r.Bool("allow_plaintext", &c.AllowPlaintext)
	r.Count("window", &c.Window)
	r.Float("rate", &c.Rate)
	r.Text("service_type", &c.ServiceType)
	r.Text("sender", &c.Sender)
	r.Text("short_code_ton_npi", &c.ShortCode)
	r.Text("dest_ton_npi", &c.Dest)
	r.Bool("keep_plus", &c.KeepPlus)
	r.Text("alphabet", &c.Alphabet)
	r.Bool("flash", &c.Flash)
	r.Text("long", &c.Long)
	r.Text("validity", &c.Validity)
	r.Text("receipts", &c.Receipts)
	r.Text("receipt_id", &c.ReceiptID)
	r.TextMap("statuses", &c.Statuses)
	r.TextMap("tlvs", &c.TLVs)
	return c
}

func openSMPP(c smpp.Config, e env) (*smpp.Carrier, error) {
	return smpp.New(c, smpp.Deps{ //nolint:wrapcheck // its caller finds the key
		Receive: e.receive, Log: e.log, Now: e.now, Observer: smppObserver{e.observer}, Parts: e.memory.parts,
	})
}

// smppObserver passes on what an SMPP carrier tells.
type smppObserver struct{ to Observer }

func (o smppObserver) Changed(carrier string, s smpp.BindState) {
	o.to.Bound(carrier, linkName(s), s.Bound)
}

func (o smppObserver) Noticed(carrier string, n smpp.Notice) { o.to.Noticed(carrier, string(n)) }

func linkName(s smpp.BindState) string { return strconv.Itoa(s.Bind) + " " + s.Kind }
