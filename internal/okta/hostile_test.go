package okta_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"source-okta/internal/okta"
)

func linked(target string) func(*http.Request) *http.Response {
	return func(*http.Request) *http.Response {
		return answer(200, "application/json", `[{"id":"00u1"}]`, "Link", `<`+target+`>; rel="next"`)
	}
}

func redirected(status int, target string) func(*http.Request) *http.Response {
	return func(*http.Request) *http.Response { return answer(status, "text/html", "", "Location", target) }
}

func inBody(link string) func(*http.Request) *http.Response {
	return func(*http.Request) *http.Response {
		return answer(200, "application/json", `{"roles":[{"id":"cr01"}],"_links":{"next":`+link+`}}`)
	}
}

func TestNoCredentialEverReachesASecondHost(t *testing.T) {
	users := okta.Request{Bucket: "/api/v1/users", Path: "/api/v1/users"}
	roles := okta.Request{Bucket: "/api/v1/iam", Path: "/api/v1/iam/roles", Items: "roles"}
	for name, c := range map[string]struct {
		request okta.Request
		answer  func(*http.Request) *http.Response
	}{
		"a next link to another host":         {users, linked("https://evil.example/api/v1/users?after=1")},
		"a next link without a scheme":        {users, linked("//evil.example/api/v1/users?after=1")},
		"a next link over http":               {users, linked("http://acme.okta.com/api/v1/users?after=1")},
		"a next link to another port":         {users, linked("https://acme.okta.com:8443/api/v1/users?after=1")},
		"a next link behind user info":        {users, linked("https://acme.okta.com@evil.example/api/v1/users?after=1")},
		"a next link with user info":          {users, linked("https://me:pw@acme.okta.com/api/v1/users?after=1")},
		"a next link to a look-alike":         {users, linked("https://acme.okta.com.evil.example/api/v1/users?after=1")},
		"a next link to a homograph":          {users, linked("https://acme.оkta.com/api/v1/users?after=1")},
		"a next link with a backslash":        {users, linked(`https://evil.example\@acme.okta.com/api/v1/users?after=1`)},
		"a next link to an address":           {users, linked("https://169.254.169.254/api/v1/users?after=1")},
		"a next link to another path":         {users, linked("https://acme.okta.com/oauth2/v1/token?after=1")},
		"a next link that climbs":             {users, linked("https://acme.okta.com/api/v1/users/../../evil?after=1")},
		"a next link that climbs, encoded":    {users, linked("https://acme.okta.com/api/v1/users/%2e%2e/%2e%2e/evil?after=1")},
		"a next link of another kind":         {users, linked("javascript:alert(1)")},
		"a next link with a line break":       {users, linked("https://acme.okta.com/api/v1/users?after=1\r\nHost: evil.example")},
		"a body link to another host":         {roles, inBody(`{"href":"https://evil.example/api/v1/iam/roles?after=1"}`)},
		"a body link as a string":             {roles, inBody(`"https://evil.example/api/v1/iam/roles?after=1"`)},
		"a body link to a look-alike":         {roles, inBody(`{"href":"https://acme-admin.okta.com.evil.example/api/v1/iam/roles?after=1"}`)},
		"a body link behind user info":        {roles, inBody(`{"href":"https://acme.okta.com@evil.example/api/v1/iam/roles?after=1"}`)},
		"a redirect (301) to another host":    {users, redirected(301, "https://evil.example/")},
		"a redirect (302) to another host":    {users, redirected(302, "https://evil.example/")},
		"a redirect (303) to another host":    {users, redirected(303, "https://evil.example/")},
		"a redirect (307) to another host":    {users, redirected(307, "https://evil.example/")},
		"a redirect (308) to another host":    {users, redirected(308, "https://evil.example/")},
		"a redirect without a scheme":         {users, redirected(302, "//evil.example/")},
		"a redirect to http":                  {users, redirected(302, "http://acme.okta.com/api/v1/users")},
		"a redirect to a sub-domain":          {users, redirected(302, "https://evil.acme.okta.com/api/v1/users")},
		"a redirect to the same host's login": {users, redirected(302, "https://acme.okta.com/login")},
		"a refresh header": {users, func(*http.Request) *http.Response {
			return answer(200, "application/json", "[]", "Refresh", "0; url=https://evil.example/")
		}},
		"a challenge that names another server": {users, func(*http.Request) *http.Response {
			return answer(401, "application/json", "", "WWW-Authenticate", `DPoP authorization_uri="https://evil.example/", error="invalid_token"`)
		}},
		"a challenge with a nonce of another": {users, func(*http.Request) *http.Response {
			return answer(401, "application/json", "", "WWW-Authenticate", `DPoP realm="https://evil.example", error="use_dpop_nonce"`, "DPoP-Nonce", "x")
		}},
		"an alternative service": {users, func(*http.Request) *http.Response {
			return answer(200, "application/json", "[]", "Alt-Svc", `h2="evil.example:443"`)
		}},
		"a content location": {users, func(*http.Request) *http.Response {
			return answer(200, "application/json", "[]", "Content-Location", "https://evil.example/")
		}},
		"a rate limit with a place to go instead": {users, func(*http.Request) *http.Response {
			return answer(429, "text/html", "", "Location", "https://evil.example/", "Retry-After", "1")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for kind, newAuth := range map[string]func(*fakeOrg) okta.Authenticator{
				"API token":   func(*fakeOrg) okta.Authenticator { return okta.NewSSWS("00secret") },
				"private key": func(o *fakeOrg) okta.Authenticator { return serviceApp(t, o, &notes{}) },
			} {
				synctest.Test(t, func(t *testing.T) {
					o, pages := newFakeOrg(), 0
					o.script = func(r *http.Request) *http.Response {
						if r.URL.Path == "/oauth2/v1/token" {
							return nil
						}
						if pages++; pages > 1 && strings.Contains(r.URL.RawQuery, "after") {
							return answer(200, "application/json", "[]")
						}
						return c.answer(r)
					}
					client := okta.New(okta.Options{Origin: origin, Transport: o, Auth: newAuth(o)})
					ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
					defer cancel()
					for r := &c.request; r != nil; {
						page, err := client.Get(ctx, *r)
						if err != nil {
							break
						}
						r = page.Next
					}
					require.NotEmpty(t, o.seen, kind)
					for _, r := range o.seen {
						assert.Equal(t, "https://acme.okta.com", r.URL.Scheme+"://"+r.URL.Host)
						assert.Empty(t, r.URL.User)
						assert.Contains(t, []string{"", "acme.okta.com"}, r.Host)
						assert.Contains(t, []string{"/oauth2/v1/token", c.request.Path}, r.URL.Path)
					}
				})
			}
		})
	}
}
