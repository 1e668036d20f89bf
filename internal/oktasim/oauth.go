package oktasim

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// OAuth is an org's own authorization server, /oauth2/v1, the only one that grants okta.* scopes:
// https://developer.okta.com/docs/concepts/auth-servers/.
type OAuth struct {
	Apps []OAuthApp

	// TokenLife is how long access tokens live; 0 is Okta's hour.
	TokenLife time.Duration
	// NonceLife is how long a nonce is good before another takes its place. 0 is as Okta has it: another one every 24
	// hours, and each good for three days.
	NonceLife time.Duration
	// ResourceNonce makes API calls need a nonce, too, which Okta keeps the right to.
	ResourceNonce bool
	// RefreshGrace is how long a refresh token that was rotated can still be used; 0 is Okta's default of 30 seconds,
	// negative is not at all. Later use revokes the token that took its place, and all that came from it.
	RefreshGrace time.Duration
	// RefreshIdle is how long a refresh token lives unused; 0 is Okta's default of 7 days.
	RefreshIdle time.Duration
}

// DPoPMode is what an app makes of DPoP proofs.
type DPoPMode int

const (
	// DPoPOff grants Bearer tokens and ignores proofs.
	DPoPOff DPoPMode = iota
	// DPoPRequired refuses token requests without a proof, as new service apps do.
	DPoPRequired
	// DPoPOptional binds a token to a proof where there is one.
	DPoPOptional
)

// OAuthApp is an app registered with the org.
type OAuthApp struct {
	ClientID string
	// Service makes it an API Services app with the client credentials grant; else it is a web app with the
	// authorization code and refresh token grants.
	Service bool
	Keys    []jose.JSONWebKey // public ones, of an app that authenticates with private_key_jwt
	Secret  string            // of a web app; with neither keys nor secret the client is a public one, which needs PKCE
	Scopes  []string          // granted to it; nil: all
	DPoP    DPoPMode
	NoRole  bool // a service app without an admin role
	Rotate  bool // each use of a refresh token replaces it

	RedirectURIs []string
	// Declines is that the person who is asked to consent says no; else they consent at once.
	Declines bool
}

// OAuthStats is what the authorization server did so far.
type OAuthStats struct {
	Grants          map[string]int // by grant type
	Refusals        map[string]int // by error code, DPoP challenges among them
	Challenges      int            // use_dpop_nonce answers of the API
	FamiliesRevoked int            // for use of a refresh token that was replaced
}

type authServer struct {
	config OAuth
	seed   seed
	owner  string // the user who consents
	apps   map[string]*OAuthApp

	mu       sync.Mutex
	serial   int
	access   map[string]*accessToken
	families map[string]*family // by each of its refresh tokens
	codes    map[string]*authCode
	used     map[string]time.Time // jti of assertions and proofs, until they would be refused anyway
	stats    OAuthStats
}

type accessToken struct {
	client     string
	user       string // "" for a service app
	scopes     []string
	noRole     bool
	thumbprint string // of the key it is bound to; "": a Bearer token
	expires    time.Time
	family     *family
}

// family is a refresh token and all that took its place.
type family struct {
	app      *OAuthApp
	scopes   []string
	current  string
	previous string
	replaced time.Time // when previous was
	used     time.Time
	revoked  bool
}

type authCode struct {
	app       *OAuthApp
	redirect  string
	challenge string
	scopes    []string
	expires   time.Time
}

func newAuthServer(c OAuth, s seed, owner string) *authServer {
	if c.TokenLife == 0 {
		c.TokenLife = time.Hour
	}
	if c.RefreshGrace == 0 {
		c.RefreshGrace = 30 * time.Second
	}
	if c.RefreshIdle == 0 {
		c.RefreshIdle = 7 * 24 * time.Hour
	}
	a := &authServer{
		config: c, seed: s, owner: owner, apps: map[string]*OAuthApp{},
		access: map[string]*accessToken{}, families: map[string]*family{}, codes: map[string]*authCode{}, used: map[string]time.Time{},
		stats: OAuthStats{Grants: map[string]int{}, Refusals: map[string]int{}},
	}
	for _, app := range c.Apps {
		a.apps[app.ClientID] = &app
	}
	return a
}

// OAuthStats is what the authorization server did so far.
func (o *Org) OAuthStats() OAuthStats {
	a := o.oauth
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.stats
	s.Grants, s.Refusals = maps.Clone(s.Grants), maps.Clone(s.Refusals)
	return s
}

