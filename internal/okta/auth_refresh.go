package okta

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

// RefreshTokenOptions describe a web app with the refresh token grant and what a person's consent to it left:
// https://developer.okta.com/docs/guides/refresh-tokens/
type RefreshTokenOptions struct {
	OAuthOptions
	ClientID     string
	ClientSecret string
	RefreshToken string
	TokenFile    string // where the newest refresh token is kept; empty: nowhere

	// OnRotate is told each new refresh token, and keeps it for good, before the access token that came with it is
	// used: the old one is already spent. When it fails the access token is dropped. nil: nobody is told.
	OnRotate func(ctx context.Context, refreshToken string) error
}

// RefreshToken signs requests with Bearer tokens of the refresh token grant.
type RefreshToken struct {
	session
	endpoint *tokenEndpoint
	clock    serverClock
	id       string
	secret   string
	onRotate func(context.Context, string) error
	file     *tokenFile // nil: none

	// Only mint uses these, and one mint runs at a time.
	newest string
	kept   string // the newest one that is kept for good
}

// NewRefreshToken reads and, so that a path that cannot be written is found while the old token is still good, writes
// the token file. Nothing is sent yet. Errors are *AuthError.
func NewRefreshToken(o RefreshTokenOptions) (*RefreshToken, error) {
	o.OAuthOptions = o.OAuthOptions.withDefaults()
	o.OnSecret(o.ClientSecret)
	o.OnSecret(o.RefreshToken)
	r := &RefreshToken{
		id: strings.TrimSpace(o.ClientID), secret: strings.TrimSpace(o.ClientSecret), newest: strings.TrimSpace(o.RefreshToken),
		onRotate: o.OnRotate,
	}
	for field, value := range map[string]string{"client_id": r.id, "client_secret": r.secret, "refresh_token": r.newest} {
		if value == "" {
			return nil, &AuthError{Summary: field + " is empty", Fields: []string{field}, Remedy: "sign in to Okta again to get a whole set of credentials"}
		}
	}
	if r.onRotate == nil {
		r.onRotate = func(context.Context, string) error { return nil }
	}
	r.kept = r.newest
	if o.TokenFile != "" {
		file, newest, err := openTokenFile(o.TokenFile, r.newest)
		if err != nil {
			return nil, &AuthError{Summary: err.Error(), Fields: []string{"token_file"}, Remedy: "give the path of a file of its own, in a directory that this process may write to", Err: err}
		}
		o.OnSecret(newest)
		r.file, r.newest, r.kept = file, newest, newest
	}
	r.endpoint = newTokenEndpoint(o.OAuthOptions, &r.clock, nil, r.explain)
	r.tokens.mint = r.mint
	return r, nil
}

func (r *RefreshToken) mint(ctx context.Context) (*accessToken, error) {
	t, g, err := r.endpoint.post(ctx, func(h http.Header) (url.Values, error) {
		r.endpoint.onSecret(basicAuth(h, r.id, r.secret))
		return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {r.newest}}, nil
	})
	if err != nil {
		return nil, err
	}
	if g.RefreshToken != "" {
		r.newest = g.RefreshToken
	}
	if r.newest != r.kept {
		if err := r.keep(ctx); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// keep hands the newest refresh token to everyone who has to have it. All are tried: any one of them saves the token.
func (r *RefreshToken) keep(ctx context.Context) error {
	var inFile error
	if r.file != nil {
		inFile = r.file.write(r.newest)
	}
	if err := r.onRotate(ctx, r.newest); err != nil {
		return &Error{Class: Unexpected, Path: tokenPath, Summary: "the new refresh token could not be handed on, so the access token that came with it is not used", Err: err}
	}
	if inFile != nil {
		return &AuthError{Summary: "token_file cannot be written: " + inFile.Error(), Fields: []string{"token_file"}, Remedy: "make its directory writable, then sign in to Okta again if the next run says that the refresh token is spent", Err: inFile}
	}
	r.kept = r.newest
	return nil
}

func (r *RefreshToken) explain(e *AuthError) {
	switch e.Code {
	case "invalid_grant":
		e.Fields = []string{"refresh_token"}
		e.Remedy = "sign in to Okta again for a new refresh_token; this one was revoked, was not used for 7 days, belongs to another app or org, or was already exchanged for a newer one that was lost"
	case "invalid_client":
		e.Fields = []string{"client_id", "client_secret"}
		e.Remedy = "check client_id and client_secret against the app's General tab"
	case "unauthorized_client", "unsupported_grant_type":
		e.Fields = []string{"client_id"}
		e.Remedy = "check client_id; its app must have the grant type Refresh Token switched on (General → Grant type)"
	case "invalid_dpop_proof", "use_dpop_nonce":
		e.Fields = []string{"client_id"}
		e.Remedy = "switch off Require DPoP in the app of client_id (General → Proof of possession), or use a service app with a private key, which can prove possession"
	case "access_denied":
		e.Fields = []string{"refresh_token"}
		e.Remedy = "check that the app is active, that it is still assigned to the person who signed in, and that no network zone keeps this machine out"
	default:
		e.Fields = []string{"client_id", "client_secret", "refresh_token"}
		e.Remedy = "check client_id, client_secret and refresh_token, or sign in to Okta again"
	}
}
