package okta_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"source-okta/internal/okta"
	"source-okta/internal/oktasim"
)

// slowOrg is an org whose tokens live five seconds and whose nonces three, and where a page takes a while.
func slowOrg(nonces bool) *oktasim.Org {
	c := oktasim.Config{Seed: 5, Users: 3000, Latency: 900 * time.Millisecond, RecordRequests: true, OAuth: oktasim.OAuth{
		TokenLife: 5 * time.Second, RefreshGrace: -1,
		Apps: []oktasim.OAuthApp{
			{ClientID: "0oaservice", Service: true, DPoP: oktasim.DPoPRequired, Scopes: []string{"okta.users.read"}, Keys: []jose.JSONWebKey{{Key: ecKey().Public(), KeyID: "kid1"}}},
			{ClientID: "0oaweb", Secret: "web-secret", Rotate: true},
		},
	}}
	if nonces {
		c.OAuth.NonceLife, c.OAuth.ResourceNonce = 3*time.Second, true
	}
	return oktasim.New(c)
}

func readUsers(t *testing.T, o *oktasim.Org, auth okta.Authenticator) {
	t.Helper()
	client := okta.New(okta.Options{Origin: origin, Transport: o, Auth: auth})
	next := &okta.Request{Bucket: "/api/v1/users", Path: "/api/v1/users", PageSize: 100}
	for range 3 {
		read := 0
		for r := next; r != nil; {
			page, err := client.Get(t.Context(), *r)
			require.NoError(t, err)
			read += len(page.Items)
			r = page.Next
		}
		assert.Greater(t, read, 2000)
	}
}

func TestEachWayInReadsAWholeOrgWithTokensOfFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := slowOrg(true)
		auth, err := okta.NewPrivateKey(okta.PrivateKeyOptions{
			OAuthOptions: okta.OAuthOptions{Origin: origin, Transport: o},
			ClientID:     "0oaservice", KeyID: "kid1", PrivateKey: pkcs8(t, ecKey()), Scopes: []string{"okta.users.read", "okta.roles.read"},
		})
		require.NoError(t, err)
		readUsers(t, o, auth)
		assert.Equal(t, []string{"okta.roles.read"}, auth.Refused())
		stats := o.OAuthStats()
		assert.Greater(t, stats.Grants["client_credentials"], 10)
		assert.Greater(t, stats.Challenges, 10)
		assert.Zero(t, stats.Refusals["invalid_client"])
		assert.Zero(t, stats.Refusals["invalid_dpop_proof"])
		assert.Equal(t, 1, stats.Refusals["invalid_scope"])
		for _, r := range o.Requests() {
			if r.Status == http.StatusUnauthorized {
				assert.Equal(t, "DPoP", r.AuthScheme)
			}
		}
	})
	synctest.Test(t, func(t *testing.T) {
		o := slowOrg(false)
		rotated := 0
		auth, err := okta.NewRefreshToken(okta.RefreshTokenOptions{
			OAuthOptions: okta.OAuthOptions{Origin: origin, Transport: o},
			ClientID:     "0oaweb", ClientSecret: "web-secret", RefreshToken: o.NewRefreshToken("0oaweb", "okta.users.read", "offline_access"),
			OnRotate: func(context.Context, string) error { rotated++; return nil },
		})
		require.NoError(t, err)
		readUsers(t, o, auth)
		assert.Greater(t, rotated, 10)
		assert.Equal(t, rotated, o.OAuthStats().Grants["refresh_token"])
		for _, r := range o.Requests() {
			assert.NotEqual(t, http.StatusUnauthorized, r.Status, "tokens are renewed before they expire")
		}
	})
	synctest.Test(t, func(t *testing.T) {
		o := slowOrg(false)
		readUsers(t, o, okta.NewSSWS(" SSWS "+o.Token()+"\n"))
	})
}

func TestAnAPITokenThatCannotBeOneIsNotSent(t *testing.T) {
	for _, token := range []string{"", "  ", "00abc\n00def", "00abc def", "00äbc"} {
		req, _ := http.NewRequest(http.MethodGet, usersAt, nil)
		refused := requireAuthError(t, okta.NewSSWS(token).Sign(t.Context(), req))
		assert.Equal(t, []string{"api_token"}, refused.Fields)
		assert.Contains(t, refused.Error(), "Security → API → Tokens")
		assert.Empty(t, req.Header)
	}
}

