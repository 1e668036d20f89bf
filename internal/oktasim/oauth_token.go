package oktasim

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	codeLife      = time.Minute
	maxFormBody   = 64 << 10
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// appendOAuth writes an error as OAuth 2.0 has it, or the page that a person is shown instead.
func (e *apiError) appendOAuth(b []byte) []byte {
	if e.code == "" {
		return append(b, e.summary...)
	}
	b = appendJSON(append(b, `{"error":`...), e.code)
	b = appendJSON(append(b, `,"error_description":`...), e.summary)
	return append(b, '}')
}

func oauthError(status int, code, description string) *apiError {
	return &apiError{status: status, code: code, summary: description, oauth: true}
}

func postToken(c *call) *apiError {
	a := c.o.oauth
	g, e := a.grant(c)
	a.mu.Lock()
	defer a.mu.Unlock()
	if e != nil {
		a.stats.Refusals[e.code]++
		return e
	}
	a.stats.Grants[g.kind]++
	b, err := json.Marshal(g)
	if err != nil {
		return serverError(http.StatusInternalServerError)
	}
	c.b = append(c.b, b...)
	return nil
}

type granted struct {
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"`
	AccessToken  string `json:"access_token"`
	Scope        string `json:"scope"`
	RefreshToken string `json:"refresh_token,omitempty"`
	kind         string
}

// grant checks a token request in the order in which Okta does: the client, its proof, what it asks for.
func (a *authServer) grant(c *call) (*granted, *apiError) {
	form, e := readForm(c.r)
	if e != nil {
		return nil, e
	}
	app, e := a.client(c, form)
	if e != nil {
		return nil, e
	}
	kind := form.Get("grant_type")
	allowed := []string{"authorization_code", "refresh_token"}
	if app.Service {
		allowed = []string{"client_credentials"}
	}
	switch {
	case !slices.Contains([]string{"authorization_code", "refresh_token", "client_credentials"}, kind):
		return nil, oauthError(400, "unsupported_grant_type", "The authorization grant type is not supported by the authorization server.")
	case !slices.Contains(allowed, kind):
		return nil, oauthError(400, "unauthorized_client", "The client is not authorized to use the provided grant type. Configured grant types: ["+strings.Join(allowed, ", ")+"].")
	}
	now := c.o.Now()
	t := &accessToken{client: app.ClientID, noRole: app.NoRole, expires: now.Add(a.config.TokenLife)}
	if app.DPoP == DPoPRequired || app.DPoP == DPoPOptional && c.r.Header.Get("DPoP") != "" {
		var wrong string
		switch t.thumbprint, wrong = a.checkProof(now, c.r, nonceOfTokens, ""); wrong {
		case "":
		case wrongNonce:
			e := oauthError(400, "use_dpop_nonce", "Authorization server requires nonce in DPoP proof.")
			e.header = http.Header{"Dpop-Nonce": {a.nonce(now, nonceOfTokens)}}
			return nil, e
		default:
			return nil, oauthError(400, "invalid_dpop_proof", wrong)
		}
	}
	g := &granted{TokenType: "Bearer", ExpiresIn: int(a.config.TokenLife / time.Second), kind: kind}
	if t.thumbprint != "" {
		g.TokenType = "DPoP"
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch kind {
	case "client_credentials":
		t.scopes, e = app.scopes(form)
	case "authorization_code":
		t.user = a.owner
		t.scopes, g.RefreshToken, t.family, e = a.redeem(now, app, form)
	default:
		t.user = a.owner
		t.scopes, g.RefreshToken, t.family, e = a.refresh(now, app, form)
	}
	if e != nil {
		return nil, e
	}
	g.Scope = strings.Join(t.scopes, " ")
	g.AccessToken = a.secret("at.")
	if len(a.access) > 1000 {
		maps.DeleteFunc(a.access, func(_ string, old *accessToken) bool { return now.After(old.expires) })
	}
	a.access[g.AccessToken] = t
	return g, nil
}

func readForm(r *http.Request) (url.Values, *apiError) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, oauthError(400, "invalid_request", "The request must have the content type application/x-www-form-urlencoded.")
	}
	if r.Body == nil {
		return url.Values{}, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxFormBody))
	if err != nil {
		return nil, oauthError(400, "invalid_request", "The request body cannot be read.")
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, oauthError(400, "invalid_request", "The request body is malformed.")
	}
	return form, nil
}

// client authenticates the app that asks.
func (a *authServer) client(c *call, form url.Values) (*OAuthApp, *apiError) {
	if form.Has("client_assertion") {
		return a.asserted(c, form)
	}
	id, secret, basic := c.r.BasicAuth()
	if basic {
		// RFC 6749 §2.3.1: both are form-encoded in the header.
		var errID, errSecret error
		id, errID = url.QueryUnescape(id)
		secret, errSecret = url.QueryUnescape(secret)
		if errID != nil || errSecret != nil {
			return nil, oauthError(401, "invalid_client", "The client credentials are malformed.")
		}
	} else {
		id, secret = form.Get("client_id"), form.Get("client_secret")
	}
	if id == "" {
		return nil, oauthError(401, "invalid_client", "No client credentials found.")
	}
	app := a.apps[id]
	switch {
	case app == nil:
		return nil, unknownClient(401)
	case len(app.Keys) > 0:
		return nil, oauthError(401, "invalid_client", "The client must authenticate with a client_assertion.")
	case subtle.ConstantTimeCompare([]byte(secret), []byte(app.Secret)) == 0:
		return nil, oauthError(401, "invalid_client", "The client secret supplied for a confidential client is invalid.")
	}
	return app, nil
}

