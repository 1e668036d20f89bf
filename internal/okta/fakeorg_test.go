package okta_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"source-okta/internal/okta"
)

var (
	origin  = &url.URL{Scheme: "https", Host: "acme.okta.com"}
	usersAt = "https://acme.okta.com/api/v1/users?limit=200"
	sigAlgs = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512}
)

// fakeOrg answers as an org's token endpoint and as an API that asks for its tokens. It checks what it is sent as the
// RFCs and Okta say; fields that are set before the first request make it stricter, slower or wrong.
type fakeOrg struct {
	clientID  string
	keys      map[string]crypto.PublicKey // by kid
	scopes    []string                    // granted to the app; nil: all
	unnamed   bool                        // invalid_scope does not say which
	lifetime  time.Duration
	latency   time.Duration
	ahead     time.Duration // of the org's clock
	dpop      bool          // tokens are bound to a proof's key
	nonceLife time.Duration // 0: no nonces
	secret    string
	refresh   string                             // the refresh token that is good now
	rotate    bool                               // each refresh replaces it
	script    func(*http.Request) *http.Response // answers instead, unless nil

	mu       sync.Mutex
	jtis     map[string]bool
	tokens   map[string]issued
	minted   int
	posts    []url.Values
	headers  []http.Header // of posts
	refusals []string      // why the API refused a request
	hosts    map[string]int
	seen     []*http.Request
}

type issued struct {
	thumbprint string // of the proof's key; empty: Bearer
	expires    time.Time
}

func (o *fakeOrg) now() time.Time { return time.Now().Add(o.ahead) }

func (o *fakeOrg) nonce(kind string) string {
	return fmt.Sprintf("%s-%d", kind, o.now().UnixNano()/int64(o.nonceLife))
}

func (o *fakeOrg) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
		req.Body.Close()
	}
	select {
	case <-time.After(o.latency):
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.hosts == nil {
		o.hosts, o.jtis, o.tokens = map[string]int{}, map[string]bool{}, map[string]issued{}
	}
	o.hosts[req.URL.Host]++
	o.seen = append(o.seen, req)
	isToken := req.URL.Path == "/oauth2/v1/token"
	var form url.Values
	if isToken {
		form, _ = url.ParseQuery(string(body))
		o.posts, o.headers = append(o.posts, form), append(o.headers, req.Header.Clone())
	}
	var resp *http.Response
	if o.script != nil {
		resp = o.script(req)
	}
	switch {
	case resp != nil:
	case isToken:
		resp = o.token(req, form)
	default:
		resp = o.resource(req)
	}
	resp.Header.Set("Date", o.now().UTC().Format(http.TimeFormat))
	resp.Request = req
	return resp, nil
}

func answer(status int, contentType, body string, header ...string) *http.Response {
	h := http.Header{"Content-Type": {contentType}}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
}

func jsonAnswer(status int, v any, header ...string) *http.Response {
	b, _ := json.Marshal(v)
	return answer(status, "application/json", string(b), header...)
}

func oauthError(status int, code, description string, header ...string) *http.Response {
	return jsonAnswer(status, map[string]string{"error": code, "error_description": description}, header...)
}

