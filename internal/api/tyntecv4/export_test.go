package tyntecv4

import "errors"

// ErrUnreadable is what DecodeTexts returns for a body that is 400 BR.
var ErrUnreadable = errors.New("unreadable")

// DecodeTexts reads string members of a body as the facade does; absent ones
// are not in the result.
func DecodeTexts(body []byte, names ...string) (map[string]string, error) {
	o, err := parseObject(body)
	if err != nil {
		return nil, ErrUnreadable
	}
	texts := map[string]string{}
	for _, n := range names {
		if s := o.text(n); s != nil {
			texts[n] = *s
		}
	}
	if o.fits() != nil {
		return nil, ErrUnreadable
	}
	return texts, nil
}

// DecodeEverything reads every kind of body and applies the rules, for panics.
func DecodeEverything(body []byte) {
	o, err := parseObject(body)
	if err != nil {
		return
	}
	f := &facade{Config: Config{}.withDefaults()}
	var v violations
	readSend(o).check(&v)
	f.checkTemplate(readTemplateBody(o), &v)
	f.checkWhatsAppTemplate(readWhatsAppBody(o), &v)
	links := readLinks(o)
	links.check(&v)
	if v.err() == nil {
		_, _ = links.resolve(nil)
		links.firstWhatsApp()
	}
	_, _ = o.pairs("headers")
	_ = o.word("alphanumeric")
	_ = o.fits()
}