// unknownClient is one of the errors that the server writes in the core API's form.
func unknownClient(status int) *apiError {
	return &apiError{status: status, code: "invalid_client", summary: "Invalid value for 'client_id' parameter."}
}

var signatures = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512}

// asserted authenticates an app by its assertion:
// https://developer.okta.com/docs/api/openapi/okta-oauth/guides/client-auth/#jwt-with-private-key.
func (a *authServer) asserted(c *call, form url.Values) (*OAuthApp, *apiError) {
	invalid := func(description string) (*OAuthApp, *apiError) {
		return nil, oauthError(401, "invalid_client", description)
	}
	if form.Get("client_assertion_type") != assertionType {
		return invalid("The client_assertion_type is invalid.")
	}
	signed, err := jose.ParseSignedCompact(form.Get("client_assertion"), signatures)
	if err != nil || len(signed.Signatures) != 1 {
		return invalid("The client_assertion is not a valid JWT.")
	}
	var claims struct {
		Issuer   string   `json:"iss"`
		Subject  string   `json:"sub"`
		Audience audience `json:"aud"`
		ID       string   `json:"jti"`
		Issued   int64    `json:"iat"`
		Expires  int64    `json:"exp"`
	}
	if json.Unmarshal(signed.UnsafePayloadWithoutVerification(), &claims) != nil {
		return invalid("The client_assertion is not a valid JWT.")
	}
	app := a.apps[claims.Issuer]
	if app == nil {
		return nil, unknownClient(401)
	}
	if id := form.Get("client_id"); claims.Subject != claims.Issuer || id != "" && id != claims.Issuer {
		return invalid("The issuer and subject of the client_assertion must be the client_id.")
	}
	key, found := app.key(signed.Signatures[0].Header.KeyID)
	if !found {
		return invalid("The client_assertion JWT kid is invalid.")
	}
	if _, err := signed.Verify(key); err != nil {
		return invalid("The client_assertion signature is invalid.")
	}
	now := c.o.Now()
	expires := time.Unix(claims.Expires, 0)
	switch {
	case !slices.Contains(claims.Audience, c.origin+c.r.URL.Path):
		return invalid("The audience claim for client_assertion must be the endpoint invoked for the request.")
	case claims.Expires == 0:
		return invalid("The client_assertion must have an exp claim.")
	case !now.Before(expires):
		return invalid("The client_assertion token is expired.")
	case expires.After(now.Add(time.Hour)):
		return invalid("The client_assertion token has an expiration too far into the future.")
	case time.Unix(claims.Issued, 0).After(now):
		return invalid("The client_assertion token was issued in the future.")
	}
	if claims.ID != "" && !a.spend(now, "assertion "+app.ClientID+" "+claims.ID, expires) {
		return invalid("The client_assertion token has already been used. Each assertion must have its own jti.")
	}
	return app, nil
}

// audience is one string or several.
type audience []string

func (a *audience) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(a))
}

// key is the app's key of this id; the id may be left out where there is only one.
func (app *OAuthApp) key(id string) (any, bool) {
	for _, k := range app.Keys {
		if k.KeyID == id || id == "" && len(app.Keys) == 1 {
			return k.Key, true
		}
	}
	return nil, false
}

// scopes are what a service app asks for. One that it lacks fails the request as a whole.
func (app *OAuthApp) scopes(form url.Values) ([]string, *apiError) {
	scopes := strings.Fields(form.Get("scope"))
	if len(scopes) == 0 {
		return nil, oauthError(400, "invalid_scope", "The authorization server resource does not have any configured default scopes, 'scope' must be provided.")
	}
	return scopes, app.refuse(scopes)
}

func (app *OAuthApp) refuse(scopes []string) *apiError {
	refused, unknown := app.lacks(scopes)
	switch {
	case len(unknown) > 0:
		return oauthError(400, "invalid_scope", "One or more scopes are not configured for the authorization server resource.")
	case len(refused) > 0:
		return oauthError(400, "invalid_scope", fmt.Sprintf("The following scopes are not allowed for this request: [%s]", strings.Join(refused, ", ")))
	}
	return nil
}

