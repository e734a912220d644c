package console

import (
	"embed"
	"errors"
	"io/fs"
	"net/http"

	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/console/page"
)

//go:embed templates/*.html
var templateFiles embed.FS

// doors are the pages that lead in and out.
type doors struct {
	access *access.Service
	secure bool
}

// Links implements page.Group: doors are not in the navigation.
func (*doors) Links() []page.Link { return nil }

// Templates implements page.Group.
func (*doors) Templates() fs.FS { return page.Embedded(templateFiles) }

// Register implements page.Group.
func (d *doors) Register(r *page.Routes) {
	r.Door("GET /sign-in", d.showSignIn)
	r.Door("POST /sign-in", d.signIn)
	r.Door("GET /enter", d.showEnter)
	r.Door("POST /enter", d.enter)
	r.Door("POST /enrol", d.enrol)
	r.Handle("POST /sign-out", page.Read, d.signOut)
	r.Handle("POST /prove", page.Read, d.prove)
}

// signInPage is what the sign-in page shows.
type signInPage struct {
	Next      string
	Local     bool // a link alone signs in
	NeedsTLS  bool // cookies come back over TLS only, and this is not
	NobodyYet bool
}

func (d *doors) showSignIn(w http.ResponseWriter, r *page.Request) error {
	// A click on another site's link comes without our cookie, however signed in
	// somebody is (SameSite=Strict). Asked by our own page, the browser sends it.
	if r.Header.Get("Sec-Fetch-Site") == "cross-site" {
		w.Header().Set("Refresh", "0")
	}
	next := r.Next(r.URL.Query().Get("next"))
	if r.HasSession() {
		return r.Redirect(w, next, page.Flash{})
	}
	return d.renderSignIn(w, r, http.StatusOK, next)
}

func (d *doors) renderSignIn(w http.ResponseWriter, r *page.Request, status int, next string) error {
	has, err := d.access.HasUsers(r.Context())
	if err != nil {
		return err //nolint:wrapcheck // says what it was doing
	}
	return r.Render(w, status, "sign-in.html", signInPage{
		Next: next, Local: d.access.IsLocal(), NobodyYet: !has, NeedsTLS: d.secure && r.TLS == nil,
	})
}

func (d *doors) signIn(w http.ResponseWriter, r *page.Request) error {
	f := r.Form()
	next := r.Next(f.Value("next"))
	token, err := d.access.SignIn(r.Context(), f.Value("name"), f.Raw("password"), f.Value("code"))
	if status := refuseProof(f, err); status != 0 {
		return d.renderSignIn(w, r, status, next)
	}
	if err != nil {
		return err //nolint:wrapcheck // says what it was doing
	}
	return d.begin(w, r, token, next, page.Flash{})
}

// begin signs the browser in with a new session and leads to next. The session
// that it brought is over, also for whoever has a copy of its cookie.
func (d *doors) begin(w http.ResponseWriter, r *page.Request, token, next string, said page.Flash) error {
	if err := d.access.Leave(r.Context(), r.SessionToken()); err != nil {
		return err //nolint:wrapcheck // says what it was doing
	}
	r.SetSession(w, token)
	return r.Redirect(w, next, said)
}

// refuseProof says on the form what is wrong with what somebody gave to prove
// who they are, and returns the answer's status; 0 if nothing is, or if it is
// not the person's fault.
func refuseProof(f *page.Form, err error) int {
	if locked, ok := errors.AsType[*access.LockedError](err); ok {
		f.Refuse("", "Too many failures. Try again after "+locked.Until.UTC().Format("15:04")+" UTC.")
		return http.StatusTooManyRequests
	}
	switch {
	case errors.Is(err, access.ErrWrong):
		f.Refuse("", "The name, the password or the code is wrong. A code works once.")
	case errors.Is(err, access.ErrSuspended):
		f.Refuse("", "Your account is suspended. Whoever runs the server can enable it again.")
	default:
		return 0
	}
	return http.StatusUnprocessableEntity
}

// enterPage is what the page of a one-time link shows.
type enterPage struct {
	Auto bool // the link signs in without a click: nobody is signed in
}

// confirmedField says that somebody who is signed in was asked, see enter.
const confirmedField = "confirmed"

func (d *doors) showEnter(w http.ResponseWriter, r *page.Request) error {
	return d.renderEnter(w, r, http.StatusOK)
}

func (d *doors) renderEnter(w http.ResponseWriter, r *page.Request, status int) error {
	return r.Render(w, status, "enter.html", enterPage{Auto: !r.HasSession()})
}

