package oktasim_test

import (
	"net/http"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"source-okta/internal/oktasim"
)

var errorID = regexp.MustCompile(`"errorId":"oae\w{22}"`)

func TestErrorsAreWordedAsOktaWordsThem(t *testing.T) {
	deny := []oktasim.Deny{
		{Path: "/api/v1/groups", Kind: oktasim.DenyRole},
		{Path: "/api/v1/groups/*", Kind: oktasim.DenyScope},
		{Path: "/api/v1/apps", Kind: oktasim.DenyFeature},
		{Path: "/api/v1/apps/*", Kind: oktasim.DenyPath},
		{Path: "/api/v1/devices", Kind: oktasim.DenyMethod},
		{Path: "/api/v1/policies", Kind: oktasim.DenyDeprecated},
		{Path: "/api/v1/users/*/factors", Kind: oktasim.DenyStatus},
	}
	o := oktasim.New(oktasim.Config{Seed: 1, Users: 10, Groups: 3, Deny: deny})
	token := func(value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", value) }
	}
	method := func(m string) func(*http.Request) { return func(r *http.Request) { r.Method = m } }
	for _, c := range []struct {
		path    string
		edit    func(*http.Request)
		status  int
		code    string
		summary string
	}{
		{"/api/v1/users", token("SSWS wrong"), 401, "E0000011", "Invalid token provided"},
		{"/api/v1/users", token("Bearer wrong"), 401, "E0000011", "Invalid token provided"},
		{"/api/v1/users", token(""), 403, "E0000005", "Invalid session"},
		{"/api/v1/users", token("Basic eDp5"), 403, "E0000005", "Invalid session"},
		{"/api/v1/users/00usfhrjbkppPBkoY4x6", nil, 404, "E0000007", "Not found: Resource not found: 00usfhrjbkppPBkoY4x6 (User)"},
		{"/api/v1/users/-1/roles", nil, 404, "E0000007", "Not found: Resource not found: -1 (User)"},
		{"/api/v1/groups/gone/users", nil, 404, "E0000007", "Not found: Resource not found: gone (UserGroup)"},
		{"/api/v1/apps/gone/users", nil, 404, "E0000007", "Not found: Resource not found: gone (AppInstance)"},
		{"/api/v1/policies/gone/rules", nil, 404, "E0000007", "Not found: Resource not found: gone (Policy)"},
		{"/api/v1/iam/roles/gone/permissions", nil, 404, "E0000007", "Not found: Resource not found: gone (CustomRole)"},
		{"/api/v1/iam/resource-sets/gone/bindings", nil, 404, "E0000007", "Not found: Resource not found: gone (IAMPolicy)"},
		{"/api/v1/nothing", nil, 404, "E0000008", "The requested path was not found"},
		{"/api/v1/users", method(http.MethodPut), 405, "E0000022", "The endpoint does not support the provided HTTP method"},
		{"/api/v1/groups", nil, 403, "E0000006", "You do not have permission to perform the requested action"},
		{"/api/v1/groups/x", nil, 403, "E0000006", "You do not have permission to perform the requested action"},
		{"/api/v1/apps", nil, 401, "E0000015", "You do not have permission to access the feature you are requesting"},
		{"/api/v1/apps/x", nil, 404, "E0000008", "The requested path was not found"},
		{"/api/v1/devices", nil, 405, "E0000022", "The endpoint does not support the provided HTTP method"},
		{"/api/v1/policies?type=PASSWORD", nil, 410, "E0000215", "This endpoint has been deprecated."},
		{"/api/v1/users/me/factors", nil, 403, "E0000038", "This operation is not allowed in the user's current status."},
	} {
		if c.edit == nil {
			c.edit = func(*http.Request) {}
		}
		a := get(t, o, c.path, c.edit)
		assert.Equal(t, c.status, a.StatusCode, c.path)
		assert.Regexp(t, errorID, a.body)
		want := `{"errorCode":"` + c.code + `","errorSummary":"` + c.summary + `","errorLink":"` + c.code + `","errorId":"","errorCauses":[]}`
		assert.Equal(t, want, errorID.ReplaceAllString(a.body, `"errorId":""`), c.path)
		assert.Equal(t, "application/json", a.Header.Get("Content-Type"))
		assert.Len(t, a.Header.Get("X-Okta-Request-Id"), 32)
		assert.Empty(t, a.Header.Values("Link"))
	}
	a := get(t, o, "/api/v1/groups/x")
	assert.Equal(t, `Bearer authorization_uri="https://acme.okta.com/oauth2/v1/authorize", realm="https://acme.okta.com", `+
		`scope="okta.groups.read", error="insufficient_scope", error_description="The access token provided does not contain the required scopes.", `+
		`resource="/api/v1/groups/x"`, a.Header.Get("WWW-Authenticate"))
}