// redeem exchanges a code.
func (a *authServer) redeem(now time.Time, app *OAuthApp, form url.Values) (scopes []string, refresh string, f *family, e *apiError) {
	code := a.codes[form.Get("code")]
	delete(a.codes, form.Get("code"))
	if code == nil || code.app != app || !now.Before(code.expires) {
		return nil, "", nil, oauthError(400, "invalid_grant", "The authorization code is invalid or has expired.")
	}
	if form.Get("redirect_uri") != code.redirect {
		return nil, "", nil, oauthError(400, "invalid_grant", "The 'redirect_uri' does not match the redirection URI used in the authorization request.")
	}
	sum := sha256.Sum256([]byte(form.Get("code_verifier")))
	if code.challenge != "" && base64.RawURLEncoding.EncodeToString(sum[:]) != code.challenge {
		return nil, "", nil, oauthError(400, "invalid_grant", "PKCE verification failed.")
	}
	if slices.Contains(code.scopes, "offline_access") {
		f = a.newFamily(now, app, code.scopes)
		refresh = f.current
	}
	return code.scopes, refresh, f, nil
}

// refresh uses a refresh token: https://developer.okta.com/docs/guides/refresh-tokens/.
func (a *authServer) refresh(now time.Time, app *OAuthApp, form url.Values) (scopes []string, refresh string, f *family, e *apiError) {
	invalid := oauthError(400, "invalid_grant", "The refresh token is invalid or expired.")
	value := form.Get("refresh_token")
	f = a.families[value]
	if f == nil || f.app != app || f.revoked || now.Sub(f.used) > a.config.RefreshIdle {
		return nil, "", nil, invalid
	}
	scopes = f.scopes
	if asked := strings.Fields(form.Get("scope")); len(asked) > 0 {
		for _, s := range asked {
			if !slices.Contains(f.scopes, s) {
				return nil, "", nil, oauthError(400, "invalid_scope", "One or more of the requested scopes were not granted to the refresh token.")
			}
		}
		scopes = asked
	}
	switch {
	case value != f.current && (value != f.previous || now.Sub(f.replaced) > a.config.RefreshGrace):
		a.revoke(f)
		a.stats.FamiliesRevoked++
		return nil, "", nil, invalid
	case value == f.current && app.Rotate:
		f.previous, f.replaced = f.current, now
		f.current = a.secret("rt.")
		a.families[f.current] = f
	}
	f.used = now
	return scopes, f.current, f, nil
}

func postRevoke(c *call) *apiError {
	a := c.o.oauth
	form, e := readForm(c.r)
	if e != nil {
		return e
	}
	app, e := a.client(c, form)
	if e != nil {
		return e
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	value := form.Get("token")
	if f := a.families[value]; f != nil && f.app == app {
		a.revoke(f)
	}
	if t := a.access[value]; t != nil && t.client == app.ClientID {
		delete(a.access, value)
	}
	return nil // RFC 7009 §2.2: also when there was nothing to revoke
}

// getAuthorize is where a browser is sent to. The person there is signed in, and consents at once.
func getAuthorize(c *call) *apiError {
	a := c.o.oauth
	app := a.apps[c.query.Get("client_id")]
	redirect := c.query.Get("redirect_uri")
	shown := func(text string) *apiError {
		return &apiError{
			status: 400, oauth: true, header: http.Header{"Content-Type": {"text/html;charset=utf-8"}},
			summary: "<!DOCTYPE html><html><head><title>Error</title></head><body><h1>400</h1><p>" + text + "</p></body></html>\n",
		}
	}
	if app == nil || app.Service {
		return shown("Your request resulted in an error. Invalid value for 'client_id' parameter.")
	}
	if !slices.Contains(app.RedirectURIs, redirect) {
		return shown("Your request resulted in an error. The 'redirect_uri' parameter must be a Login redirect URI in the client app settings.")
	}
	back := func(answer url.Values) *apiError {
		answer.Set("state", c.query.Get("state"))
		return &apiError{status: http.StatusFound, oauth: true, header: http.Header{"Location": {redirect + "?" + answer.Encode()}}}
	}
	refuse := func(code, description string) *apiError {
		return back(url.Values{"error": {code}, "error_description": {description}})
	}
	scopes := strings.Fields(c.query.Get("scope"))
	challenge := c.query.Get("code_challenge")
	public := app.Secret == "" && len(app.Keys) == 0
	switch {
	case c.query.Get("state") == "":
		return refuse("invalid_request", "The authentication request has an invalid 'state' parameter.")
	case c.query.Get("response_type") != "code":
		return refuse("unsupported_response_type", "The response type is not supported by the authorization server.")
	case challenge == "" && public:
		return refuse("invalid_request", "PKCE code challenge is required when the token endpoint authentication method is 'NONE'.")
	case challenge != "" && c.query.Get("code_challenge_method") != "S256":
		return refuse("invalid_request", "The code challenge method must be S256.")
	case len(scopes) == 0:
		return refuse("invalid_scope", "The authorization server resource does not have any configured default scopes, 'scope' must be provided.")
	}
	if e := app.refuse(scopes); e != nil {
		return refuse(e.code, e.summary)
	}
	if app.Declines {
		return refuse("access_denied", "The resource owner or authorization server denied the request.")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	code := a.secret("code.")
	a.codes[code] = &authCode{app: app, redirect: redirect, challenge: challenge, scopes: scopes, expires: c.o.Now().Add(codeLife)}
	return back(url.Values{"code": {code}})
}
