package oktasim_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"source-okta/internal/oktasim"
)

const tokenURL = origin + "/oauth2/v1/token"

var newKey = sync.OnceValue(mustKey)

func mustKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

type claims map[string]any

func sign(t *testing.T, key *ecdsa.PrivateKey, o *jose.SignerOptions, kid string, c claims) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, o)
	require.NoError(t, err)
	b, err := json.Marshal(c)
	require.NoError(t, err)
	signed, err := s.Sign(b)
	require.NoError(t, err)
	out, err := signed.CompactSerialize()
	require.NoError(t, err)
	return out
}

func assertionClaims() claims {
	now := time.Now()
	return claims{"iss": "0oaservice", "sub": "0oaservice", "aud": tokenURL, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix()}
}

func proofClaims(method, address, token, nonce string) claims {
	c := claims{"jti": rand.Text(), "htm": method, "htu": address, "iat": time.Now().Unix()}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		c["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	if nonce != "" {
		c["nonce"] = nonce
	}
	return c
}

func proof(t *testing.T, key *ecdsa.PrivateKey, c claims) string {
	return sign(t, key, (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"), "", c)
}

func post(t *testing.T, o http.RoundTripper, path string, form url.Values, edits ...func(*http.Request)) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, origin+path, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, edit := range edits {
		edit(r)
	}
	resp, err := o.RoundTrip(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return answer{resp, string(body)}
}

func (a answer) get(member string) string { return gjson.Get(a.body, member).String() }

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func serviceForm(t *testing.T, scope string, c claims) url.Values {
	return url.Values{
		"grant_type": {"client_credentials"}, "scope": {scope},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {sign(t, newKey(), nil, "kid1", c)},
	}
}

func newOAuthOrg(change func(*oktasim.OAuth, *oktasim.OAuthApp)) *oktasim.Org {
	service := oktasim.OAuthApp{
		ClientID: "0oaservice", Service: true, Scopes: []string{"okta.users.read", "okta.groups.read"},
		Keys: []jose.JSONWebKey{{Key: newKey().Public(), KeyID: "kid1"}},
	}
	c := oktasim.OAuth{}
	if change != nil {
		change(&c, &service)
	}
	web := oktasim.OAuthApp{
		ClientID: "0oaweb", Secret: "web-secret", Rotate: true, Scopes: []string{"okta.users.read"},
		RedirectURIs: []string{"http://127.0.0.1:8765/callback"},
	}
	native := oktasim.OAuthApp{ClientID: "0oanative", RedirectURIs: []string{"http://127.0.0.1:8765/callback"}}
	c.Apps = append(c.Apps, service, web, native)
	return oktasim.New(oktasim.Config{Users: 20, Groups: 3, OAuth: c})
}

func TestAServiceAppGetsABearerTokenThatReadsWhatItWasGranted(t *testing.T) {
	o := newOAuthOrg(nil)
	granted := post(t, o, "/oauth2/v1/token", serviceForm(t, "okta.users.read", assertionClaims()))
	require.Equal(t, 200, granted.StatusCode, granted.body)
	assert.Equal(t, "Bearer", granted.get("token_type"))
	assert.Equal(t, "3600", granted.get("expires_in"))
	assert.Equal(t, "okta.users.read", granted.get("scope"))
	bearer := header("Authorization", "Bearer "+granted.get("access_token"))

	assert.Equal(t, 200, get(t, o, "/api/v1/users?limit=2", bearer).StatusCode)
	refused := get(t, o, "/api/v1/groups", bearer)
	assert.Equal(t, 403, refused.StatusCode)
	assert.Equal(t, "E0000006", refused.code())
	assert.Contains(t, refused.Header.Get("WWW-Authenticate"), `error="insufficient_scope"`)
	assert.Contains(t, refused.Header.Get("WWW-Authenticate"), `scope="okta.groups.read"`)
	me := get(t, o, "/api/v1/users/me", bearer)
	assert.Equal(t, 404, me.StatusCode, "a service app is nobody")
	assert.Equal(t, map[string]int{"client_credentials": 1}, o.OAuthStats().Grants)

	o.RevokeAccessTokens()
	revoked := get(t, o, "/api/v1/users", bearer)
	assert.Equal(t, 401, revoked.StatusCode)
	assert.Equal(t, "E0000011", revoked.code())
	assert.Contains(t, revoked.Header.Get("WWW-Authenticate"), `error="invalid_token"`)
}

func TestAnAssertionThatIsNotRightIsRefused(t *testing.T) {
	with := func(name string, value any) func(claims) { return func(c claims) { c[name] = value } }
	for name, c := range map[string]struct {
		change func(claims)
		says   string
	}{
		"another audience":    {with("aud", origin+"/oauth2/default/v1/token"), "endpoint invoked"},
		"another host":        {with("aud", "https://acme.example/oauth2/v1/token"), "endpoint invoked"},
		"another subject":     {with("sub", "0oaother"), "issuer and subject"},
		"an unknown client":   {func(c claims) { c["iss"], c["sub"] = "0oaother", "0oaother" }, "Invalid value for 'client_id' parameter."},
		"expired":             {with("exp", time.Now().Add(-time.Second).Unix()), "expired"},
		"no expiry":           {with("exp", 0), "exp claim"},
		"good for hours":      {with("exp", time.Now().Add(2*time.Hour).Unix()), "too far into the future"},
		"issued in an hour":   {with("iat", time.Now().Add(time.Hour).Unix()), "issued in the future"},
		"no JSON of claims":   {with("exp", "soon"), "not a valid JWT"},
		"audience of another": {with("aud", []string{"https://x.example"}), "endpoint invoked"},
	} {
		t.Run(name, func(t *testing.T) {
			asserted := assertionClaims()
			c.change(asserted)
			a := post(t, newOAuthOrg(nil), "/oauth2/v1/token", serviceForm(t, "okta.users.read", asserted))
			assert.Equal(t, 401, a.StatusCode)
			assert.Equal(t, "invalid_client", a.get("error")+a.code())
			assert.Contains(t, a.get("error_description")+a.get("errorSummary"), c.says)
		})
	}
	o := newOAuthOrg(nil)
	form := serviceForm(t, "okta.users.read", assertionClaims())
	require.Equal(t, 200, post(t, o, "/oauth2/v1/token", form).StatusCode)
	assert.Contains(t, post(t, o, "/oauth2/v1/token", form).get("error_description"), "already been used")

	form.Set("client_assertion", sign(t, mustKey(), nil, "kid1", assertionClaims()))
	assert.Contains(t, post(t, o, "/oauth2/v1/token", form).get("error_description"), "signature is invalid")
	form.Set("client_assertion", sign(t, newKey(), nil, "kid2", assertionClaims()))
	assert.Contains(t, post(t, o, "/oauth2/v1/token", form).get("error_description"), "kid is invalid")
	form.Set("client_assertion", "x.y.z")
	assert.Contains(t, post(t, o, "/oauth2/v1/token", form).get("error_description"), "not a valid JWT")
	assert.Equal(t, 4, o.OAuthStats().Refusals["invalid_client"])
}

func TestAScopeThatWasNotGrantedFailsTheTokenRequest(t *testing.T) {
	o := newOAuthOrg(nil)
	a := post(t, o, "/oauth2/v1/token", serviceForm(t, "okta.users.read okta.roles.read okta.logs.read", assertionClaims()))
	assert.Equal(t, 400, a.StatusCode)
	assert.JSONEq(t, `{"error":"invalid_scope","error_description":"The following scopes are not allowed for this request: [okta.roles.read, okta.logs.read]"}`, a.body)
	a = post(t, o, "/oauth2/v1/token", serviceForm(t, "okta.users.read mail.read", assertionClaims()))
	assert.Contains(t, a.get("error_description"), "not configured")
	a = post(t, o, "/oauth2/v1/token", serviceForm(t, "", assertionClaims()))
	assert.Equal(t, "invalid_scope", a.get("error"))
}

func TestTokenRequestsThatMakeNoSenseAreRefusedAsOktaDoes(t *testing.T) {
	o := newOAuthOrg(nil)
	basic := func(id, secret string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(id, secret) }
	}
	for name, c := range map[string]struct {
		form   url.Values
		edit   func(*http.Request)
		status int
		code   string
	}{
		"a grant of another kind of app": {serviceForm(t, "okta.users.read", assertionClaims()), nil, 400, "unauthorized_client"},
		"an unknown grant":               {serviceForm(t, "okta.users.read", assertionClaims()), nil, 400, "unsupported_grant_type"},
		"JSON":                           {url.Values{}, header("Content-Type", "application/json"), 400, "invalid_request"},
		"no client":                      {url.Values{"grant_type": {"refresh_token"}}, nil, 401, "invalid_client"},
		"a wrong secret":                 {url.Values{"grant_type": {"refresh_token"}}, basic("0oaweb", "x"), 401, "invalid_client"},
		"a secret for a key":             {url.Values{"grant_type": {"refresh_token"}}, basic("0oaservice", ""), 401, "invalid_client"},
		"an unknown refresh token":       {url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}}, basic("0oaweb", "web-secret"), 400, "invalid_grant"},
		"an unknown code":                {url.Values{"grant_type": {"authorization_code"}, "code": {"x"}}, basic("0oaweb", "web-secret"), 400, "invalid_grant"},
	} {
		t.Run(name, func(t *testing.T) {
			switch c.code {
			case "unauthorized_client":
				c.form.Set("grant_type", "refresh_token")
			case "unsupported_grant_type":
				c.form.Set("grant_type", "password")
			}
			if c.edit == nil {
				c.edit = func(*http.Request) {}
			}
			a := post(t, o, "/oauth2/v1/token", c.form, c.edit)
			assert.Equal(t, c.status, a.StatusCode, a.body)
			assert.Equal(t, c.code, a.get("error"), a.body)
		})
	}
	assert.Equal(t, 405, get(t, o, "/oauth2/v1/token").StatusCode)
}

