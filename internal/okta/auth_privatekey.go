package okta

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/go-jose/go-jose/v4"
)

// assertionLife is well under the hour that Okta allows, so that a clock that is minutes fast does no harm.
const assertionLife = 10 * 60

// PrivateKeyOptions describe a service app: https://developer.okta.com/docs/guides/implement-oauth-for-okta-serviceapp/
type PrivateKeyOptions struct {
	OAuthOptions
	ClientID   string
	KeyID      string   // kid; empty where the app has one key or PrivateKey is a JWK that names it
	PrivateKey string   // PEM or JWK
	Scopes     []string // what to ask for; must not be empty
}

// PrivateKey signs requests for a service app with tokens of the client credentials grant, which it asks for with a
// signed assertion and, always, a DPoP proof; it sends proofs with requests where Okta grants DPoP-bound tokens.
type PrivateKey struct {
	session
	endpoint *tokenEndpoint
	clock    serverClock
	signer   jose.Signer
	clientID string

	mu      sync.Mutex
	scopes  []string // still to ask for
	refused []string
}

// NewPrivateKey reads the key. Nothing is sent yet. Errors are *AuthError.
func NewPrivateKey(o PrivateKeyOptions) (*PrivateKey, error) {
	o.OAuthOptions = o.OAuthOptions.withDefaults()
	o.OnSecret(o.PrivateKey)
	for _, part := range privateParts(o.PrivateKey) {
		o.OnSecret(part)
	}
	clientID, keyID := strings.TrimSpace(o.ClientID), strings.TrimSpace(o.KeyID)
	if clientID == "" {
		return nil, &AuthError{Summary: "client_id is empty", Fields: []string{"client_id"}, Remedy: "copy it from the app's General tab"}
	}
	scopes := uniqueScopes(o.Scopes)
	if len(scopes) == 0 {
		return nil, &AuthError{Summary: "no scope is asked for", Fields: []string{"scope"}, Remedy: "enter the scopes that the selected streams need, for example okta.users.read"}
	}
	key, err := parsePrivateKey(o.PrivateKey, keyID)
	if err != nil {
		return nil, unusableKey(err)
	}
	signer, err := key.signer(keyID)
	if err != nil {
		return nil, unusableKey(err)
	}
	p := &PrivateKey{signer: signer, clientID: clientID, scopes: scopes}
	if p.proofs, err = newProver(&p.clock, o.OnSecret); err != nil {
		return nil, &AuthError{Summary: "no DPoP key can be made on this machine", Err: err}
	}
	p.endpoint = newTokenEndpoint(o.OAuthOptions, &p.clock, p.proofs, p.explain)
	p.tokens.mint = p.mint
	return p, nil
}

func unusableKey(err error) *AuthError {
	e := &AuthError{Summary: err.Error(), Fields: []string{"private_key"}, Remedy: copyAgain, Err: err}
	var known *keyError
	if errors.As(err, &known) {
		e.Remedy = known.remedy
	}
	return e
}

func uniqueScopes(in []string) []string {
	var out []string
	for _, s := range in {
		for _, word := range strings.Fields(s) {
			if !slices.Contains(out, word) {
				out = append(out, word)
			}
		}
	}
	return out
}

// Refused are the scopes that Okta did not grant, sorted; known once there is a token.
func (p *PrivateKey) Refused() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.refused)
}