func (o *fakeOrg) token(req *http.Request, form url.Values) *http.Response {
	switch form.Get("grant_type") {
	case "client_credentials":
		if wrong := o.checkAssertion(form, req); wrong != "" {
			return oauthError(http.StatusUnauthorized, "invalid_client", wrong)
		}
	case "refresh_token":
		id, secret, _ := req.BasicAuth()
		if id != o.clientID || secret != o.secret {
			return oauthError(http.StatusUnauthorized, "invalid_client", "The client secret supplied for a confidential client is invalid.")
		}
		if form.Get("refresh_token") != o.refresh {
			return oauthError(http.StatusBadRequest, "invalid_grant", "The refresh token is invalid or expired.")
		}
	default:
		return oauthError(http.StatusBadRequest, "unsupported_grant_type", "no")
	}
	thumbprint := ""
	if o.dpop {
		var wrong string
		switch thumbprint, wrong = o.checkProof(req, "as", ""); wrong {
		case "":
		case wrongNonce:
			return oauthError(http.StatusBadRequest, "use_dpop_nonce", "Authorization server requires nonce in DPoP proof.", "DPoP-Nonce", o.nonce("as"))
		default:
			return oauthError(http.StatusBadRequest, "invalid_dpop_proof", wrong)
		}
	}
	if o.scopes != nil && form.Get("grant_type") == "client_credentials" {
		missing := slices.DeleteFunc(strings.Fields(form.Get("scope")), func(s string) bool { return slices.Contains(o.scopes, s) })
		switch {
		case len(missing) > 0 && o.unnamed:
			return oauthError(http.StatusBadRequest, "invalid_scope", "One or more scopes are not configured for the authorization server resource.")
		case len(missing) > 0:
			return oauthError(http.StatusBadRequest, "invalid_scope", fmt.Sprintf("The following scopes are not allowed for this request: %v", missing))
		}
	}
	o.minted++
	value, kind := fmt.Sprintf("access-token-%04d", o.minted), "Bearer"
	if thumbprint != "" {
		kind = "DPoP"
	}
	o.tokens[value] = issued{thumbprint: thumbprint, expires: o.now().Add(o.lifetime)}
	grant := map[string]any{"token_type": kind, "expires_in": int(o.lifetime.Seconds()), "access_token": value, "scope": form.Get("scope")}
	if form.Get("grant_type") == "refresh_token" {
		if o.rotate {
			o.refresh = fmt.Sprintf("refresh-token-%04d", o.minted)
		}
		grant["refresh_token"] = o.refresh
	}
	return jsonAnswer(http.StatusOK, grant)
}

// checkAssertion says what is wrong with an assertion.
func (o *fakeOrg) checkAssertion(form url.Values, req *http.Request) string {
	if form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
		return "client_assertion_type is wrong"
	}
	signed, err := jose.ParseSignedCompact(form.Get("client_assertion"), sigAlgs)
	if err != nil {
		return err.Error()
	}
	key, known := o.keys[signed.Signatures[0].Header.KeyID]
	if !known {
		return "The client_assertion's kid is unknown."
	}
	payload, err := signed.Verify(key)
	if err != nil {
		return "The client_assertion signature is invalid."
	}
	var c struct {
		Iss, Sub, Aud, Jti string
		Iat, Exp           int64
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		return err.Error()
	}
	now := o.now().Unix()
	switch {
	case c.Iss != o.clientID || c.Sub != o.clientID:
		return "iss or sub is not the client"
	case c.Aud != "https://"+req.URL.Host+"/oauth2/v1/token":
		return "aud is not the token endpoint"
	case c.Exp <= now:
		return "The client_assertion token is expired."
	case c.Exp > now+3600:
		return "The client_assertion token has an expiration too far into the future."
	case c.Iat > now:
		return "The client_assertion token was issued in the future."
	case c.Jti == "" || o.jtis[c.Jti]:
		return "The client_assertion token has already been used."
	}
	o.jtis[c.Jti] = true
	return ""
}

const wrongNonce = "nonce"

// checkProof returns the thumbprint of the proof's key, or what is wrong with the proof.
func (o *fakeOrg) checkProof(req *http.Request, kind, accessToken string) (thumbprint, wrong string) {
	proofs := req.Header.Values("DPoP")
	if len(proofs) != 1 {
		return "", "The DPoP proof JWT header is missing."
	}
	signed, err := jose.ParseSignedCompact(proofs[0], sigAlgs)
	if err != nil {
		return "", err.Error()
	}
	h := signed.Signatures[0].Header
	if h.JSONWebKey == nil || !h.JSONWebKey.IsPublic() || h.ExtraHeaders["typ"] != "dpop+jwt" {
		return "", "the proof's header is wrong"
	}
	payload, err := signed.Verify(h.JSONWebKey)
	if err != nil {
		return "", err.Error()
	}
	var c struct {
		Jti, Htm, Htu, Nonce, Ath string
		Iat                       int64
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		return "", err.Error()
	}
	ath := ""
	if accessToken != "" {
		sum := sha256.Sum256([]byte(accessToken))
		ath = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	switch age := o.now().Unix() - c.Iat; {
	case c.Htm != req.Method || c.Htu != "https://"+req.URL.Host+req.URL.EscapedPath():
		return "", "htm or htu is not the request's"
	case age < -1 || age > 60:
		return "", "iat is not now"
	case c.Jti == "" || o.jtis[c.Jti]:
		return "", "the proof was used before"
	case c.Ath != ath:
		return "", "ath is not the access token's"
	case o.nonceLife > 0 && c.Nonce != o.nonce(kind):
		return "", wrongNonce
	}
	o.jtis[c.Jti] = true
	sum, err := h.JSONWebKey.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", err.Error()
	}
	return string(sum), ""
}