func TestAnAppThatRequiresDPoPChallengesForANonceAndBindsTheToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOAuthOrg(func(c *oktasim.OAuth, app *oktasim.OAuthApp) {
			app.DPoP, c.NonceLife, c.ResourceNonce, c.TokenLife = oktasim.DPoPRequired, 3*time.Second, true, 5*time.Second
		})
		ask := func(edits ...func(*http.Request)) answer {
			return post(t, o, "/oauth2/v1/token", serviceForm(t, "okta.users.read", assertionClaims()), edits...)
		}
		key := mustKey()
		bare := ask()
		assert.Equal(t, 400, bare.StatusCode)
		assert.JSONEq(t, `{"error":"invalid_dpop_proof","error_description":"The DPoP proof JWT header is missing."}`, bare.body)
		challenged := ask(header("DPoP", proof(t, key, proofClaims("POST", tokenURL, "", ""))))
		assert.Equal(t, 400, challenged.StatusCode)
		assert.Equal(t, "use_dpop_nonce", challenged.get("error"))
		nonce := challenged.Header.Get("DPoP-Nonce")
		require.NotEmpty(t, nonce)
		granted := ask(header("DPoP", proof(t, key, proofClaims("POST", tokenURL, "", nonce))))
		require.Equal(t, 200, granted.StatusCode, granted.body)
		assert.Equal(t, "DPoP", granted.get("token_type"))
		token := granted.get("access_token")

		call := func(scheme, proof string) answer {
			return get(t, o, "/api/v1/users?limit=2", header("Authorization", scheme+" "+token), header("DPoP", proof))
		}
		fresh := func(change ...func(claims)) string {
			challenge := call("DPoP", proof(t, key, proofClaims("GET", origin+"/api/v1/users", token, "")))
			assert.Contains(t, challenge.Header.Get("WWW-Authenticate"), `DPoP `)
			assert.Contains(t, challenge.Header.Get("WWW-Authenticate"), `error="use_dpop_nonce"`)
			c := proofClaims("GET", origin+"/api/v1/users", token, challenge.Header.Get("DPoP-Nonce"))
			for _, change := range change {
				change(c)
			}
			return proof(t, key, c)
		}
		good := fresh()
		assert.Equal(t, 200, call("DPoP", good).StatusCode)
		assert.Equal(t, 401, call("DPoP", good).StatusCode, "a proof is good for one request")
		assert.Equal(t, 401, call("Bearer", fresh()).StatusCode)
		for name, change := range map[string]func(claims){
			"htu": func(c claims) { c["htu"] = origin + "/api/v1/users?limit=2" },
			"htm": func(c claims) { c["htm"] = "POST" },
			"ath": func(c claims) { delete(c, "ath") },
			"iat": func(c claims) { c["iat"] = time.Now().Add(-time.Hour).Unix() },
			"jti": func(c claims) { delete(c, "jti") },
		} {
			refused := call("DPoP", fresh(change))
			assert.Equal(t, 401, refused.StatusCode, name)
			assert.Contains(t, refused.Header.Get("WWW-Authenticate"), `error="invalid_dpop_proof"`, name)
		}
		c := proofClaims("GET", origin+"/api/v1/users", token, "")
		c["nonce"] = gjson.Get(decode(t, fresh()), "nonce").String()
		stolen := call("DPoP", proof(t, mustKey(), c))
		assert.Contains(t, stolen.Header.Get("WWW-Authenticate"), "bound to another key")

		old := fresh()
		time.Sleep(3 * time.Second)
		assert.Contains(t, call("DPoP", old).Header.Get("WWW-Authenticate"), "use_dpop_nonce", "nonces are replaced")
		last := fresh()
		time.Sleep(2 * time.Second)
		assert.Contains(t, call("DPoP", last).Header.Get("WWW-Authenticate"), "invalid_token", "the token has expired")
	})
}