func TestPrincipalsHaveScopesAndRoles(t *testing.T) {
	o := oktasim.New(oktasim.Config{Seed: 1, Users: 10, Groups: 3, Principals: map[string]oktasim.Principal{
		"Bearer scoped":   {ClientID: "0oa1", Scopes: []string{"okta.users.read"}},
		"Bearer roleless": {ClientID: "0oa2", Scopes: []string{"okta.users.read", "okta.roles.read"}, NoRole: true},
	}})
	as := func(token string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", token) }
	}
	assert.Equal(t, 200, get(t, o, "/api/v1/users", as("Bearer scoped")).StatusCode)
	a := get(t, o, "/api/v1/groups", as("Bearer scoped"))
	assert.Equal(t, 403, a.StatusCode)
	assert.Contains(t, a.Header.Get("WWW-Authenticate"), `error="insufficient_scope"`)
	a = get(t, o, "/api/v1/users/me", as("Bearer scoped"))
	assert.Equal(t, 404, a.StatusCode, "a service app has no user")
	assert.Equal(t, "[]", get(t, o, "/api/v1/users", as("Bearer roleless")).body)
	assert.Equal(t, `{"roles":[],"_links":{}}`, get(t, o, "/api/v1/iam/roles", as("Bearer roleless")).body)
	me := get(t, o, "/api/v1/users/me")
	assert.Equal(t, 200, me.StatusCode)
	assert.Equal(t, "ACTIVE", gjson.Get(me.body, "status").String())
}

func TestAnEmptyOrgAnswersEveryListEmpty(t *testing.T) {
	o := oktasim.New(oktasim.Config{Seed: 1, Users: 10, Groups: 3, Apps: 3, Events: 10, Empty: true})
	for _, path := range []string{"/api/v1/users", "/api/v1/groups", "/api/v1/apps", "/api/v1/logs", "/api/v1/policies?type=PASSWORD"} {
		a := get(t, o, path)
		assert.Equal(t, 200, a.StatusCode)
		assert.Equal(t, "[]", a.body)
	}
}

func TestTypesOfPoliciesMayBeAbsent(t *testing.T) {
	o := oktasim.New(oktasim.Config{Seed: 1, PolicyErrors: map[string]int{"ENTITY_RISK": 400, "CLIENT_UPDATE": 403, "POST_AUTH_SESSION": 404}})
	for kind, want := range map[string]int{
		"PASSWORD": 200, "ACCESS_POLICY": 200, "IDENTITY_CLAIM_SOURCING": 200, "ENTITY_RISK": 400, "CLIENT_UPDATE": 403,
		"POST_AUTH_SESSION": 404, "NO_SUCH_TYPE": 400, "": 400,
	} {
		assert.Equal(t, want, get(t, o, "/api/v1/policies?type="+kind).StatusCode, kind)
	}
	o = oktasim.New(oktasim.Config{Seed: 1, Classic: true, Devices: 5})
	assert.Equal(t, "E0000015", get(t, o, "/api/v1/policies?type=ACCESS_POLICY").code())
	assert.Equal(t, 200, get(t, o, "/api/v1/policies?type=PASSWORD").StatusCode)
	assert.Equal(t, "E0000008", get(t, o, "/api/v1/devices").code())
	assert.Equal(t, "v1", gjson.Get(get(t, o, "/.well-known/okta-organization").body, "pipeline").String())
}

func TestTheOrgTellsWhatItIsWithoutCredentials(t *testing.T) {
	o := oktasim.New(oktasim.Config{Seed: 1})
	a := get(t, o, "/.well-known/okta-organization", func(r *http.Request) { r.Header.Del("Authorization") })
	require.Equal(t, 200, a.StatusCode)
	assert.Regexp(t, "^00o", gjson.Get(a.body, "id").String())
	assert.Equal(t, "idx", gjson.Get(a.body, "pipeline").String())
	assert.Equal(t, origin, gjson.Get(a.body, "_links.organization.href").String())
}

func TestUsersComeWithoutCredentialsWhenAsked(t *testing.T) {
	o := oktasim.New(oktasim.Config{Seed: 1, Users: 3})
	ask := func(wish string) gjson.Result {
		return gjson.Get(get(t, o, "/api/v1/users?limit=1", func(r *http.Request) {
			r.Header.Set("Content-Type", "application/json; okta-response="+wish)
		}).body, "0")
	}
	assert.True(t, ask("").Get("credentials").Exists())
	u := ask(`"omitCredentials,omitCredentialsLinks,omitTransitioningToStatus"`)
	assert.False(t, u.Get("credentials").Exists())
	assert.False(t, u.Get("_links.resetPassword").Exists())
	assert.True(t, ask("omitCredentialsLinks").Get("credentials").Exists())
}
