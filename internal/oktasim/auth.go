package oktasim

import (
	"net/http"
	"slices"
	"strings"
)

// Principal is who a credential stands for.
type Principal struct {
	UserID   string   // the user that /api/v1/users/me answers; "" for a service app
	ClientID string   // of a service app
	Scopes   []string // that an access token was granted; nil: everything, as with an API token
	NoRole   bool     // without an admin role every list is empty
}

// authenticate decides who is calling: the one place that knows credentials.
func (o *Org) authenticate(r *http.Request) (Principal, *apiError) {
	authorization := r.Header.Get("Authorization")
	scheme, _, _ := strings.Cut(authorization, " ")
	if p, ok := o.principals[authorization]; ok {
		return p, nil
	}
	switch {
	case strings.EqualFold(scheme, "SSWS"):
		return Principal{}, invalidToken()
	case strings.EqualFold(scheme, "Bearer"), strings.EqualFold(scheme, "DPoP"):
		return o.oauth.authenticate(o.Now(), r)
	}
	return Principal{}, invalidSession()
}

// authorize checks that an access token holds the scope that a route asks for.
func (p Principal) authorize(r *http.Request, scope string) *apiError {
	if p.Scopes == nil || scope == "" || slices.Contains(p.Scopes, scope) {
		return nil
	}
	return insufficientScope(r, scope)
}

func insufficientScope(r *http.Request, scope string) *apiError {
	e := accessDenied()
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "DPoP") {
		scheme = "Bearer"
	}
	e.header = http.Header{"Www-Authenticate": {challenge(scheme, r, scope, "insufficient_scope",
		"The access token provided does not contain the required scopes.")}}
	return e
}

// challenge is the WWW-Authenticate header as Okta writes it.
func challenge(scheme string, r *http.Request, scope, code, description string) string {
	var b strings.Builder
	origin := originOf(r)
	b.WriteString(scheme + ` authorization_uri="` + origin + `/oauth2/v1/authorize", realm="` + origin + `"`)
	if scope != "" {
		b.WriteString(`, scope="` + scope + `"`)
	}
	b.WriteString(`, error="` + code + `", error_description="` + description + `", resource="` + r.URL.Path + `"`)
	return b.String()
}