func decode(t *testing.T, jwt string) string {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(jwt, ".")[1])
	require.NoError(t, err)
	return string(b)
}

func TestANonceOfOktasIsGoodForThreeDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOAuthOrg(func(_ *oktasim.OAuth, app *oktasim.OAuthApp) { app.DPoP = oktasim.DPoPRequired })
		ask := func(nonce string) answer {
			return post(t, o, "/oauth2/v1/token", serviceForm(t, "okta.users.read", assertionClaims()),
				header("DPoP", proof(t, mustKey(), proofClaims("POST", tokenURL, "", nonce))))
		}
		nonce := ask("").Header.Get("DPoP-Nonce")
		time.Sleep(2 * 24 * time.Hour)
		assert.Equal(t, 200, ask(nonce).StatusCode)
		time.Sleep(24 * time.Hour)
		assert.Equal(t, 400, ask(nonce).StatusCode)
	})
}

func TestAServiceAppWithoutAdminRoleIsAnsweredWithEmptyLists(t *testing.T) {
	o := newOAuthOrg(func(_ *oktasim.OAuth, app *oktasim.OAuthApp) { app.NoRole, app.Scopes = true, nil })
	granted := post(t, o, "/oauth2/v1/token", serviceForm(t, "okta.users.read okta.schemas.read", assertionClaims()))
	bearer := header("Authorization", "Bearer "+granted.get("access_token"))
	a := get(t, o, "/api/v1/users", bearer)
	assert.Equal(t, 200, a.StatusCode)
	assert.Equal(t, "[]", a.body)
	assert.Equal(t, 403, get(t, o, "/api/v1/meta/schemas/user/default", bearer).StatusCode)
}