func TestTheOrgIsKnownBeforeACredentialIsSent(t *testing.T) {
	for name, classic := range map[string]bool{"idx": false, "v1": true} {
		synctest.Test(t, func(t *testing.T) {
			o := oktasim.New(oktasim.Config{Classic: classic, RecordRequests: true})
			client := okta.New(okta.Options{Origin: origin, Transport: o, Auth: okta.NewSSWS(o.Token())})
			org, err := client.Organization(t.Context())
			require.NoError(t, err)
			assert.Regexp(t, "^00o", org.ID)
			assert.Equal(t, name, org.Pipeline)
			assert.Equal(t, []string{"https://acme.okta.com"}, org.Links)
			for _, r := range o.Requests() {
				assert.Empty(t, r.AuthScheme)
			}
		})
	}
}

type script func(*http.Request) (*http.Response, error)

func (s script) RoundTrip(r *http.Request) (*http.Response, error) { return s(r) }

func TestAHostThatIsNoOrgIsRefusedWithASentenceAboutTheDomain(t *testing.T) {
	for name, c := range map[string]script{
		"a web page":   func(*http.Request) (*http.Response, error) { return answer(404, "text/html", "<html>"), nil },
		"a front page": func(*http.Request) (*http.Response, error) { return answer(200, "text/html", "<html>Welcome"), nil },
		"other JSON": func(*http.Request) (*http.Response, error) {
			return answer(200, "application/json", `{"id":"00o1"}`), nil
		},
		"a new product": func(*http.Request) (*http.Response, error) {
			return answer(200, "application/json", `{"id":"00o1","pipeline":"v9"}`), nil
		},
		"a redirect": func(*http.Request) (*http.Response, error) {
			return answer(302, "text/html", "", "Location", "https://evil.example/"), nil
		},
		"no such host": func(*http.Request) (*http.Response, error) { return nil, &noHost },
		"a host of another name": func(*http.Request) (*http.Response, error) {
			return nil, &tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: &x509.Certificate{}, Host: "acme.okta.com"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hosts := map[string]bool{}
				client := okta.New(okta.Options{Origin: origin, Transport: script(func(r *http.Request) (*http.Response, error) {
					hosts[r.URL.Host] = true
					assert.Empty(t, r.Header.Get("Authorization"))
					return c(r)
				}), Auth: okta.NewSSWS("00secret")})
				_, err := client.Organization(t.Context())
				var refused *okta.DomainError
				require.ErrorAs(t, err, &refused)
				assert.Contains(t, err.Error(), "no Okta org answers at acme.okta.com, so no credentials were sent there")
				assert.Equal(t, map[string]bool{"acme.okta.com": true}, hosts)
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		client := okta.New(okta.Options{Origin: origin, Transport: script(func(*http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &okta.DomainError{Reason: "the domain leads inside"}}
		})})
		_, err := client.Organization(t.Context())
		require.EqualError(t, err, "the domain leads inside", "the guard's own sentence")
	})
	synctest.Test(t, func(t *testing.T) {
		client := okta.New(okta.Options{Origin: origin, Transport: script(func(*http.Request) (*http.Response, error) {
			return nil, &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}
		})})
		_, err := client.Organization(t.Context())
		var unknown x509.UnknownAuthorityError
		require.ErrorAs(t, err, &unknown, "an authority to add, not another domain to enter")
		var refused *okta.DomainError
		require.NotErrorAs(t, err, &refused)
	})
	synctest.Test(t, func(t *testing.T) {
		client := okta.New(okta.Options{Origin: origin, Transport: script(func(*http.Request) (*http.Response, error) {
			return answer(503, "text/html", "<html>maintenance"), nil
		})})
		_, err := client.Organization(t.Context())
		var failed *okta.Error
		require.ErrorAs(t, err, &failed)
		assert.Equal(t, okta.Transient, failed.Class, "an org that is down is still an org")
	})
}

var noHost = net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "acme.okta.com", IsNotFound: true}}