// mint gets a token for all scopes that the app was granted. One that was not fails the whole request, so the refused
// ones are left out and the rest is asked for again.
func (p *PrivateKey) mint(ctx context.Context) (*accessToken, error) {
	p.mu.Lock()
	scopes := p.scopes
	p.mu.Unlock()
	t, granted, refused, err := p.ask(ctx, scopes)
	if err != nil {
		return nil, err
	}
	slices.Sort(refused)
	if t == nil {
		return nil, &AuthError{
			Code: "invalid_scope", Status: http.StatusBadRequest, Scopes: refused,
			Summary: "the app was granted none of the scopes asked for",
			Fields:  []string{"scope"},
			Remedy:  "grant " + strings.Join(refused, ", ") + " in the API Services app of client_id (Okta API Scopes), or change scope",
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.scopes = granted
	p.refused = slices.Compact(slices.Sorted(slices.Values(slices.Concat(p.refused, refused))))
	return t, nil
}

// ask gets a token for as many of scopes as are granted, and none when none is. When the refusal names none of them
// (scopes of a product that the org lacks are "not configured", without a name), halves are asked for until the
// culprits are alone.
func (p *PrivateKey) ask(ctx context.Context, scopes []string) (t *accessToken, granted, refused []string, err error) {
	t, err = p.request(ctx, scopes)
	if err == nil {
		return t, scopes, nil, nil
	}
	var denied *AuthError
	if !errors.As(err, &denied) || denied.Code != "invalid_scope" {
		return nil, nil, nil, err
	}
	named := namedIn(denied.Summary, scopes)
	switch {
	case len(named) == len(scopes) || len(scopes) == 1:
		return nil, nil, scopes, nil
	case len(named) > 0:
		rest := slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return slices.Contains(named, s) })
		t, granted, refused, err = p.ask(ctx, rest)
		return t, granted, slices.Concat(named, refused), err
	}
	half := len(scopes) / 2
	left, grantedLeft, refusedLeft, err := p.ask(ctx, scopes[:half])
	if err != nil {
		return nil, nil, nil, err
	}
	right, grantedRight, refusedRight, err := p.ask(ctx, scopes[half:])
	if err != nil {
		return nil, nil, nil, err
	}
	granted, refused = slices.Concat(grantedLeft, grantedRight), slices.Concat(refusedLeft, refusedRight)
	switch {
	case left == nil:
		return right, granted, refused, nil
	case right == nil:
		return left, granted, refused, nil
	}
	t, err = p.request(ctx, granted)
	return t, granted, refused, err
}

type assertionClaims struct {
	ID       string `json:"jti"`
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	Issued   int64  `json:"iat"`
	Expires  int64  `json:"exp"`
}

func (p *PrivateKey) request(ctx context.Context, scopes []string) (*accessToken, error) {
	t, _, err := p.endpoint.post(ctx, func(http.Header) (url.Values, error) {
		now := p.clock.now().Unix()
		assertion, err := signClaims(p.signer, assertionClaims{
			ID:     rand.Text(),
			Issuer: p.clientID, Subject: p.clientID,
			Audience: p.endpoint.url.String(),
			Issued:   now, Expires: now + assertionLife,
		})
		if err != nil {
			return nil, err
		}
		p.endpoint.onSecret(assertion)
		return url.Values{
			"grant_type":            {"client_credentials"},
			"scope":                 {strings.Join(scopes, " ")},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
			"client_assertion":      {assertion},
		}, nil
	})
	return t, err
}

func (p *PrivateKey) explain(e *AuthError) {
	switch e.Code {
	case "invalid_client":
		e.Fields = []string{"client_id", "key_id", "private_key"}
		e.Remedy = "check client_id, key_id and private_key; the public half of the key must be registered and active in the API Services app (General → Client Credentials → Public keys)"
	case "unauthorized_client", "unsupported_grant_type":
		e.Fields = []string{"client_id"}
		e.Remedy = "check client_id; it must belong to an app of the kind API Services"
	case "invalid_dpop_proof", "use_dpop_nonce":
		e.Fields = []string{"domain"}
		e.Remedy = "check domain and any proxy in between; the token request must reach Okta at exactly the address it was sent to"
	case "access_denied":
		e.Fields = []string{"client_id"}
		e.Remedy = "check the app of client_id; it must be active, and no network zone or policy may keep this machine out"
	default:
		e.Fields = []string{"client_id", "key_id", "private_key", "scope"}
		e.Remedy = "check client_id, key_id, private_key and scope against the API Services app"
	}
}