// enter takes the token of a one-time link.
func (d *doors) enter(w http.ResponseWriter, r *page.Request) error {
	f := r.Form()
	token := f.Value("token")
	invite, err := d.access.Invited(r.Context(), token)
	if errors.Is(err, access.ErrNotFound) {
		return d.refuseLink(w, r)
	}
	if err != nil {
		return err //nolint:wrapcheck // says what it was doing
	}
	if !d.access.IsLocal() {
		return d.renderEnrol(w, r, http.StatusOK, token, invite, d.access.NewEnrolment(token))
	}
	// Somebody who is signed in is asked first: a link from elsewhere must not put
	// them into another account unnoticed. If it was on another site, the page came
	// without the cookie (SameSite=Strict) and could not know; its form has it.
	if !f.Has(confirmedField) && r.HasSession() {
		return d.renderEnter(w, r, http.StatusOK)
	}
	session, err := d.access.Enter(r.Context(), token)
	if errors.Is(err, access.ErrNotFound) {
		return d.refuseLink(w, r)
	}
	if err != nil {
		return err //nolint:wrapcheck // says what it was doing
	}
	return d.begin(w, r, session, "/", page.Flash{})
}

func (d *doors) refuseLink(w http.ResponseWriter, r *page.Request) error {
	r.Form().Set("token", "")
	r.Form().Refuse("token", "This link was used before or is too old. Whoever runs the server makes another with: countersign console invite --account NAME --role owner")
	return d.renderEnter(w, r, http.StatusUnprocessableEntity)
}

// enrolPage is what the page shows on which a new user chooses a password.
type enrolPage struct {
	Invite  access.Invite
	Token   string
	Enrol   access.Enrolment
	QR      access.QR
	TOTPURL string
}

func (d *doors) renderEnrol(w http.ResponseWriter, r *page.Request, status int, token string, i access.Invite, e access.Enrolment) error {
	u := access.TOTPURL(e.Secret, i.Account, string(i.Role))
	qr, err := access.NewQR(u)
	if err != nil {
		return err //nolint:wrapcheck // says what it was doing
	}
	return r.Render(w, status, "enrol.html", enrolPage{Invite: i, Token: token, Enrol: e, QR: qr, TOTPURL: u})
}

// enrol makes a user out of an invite.
func (d *doors) enrol(w http.ResponseWriter, r *page.Request) error {
	f := r.Form()
	token := f.Value("token")
	invite, err := d.access.Invited(r.Context(), token)
	if errors.Is(err, access.ErrNotFound) {
		return d.refuseLink(w, r)
	}
	if err != nil {
		return err //nolint:wrapcheck // says what it was doing
	}
	e, err := d.access.OpenEnrolment(token, f.Value("enrolment"))
	if err != nil { // of another day: show a new one
		return d.renderEnrol(w, r, http.StatusUnprocessableEntity, token, invite, d.access.NewEnrolment(token))
	}
	name, password := f.Value("name"), f.Raw("password")
	if name == access.LocalName {
		f.Refuse("name", "This name is reserved. Choose another.")
	} else if !access.ValidName(name) {
		f.Refuse("name", "A name has 1 to 63 of a–z, 0–9 and . _ @ + -, and begins with a letter or digit.")
	}
	if !access.GoodPassword(password, name) {
		f.Refuse("password", "A password has 12 characters or more, and is neither your name nor one letter repeated.")
	} else if f.Raw("again") != password {
		f.Refuse("again", "The two passwords differ.")
	}
	if f.OK() {
		session, err := d.access.Enrol(r.Context(), token, e, name, password, f.Value("code"))
		switch {
		case err == nil:
			return d.begin(w, r, session, "/", page.Good("Welcome. From now on you sign in with name, password and a code of your app."))
		case errors.Is(err, access.ErrWrongCode):
			f.Refuse("code", "The code is wrong. It changes every 30 seconds; the clock of the phone has to be right.")
		case errors.Is(err, access.ErrNameTaken):
			f.Refuse("name", "Somebody has this name already.")
		case errors.Is(err, access.ErrNotFound):
			return d.refuseLink(w, r)
		default:
			return err //nolint:wrapcheck // says what it was doing
		}
	}
	f.Set("code", "")
	return d.renderEnrol(w, r, http.StatusUnprocessableEntity, token, invite, e)
}

// signOut ends the session at once.
func (d *doors) signOut(w http.ResponseWriter, r *page.Request) error {
	if err := d.access.SignOut(r.Context(), r.Session); err != nil {
		return err //nolint:wrapcheck // says what it was doing
	}
	r.SetSession(w, "")
	said := "You are signed out."
	if r.Form().Value("then") == "switch" {
		said = "Sign in as a user of the other account."
	}
	return r.Redirect(w, "/sign-in", page.Good(said))
}

// prove takes the password again and goes on with what waited for it.
func (d *doors) prove(w http.ResponseWriter, r *page.Request) error {
	f := r.Form()
	kept := r.KeptForm()
	err := d.access.Prove(r.Context(), r.Session, f.Raw("password"), f.Value("code"))
	if status := refuseProof(f, err); status != 0 {
		f.Set("code", "")
		return r.RenderProof(w, status, kept)
	}
	if err != nil {
		return err //nolint:wrapcheck // says what it was doing
	}
	if kept.Post {
		return r.RenderProceed(w, kept)
	}
	return r.Redirect(w, kept.Target, page.Flash{})
}