// NewRefreshToken is a refresh token as a person's consent leaves it to the app.
func (o *Org) NewRefreshToken(clientID string, scopes ...string) string {
	a := o.oauth
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.newFamily(o.Now(), a.apps[clientID], scopes).current
}

// RevokeAccessTokens makes all access tokens invalid, as an administrator can.
func (o *Org) RevokeAccessTokens() {
	o.oauth.mu.Lock()
	defer o.oauth.mu.Unlock()
	clear(o.oauth.access)
}

// RevokeRefreshTokens makes all refresh tokens of an app invalid, and the access tokens that came from them.
func (o *Org) RevokeRefreshTokens(clientID string) {
	a := o.oauth
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, f := range a.families {
		if f.app.ClientID == clientID {
			a.revoke(f)
		}
	}
}

// secret makes a value that nobody guesses from outside and the same seed makes again.
func (a *authServer) secret(prefix string) string {
	a.serial++
	b := []byte(prefix)
	for part := range 3 {
		b = appendBase62(b, a.seed.pair(saltToken, a.serial, part), 14)
	}
	return string(b)
}

func (a *authServer) newFamily(now time.Time, app *OAuthApp, scopes []string) *family {
	f := &family{app: app, scopes: scopes, current: a.secret("rt."), used: now}
	a.families[f.current] = f
	return f
}

func (a *authServer) revoke(f *family) {
	f.revoked = true
	for value, t := range a.access {
		if t.family == f {
			delete(a.access, value)
		}
	}
}

// spend reports whether an id is used for the first time; it is remembered until keep.
func (a *authServer) spend(now time.Time, id string, keep time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, seen := a.used[id]; seen {
		return false
	}
	if len(a.used) > 10_000 {
		maps.DeleteFunc(a.used, func(_ string, until time.Time) bool { return until.Before(now) })
	}
	a.used[id] = keep
	return true
}

// authenticate decides whose access token a request carries, and checks the proof that it may need.
func (a *authServer) authenticate(now time.Time, r *http.Request) (Principal, *apiError) {
	scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	invalid := func(code, description string) *apiError {
		e := invalidToken()
		e.header = http.Header{"Www-Authenticate": {challenge(scheme, r, "", code, description)}}
		return e
	}
	a.mu.Lock()
	t := a.access[value]
	a.mu.Unlock()
	switch {
	case t == nil || !now.Before(t.expires):
		return Principal{}, invalid("invalid_token", "The access token is invalid.")
	case t.thumbprint == "" && !strings.EqualFold(scheme, "Bearer"), t.thumbprint != "" && !strings.EqualFold(scheme, "DPoP"):
		return Principal{}, invalid("invalid_token", "The access token's type and the authentication scheme don't match.")
	case t.thumbprint != "":
		nonce := ""
		if a.config.ResourceNonce {
			nonce = nonceOfAPI
		}
		thumbprint, wrong := a.checkProof(now, r, nonce, value)
		switch {
		case wrong == wrongNonce:
			a.mu.Lock()
			a.stats.Challenges++
			a.mu.Unlock()
			e := invalid("use_dpop_nonce", "Resource server requires nonce in DPoP proof.")
			e.header["Dpop-Nonce"] = []string{a.nonce(now, nonceOfAPI)}
			return Principal{}, e
		case wrong != "":
			return Principal{}, invalid("invalid_dpop_proof", wrong)
		case thumbprint != t.thumbprint:
			return Principal{}, invalid("invalid_token", "The access token is bound to another key.")
		}
	}
	return Principal{UserID: t.user, ClientID: t.client, Scopes: t.scopes, NoRole: t.noRole}, nil
}

// lacks tells which scopes the app was not granted: those of Okta's APIs, and those that no API of Okta's has.
func (app *OAuthApp) lacks(scopes []string) (refused, unknown []string) {
	for _, s := range scopes {
		switch {
		case slices.Contains(openIDScopes, s) && !app.Service:
		case slices.Contains(app.Scopes, s):
		case !strings.HasPrefix(s, "okta."):
			unknown = append(unknown, s)
		case app.Scopes != nil:
			refused = append(refused, s)
		}
	}
	return refused, unknown
}

var openIDScopes = []string{"openid", "profile", "email", "offline_access"}