func (o *fakeOrg) resource(req *http.Request) *http.Response {
	refuse := func(why string, header ...string) *http.Response {
		o.refusals = append(o.refusals, why)
		return jsonAnswer(http.StatusUnauthorized, map[string]string{"errorCode": "E0000011", "errorSummary": "Invalid token provided"}, header...)
	}
	scheme, value, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	t, known := o.tokens[value]
	switch {
	case !known:
		return refuse("unknown token")
	case !o.now().Before(t.expires):
		return refuse("expired token")
	case t.thumbprint == "" && scheme != "Bearer" || t.thumbprint != "" && scheme != "DPoP":
		return refuse("wrong scheme")
	case t.thumbprint == "":
		return answer(http.StatusOK, "application/json", "[]")
	}
	thumbprint, wrong := o.checkProof(req, "rs", value)
	switch {
	case wrong == wrongNonce:
		return refuse(wrong, "WWW-Authenticate", `DPoP error="use_dpop_nonce", error_description="Resource server requires nonce in DPoP proof"`, "DPoP-Nonce", o.nonce("rs"))
	case wrong != "":
		return refuse(wrong, "WWW-Authenticate", `DPoP error="invalid_dpop_proof", error_description="`+wrong+`"`)
	case thumbprint != t.thumbprint:
		return refuse("token of another key")
	}
	return answer(http.StatusOK, "application/json", "[]")
}

// fetch sends a request as the client does: signed anew for each attempt, again while the authenticator says so.
func fetch(ctx context.Context, auth okta.Authenticator, rt http.RoundTripper, address string) (status int, err error) {
	for range 5 {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return 0, err
		}
		if err := auth.Sign(ctx, req); err != nil {
			return 0, err
		}
		resp, err := rt.RoundTrip(req)
		if err != nil {
			return 0, err
		}
		again, err := auth.Observe(ctx, resp)
		resp.Body.Close()
		if err != nil {
			return resp.StatusCode, err
		}
		if !again {
			return resp.StatusCode, nil
		}
	}
	return 0, errors.New("the authenticator keeps asking to send the request again")
}

// notes keeps what an authenticator logs and calls secret.
type notes struct {
	mu      sync.Mutex
	log     bytes.Buffer
	secrets []string
}

func (n *notes) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.log.Write(p)
}

func (n *notes) logged() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.log.String()
}

func (n *notes) hear(s string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.secrets = append(n.secrets, s)
}

// knows says whether masking what was heard would change s.
func (n *notes) knows(s string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.ContainsFunc(n.secrets, func(secret string) bool { return secret != "" && strings.Contains(s, secret) })
}

func (n *notes) options(o *fakeOrg) okta.OAuthOptions {
	return okta.OAuthOptions{
		Origin: origin, Transport: o, UserAgent: "test",
		Log: slog.New(slog.NewTextHandler(n, nil)), OnSecret: n.hear,
	}
}

func requireAuthError(t *testing.T, err error) *okta.AuthError {
	t.Helper()
	var refused *okta.AuthError
	require.ErrorAs(t, err, &refused)
	return refused
}

func unix(t time.Time) string { return fmt.Sprint(t.Unix()) }