func refreshForm(token string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
}

func asWeb(r *http.Request) { r.SetBasicAuth("0oaweb", "web-secret") }

func TestARefreshTokenRotatesWithAGraceAndItsReuseRevokesTheFamily(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOAuthOrg(nil)
		refresh := func(token string) answer { return post(t, o, "/oauth2/v1/token", refreshForm(token), asWeb) }
		first := o.NewRefreshToken("0oaweb", "okta.users.read", "offline_access")
		a := refresh(first)
		require.Equal(t, 200, a.StatusCode, a.body)
		second := a.get("refresh_token")
		assert.NotEqual(t, first, second)

		time.Sleep(29 * time.Second)
		again := refresh(first)
		require.Equal(t, 200, again.StatusCode, "an answer that was lost can be had again")
		assert.Equal(t, second, again.get("refresh_token"))
		bearer := header("Authorization", "Bearer "+again.get("access_token"))
		me := get(t, o, "/api/v1/users/me", bearer)
		assert.Equal(t, 200, me.StatusCode, "the token is the person's")

		time.Sleep(2 * time.Second)
		assert.Equal(t, "invalid_grant", refresh(first).get("error"))
		assert.Equal(t, "invalid_grant", refresh(second).get("error"), "the family is revoked")
		assert.Equal(t, 401, get(t, o, "/api/v1/users/me", bearer).StatusCode)
		assert.Equal(t, 1, o.OAuthStats().FamiliesRevoked)

		third := o.NewRefreshToken("0oaweb", "okta.users.read")
		time.Sleep(7*24*time.Hour + time.Second)
		assert.Equal(t, "invalid_grant", refresh(third).get("error"), "it was idle for a week")
	})
}

