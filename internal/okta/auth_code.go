package okta

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
)

// Consent asks a person for access to what they may read, for an app with the authorization code grant and PKCE:
// https://developer.okta.com/docs/guides/implement-grant-type/authcodepkce/main/
type Consent struct {
	OAuthOptions
	ClientID     string
	ClientSecret string
	RedirectURI  string // one of the app's sign-in redirect URIs, letter for letter
	Scopes       []string
}

// URL is where the person's browser has to go. State and verifier are the caller's, new for each consent; the browser
// comes back to RedirectURI with state and a code, or an error.
func (c Consent) URL(state, verifier string) *url.URL {
	sum := sha256.Sum256([]byte(verifier))
	u := c.Origin.JoinPath("/oauth2/v1/authorize")
	u.RawQuery = url.Values{
		"client_id": {c.ClientID}, "redirect_uri": {c.RedirectURI}, "response_type": {"code"}, "scope": {strings.Join(c.Scopes, " ")},
		"state": {state}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}.Encode()
	return u
}

// Exchange redeems the code for a refresh token, and tells the scopes that were granted. Errors are *AuthError and *Error.
func (c Consent) Exchange(ctx context.Context, code, verifier string) (refreshToken string, scopes []string, err error) {
	o := c.OAuthOptions.withDefaults()
	for _, secret := range []string{c.ClientSecret, code, verifier} {
		o.OnSecret(secret)
	}
	_, g, err := newTokenEndpoint(o, new(serverClock), nil, c.explain).post(ctx, func(h http.Header) (url.Values, error) {
		o.OnSecret(basicAuth(h, c.ClientID, c.ClientSecret))
		return url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {c.RedirectURI}, "code_verifier": {verifier}}, nil
	})
	if err != nil {
		return "", nil, err
	}
	if g.RefreshToken == "" {
		return "", nil, &AuthError{
			Summary: "Okta granted no refresh token", Fields: []string{"client_id"},
			Remedy: "ask for the scope offline_access, and switch on the grant type Refresh Token in the app (General → Grant type)",
		}
	}
	return g.RefreshToken, strings.Fields(g.Scope), nil
}

func (c Consent) explain(e *AuthError) {
	switch e.Code {
	case "invalid_client":
		e.Fields = []string{"client_id", "client_secret"}
		e.Remedy = "check client_id and client_secret against the app's General tab"
	case "invalid_grant":
		e.Remedy = "sign in once more; the code that the browser brought back was used before or took more than a minute"
	default:
		e.Fields = []string{"client_id"}
		e.Remedy = "check that the app of client_id is a web app with the grant types Authorization Code and Refresh Token, and does not require DPoP"
	}
}

// basicAuth authenticates a client in the header and returns the secret part of it: RFC 6749 §2.3.1.
func basicAuth(h http.Header, id, secret string) string {
	req := &http.Request{Header: h}
	req.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	return strings.TrimPrefix(h.Get("Authorization"), "Basic ")
}
