package desk

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/console/page"
	"github.com/countersign/countersign/internal/verify"
)

// heldTemplate is a template that WhatsApp holds, as the API tells of it.
type heldTemplate struct {
	Name               string `json:"name"`
	Language           string `json:"language"`
	Status             string `json:"status"`
	OTPType            string `json:"otpType"`
	Message            string `json:"message"`
	Footer             string `json:"codeExpirationText"`
	CopyButtonText     string `json:"copyButtonText"`
	AutofillButtonText string `json:"autofillButtonText"`
	UpdatedAt          string `json:"updatedAt"`
}

// Text is the body with a sample code.
func (h heldTemplate) Text() string { return strings.ReplaceAll(h.Message, "{{1}}", sample(6)) }

// Button is the label of the button.
func (h heldTemplate) Button() string {
	if h.OTPType == oneTap {
		return cmp.Or(h.AutofillButtonText, "Autofill")
	}
	return cmp.Or(h.CopyButtonText, "Copy code")
}

const (
	copyCode = "COPY_CODE"
	oneTap   = "ONE_TAP"
)

// LanguageName is what people call the language.
func (h heldTemplate) LanguageName() string { return languageName(h.Language) }

// Updated is when WhatsApp last said something else, in UTC.
func (h heldTemplate) Updated() string { return strings.Replace(h.UpdatedAt, "T", " ", 1) + " UTC" }

// Tone is how the state looks.
func (h heldTemplate) Tone() string {
	switch h.Status {
	case catalog.WhatsAppApproved:
		return "good"
	case catalog.WhatsAppRejected, "DISABLED", "PAUSED", "FAILED":
		return "bad"
	case catalog.WhatsAppRequested, catalog.WhatsAppPending, "IN_APPEAL":
		return "warn"
	}
	return ""
}

// Means is what follows from the state.
func (h heldTemplate) Means() string {
	switch h.Status {
	case catalog.WhatsAppApproved:
		return "It can be sent."
	case catalog.WhatsAppRequested:
		return "It waits to be handed in."
	case catalog.WhatsAppPending:
		return "WhatsApp reviews it."
	case catalog.WhatsAppRejected:
		return "WhatsApp refused it: it cannot be sent. Hand in another one."
	case catalog.WhatsAppDeletionPending:
		return "It is being deleted; its name stays taken for 30 days."
	case "PAUSED", "DISABLED":
		return "WhatsApp stopped it: it cannot be sent."
	}
	return "It cannot be sent in this state."
}

type whatsAppPage struct {
	AccountID        string
	Templates        part[heldTemplate]
	Trouble          string
	Languages, Kinds []page.Option
}

func (g *Group) listWhatsApp(w http.ResponseWriter, r *page.Request) error {
	f := r.Form()
	f.Set("language", "en")
	f.Set("addSecurityRecommendation", "yes")
	return g.renderWhatsApp(w, r, http.StatusOK)
}

func (g *Group) renderWhatsApp(w http.ResponseWriter, r *page.Request, status int) error {
	data := whatsAppPage{
		Languages: languageOptions(), Kinds: []page.Option{{Value: copyCode, Label: "Copy code"}, {Value: oneTap, Label: "One-tap autofill"}},
	}
	var err error
	data.AccountID, err = g.cfg.Catalog.WhatsAppAccount(r.Context(), r.Account)
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		return fmt.Errorf("read WhatsApp account: %w", err)
	}
	if data.AccountID != "" {
		var all []heldTemplate
		if all, data.Trouble, err = g.held(r); err != nil {
			return err
		}
		data.Templates = partOf(r, all, func(h heldTemplate) string { return h.Language + " " + h.Name })
	}
	return r.Render(w, status, "whatsapp.html", data)
}

// held lists what WhatsApp holds; trouble says why it could not be asked.
func (g *Group) held(r *page.Request) (all []heldTemplate, trouble string, err error) {
	status, answer := g.cfg.V4.Call(r.Context(), r.Account, http.MethodGet, v4+"/templates/whatsapp", "")
	switch status {
	case http.StatusOK:
		if err := json.Unmarshal(answer, &all); err != nil {
			return nil, "", fmt.Errorf("read the API's list of WhatsApp templates: %w", err)
		}
		return all, "", nil
	case http.StatusNotFound:
		return nil, "WhatsApp does not know this account.", nil
	case http.StatusServiceUnavailable:
		return nil, "", verify.ErrUnavailable
	}
	return nil, "WhatsApp could not be asked: what state its templates are in is not known. The log of the server says why.", nil
}

func (g *Group) nameWhatsApp(w http.ResponseWriter, r *page.Request) error {
	body := map[string]any{"whatsAppAccountId": r.Form().Value("whatsAppAccountId")}
	_, ok, err := g.ask(r, http.MethodPost, "/configurations/channels/whatsapp", body, []field{{"whatsAppAccountId", "whatsAppAccountId", "The id"}})
	if err != nil {
		return err
	}
	if !ok {
		return g.renderWhatsApp(w, r, http.StatusUnprocessableEntity)
	}
	return r.Redirect(w, "/templates/whatsapp", page.Good("The WhatsApp account was named."))
}

func (g *Group) submitWhatsApp(w http.ResponseWriter, r *page.Request) error {
	f := r.Form()
	body := map[string]any{
		"name": f.Value("name"), "language": f.Value("language"), "otpType": f.Value("otpType"),
		"addSecurityRecommendation": f.Has("addSecurityRecommendation"),
	}
	put(body, f, "codeExpirationTime", "copyButtonText")
	if f.Value("otpType") == oneTap {
		put(body, f, "autofillButtonText", "packageName", "signatureHash")
	}
	_, ok, err := g.ask(r, http.MethodPost, "/templates/whatsapp", body, []field{
		{"name", "name", "The name"},
		{"language", "language", "The language"},
		{"otpType", "otpType", "The button"},
		{"codeExpirationTime", "codeExpirationTime", "The number of minutes"},
		{"copyButtonText", "copyButtonText", "The label"},
		{"autofillButtonText", "autofillButtonText", "The label"},
		{"packageName", "packageName", "The package"},
		{"signatureHash", "signatureHash", "The hash"},
	})
	if err != nil {
		return err
	}
	if !ok {
		return g.renderWhatsApp(w, r, http.StatusUnprocessableEntity)
	}
	return r.Redirect(w, "/templates/whatsapp", page.Good("The template was handed in. WhatsApp reviews it."))
}

func (g *Group) deleteWhatsApp(w http.ResponseWriter, r *page.Request) error {
	_, ok, err := g.ask(r, http.MethodDelete, "/templates/whatsapp/"+url.PathEscape(r.Form().Value("name")), nil, nil)
	if err != nil {
		return err
	}
	if !ok {
		return g.renderWhatsApp(w, r, http.StatusUnprocessableEntity)
	}
	return r.Redirect(w, "/templates/whatsapp", page.Good("WhatsApp deletes the template."))
}