func TestRevokedTokensAreOfNoUse(t *testing.T) {
	o := newOAuthOrg(nil)
	token := o.NewRefreshToken("0oaweb", "okta.users.read")
	a := post(t, o, "/oauth2/v1/token", refreshForm(token), asWeb)
	bearer := header("Authorization", "Bearer "+a.get("access_token"))
	require.Equal(t, 200, get(t, o, "/api/v1/users/me", bearer).StatusCode)
	revoked := post(t, o, "/oauth2/v1/revoke", url.Values{"token": {a.get("access_token")}}, asWeb)
	assert.Equal(t, 200, revoked.StatusCode)
	assert.Equal(t, 401, get(t, o, "/api/v1/users/me", bearer).StatusCode)
	assert.Equal(t, 200, post(t, o, "/oauth2/v1/revoke", url.Values{"token": {"unknown"}}, asWeb).StatusCode)
	post(t, o, "/oauth2/v1/revoke", url.Values{"token": {a.get("refresh_token")}}, asWeb)
	assert.Equal(t, 400, post(t, o, "/oauth2/v1/token", refreshForm(a.get("refresh_token")), asWeb).StatusCode)

	other := o.NewRefreshToken("0oaweb", "okta.users.read")
	o.RevokeRefreshTokens("0oaweb")
	assert.Equal(t, 400, post(t, o, "/oauth2/v1/token", refreshForm(other), asWeb).StatusCode)
}

func TestConsentEndsInACodeThatIsGoodOnceAndWithItsVerifier(t *testing.T) {
	const redirect = "http://127.0.0.1:8765/callback"
	sum := sha256.Sum256([]byte("verifier"))
	authorize := func(t *testing.T, o *oktasim.Org, pairs ...string) answer {
		all := append([]string{
			"client_id", "0oanative", "redirect_uri", redirect, "response_type", "code", "state", "s1",
			"scope", "openid offline_access okta.users.read",
			"code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]), "code_challenge_method", "S256",
		}, pairs...)
		return get(t, o, "/oauth2/v1/authorize"+query(all...), func(r *http.Request) { r.Header.Del("Authorization") })
	}
	sent := func(t *testing.T, a answer) url.Values {
		require.Equal(t, 302, a.StatusCode, a.body)
		to, err := url.Parse(a.Header.Get("Location"))
		require.NoError(t, err)
		return to.Query()
	}
	exchange := func(o *oktasim.Org, code, verifier string) answer {
		return post(t, o, "/oauth2/v1/token", url.Values{
			"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}, "code_verifier": {verifier}, "client_id": {"0oanative"},
		})
	}
	o := newOAuthOrg(nil)
	back := sent(t, authorize(t, o))
	assert.Equal(t, "s1", back.Get("state"))
	granted := exchange(o, back.Get("code"), "verifier")
	require.Equal(t, 200, granted.StatusCode, granted.body)
	assert.NotEmpty(t, granted.get("refresh_token"))
	assert.Equal(t, 400, exchange(o, back.Get("code"), "verifier").StatusCode, "a code is good once")
	assert.Equal(t, 400, exchange(o, sent(t, authorize(t, o)).Get("code"), "another").StatusCode)
	without := exchange(o, sent(t, authorize(t, o, "scope", "okta.users.read")).Get("code"), "verifier")
	assert.Empty(t, without.get("refresh_token"), "offline_access was not asked for")

	for code, pairs := range map[string][]string{
		"invalid_scope":             {"scope", "mail.read"},
		"unsupported_response_type": {"response_type", "token"},
		"invalid_request":           {"code_challenge", ""},
	} {
		refused := sent(t, authorize(t, o, pairs...))
		assert.Equal(t, code, refused.Get("error"))
		assert.Equal(t, "s1", refused.Get("state"))
	}
	for _, pairs := range [][]string{{"client_id", "0oaservice"}, {"client_id", "x"}, {"redirect_uri", "https://evil.example/"}} {
		page := authorize(t, o, pairs...)
		assert.Equal(t, 400, page.StatusCode)
		assert.Empty(t, page.Header.Get("Location"), "nothing is sent to an address that is not registered")
		assert.Contains(t, page.Header.Get("Content-Type"), "text/html")
	}
}

func TestTheSameSeedIssuesTheSameTokens(t *testing.T) {
	a, b := newOAuthOrg(nil), newOAuthOrg(nil)
	for i := range 3 {
		assert.Equal(t, a.NewRefreshToken("0oaweb"), b.NewRefreshToken("0oaweb"), fmt.Sprint(i))
	}
}
