package tyntecv1

import (
	"context"
	"maps"
	"strings"

	"github.com/countersign/countersign/internal/api/wire"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/message"
)

// languages are the codes of ISO 639-1, 183 of them.
const languages = " aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy " +
	"da de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz " +
	"ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv " +
	"mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw " +
	"sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty " +
	"ug uk ur uz ve vi vo wa wo xh yi yo za zh zu "

// isLanguage reports whether code is one of them, in lower case.
func isLanguage(code string) bool {
	return len(code) == 2 && strings.Contains(languages, " "+code+" ")
}

// textName reads which text of an application is meant (contract v1 §3.12):
// its language and its channel, "" for all.
func textName(p params) (language string, channel message.Channel, err error) {
	if language = wire.Fold(p["language"]); !isLanguage(language) {
		return "", "", errLanguage
	}
	name, ok := p["channel"]
	if !ok {
		return language, "", nil
	}
	if channel, ok = channels[wire.Fold(name)]; !ok {
		return "", "", errChannel
	}
	return language, channel, nil
}

// required returns an error for the first parameter that is not there.
func (p params) required(names ...string) error {
	for _, name := range names {
		if p[name] == "" {
			return missing(name)
		}
	}
	return nil
}

// setText adds or replaces a text.
func (f *facade) setText(ctx context.Context, c *call) (reply, error) {
	return f.changeTexts(ctx, c, []string{"language", "text"}, func(texts map[string]string, language string, channel message.Channel) error {
		text := c.params["text"]
		if !fits(text, maxText) || !strings.Contains(text, codePlaceholder) {
			return errText
		}
		texts[textKey(language, channel)] = text
		return nil
	})
}

// deleteText removes exactly the text that is named.
func (f *facade) deleteText(ctx context.Context, c *call) (reply, error) {
	return f.changeTexts(ctx, c, []string{"language"}, func(texts map[string]string, language string, channel message.Channel) error {
		key := textKey(language, channel)
		if key == english {
			return errBaseLanguage
		}
		if _, ok := texts[key]; !ok {
			return errTemplate
		}
		delete(texts, key)
		return nil
	})
}

// changeTexts changes the texts of the path's application.
func (f *facade) changeTexts(
	ctx context.Context, c *call, needed []string, apply func(texts map[string]string, language string, channel message.Channel) error,
) (reply, error) {
	if _, err := f.application(ctx, c.account.Name, c.id); err != nil {
		return reply{}, err
	}
	if err := c.params.required(needed...); err != nil {
		return reply{}, err
	}
	language, channel, err := textName(c.params)
	if err != nil {
		return reply{}, err
	}
	return f.change(ctx, c, func(a *catalog.Application, _ []catalog.Application) error {
		a.Texts = maps.Clone(a.Texts) // the change may run more than once
		return apply(a.Texts, language, channel)
	})
}
