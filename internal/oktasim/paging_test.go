package oktasim_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"source-okta/internal/oktasim"
)

func TestPageSizesHaveLimits(t *testing.T) {
	o := smallOrg()
	group := gjson.Get(get(t, o, "/api/v1/groups?limit=1").body, "0.id").String()
	app := gjson.Get(get(t, o, "/api/v1/apps?limit=1").body, "0.id").String()
	for path, size := range map[string]struct{ low, high, def int }{
		"/api/v1/users":                      {1, 200, 200},
		"/api/v1/groups":                     {1, 10000, 200},
		"/api/v1/groups/" + group + "/users": {1, 1000, 1000},
		"/api/v1/apps":                       {1, 200, 20},
		"/api/v1/apps/" + app + "/users":     {1, 500, 50},
		"/api/v1/apps/" + app + "/groups":    {20, 200, 20},
		"/api/v1/logs":                       {0, 1000, 100},
		"/api/v1/devices":                    {1, 200, 200},
	} {
		for limit, ok := range map[int]bool{size.low: true, size.high: true, size.low - 1: false, size.high + 1: false} {
			a := get(t, o, path+query("limit", itoa(limit)))
			if ok {
				assert.Equal(t, 200, a.StatusCode, "%s limit %d: %s", path, limit, a.body)
				assert.LessOrEqual(t, len(gjson.Parse(a.body).Array()), limit)
				assert.Contains(t, a.link("self"), "limit="+itoa(limit))
				continue
			}
			assert.Equal(t, 400, a.StatusCode, "%s limit %d", path, limit)
			assert.Equal(t, "E0000001", a.code())
		}
		assert.Equal(t, 400, get(t, o, path+"?limit=many").StatusCode)
		assert.Contains(t, get(t, o, path).link("self"), "limit="+itoa(size.def))
	}
}

func TestLinksAreHeadersOfTheirOwn(t *testing.T) {
	o := smallOrg()
	a := get(t, o, "/api/v1/users"+query("search", `status eq "ACTIVE"`, "sortBy", "lastUpdated", "limit", "2"))
	require.Equal(t, 200, a.StatusCode)
	values := a.Header.Values("Link")
	require.Len(t, values, 2)
	assert.Equal(t, `<https://acme.okta.com/api/v1/users?limit=2&search=status+eq+%22ACTIVE%22&sortBy=lastUpdated>; rel="self"`, values[0])
	assert.Regexp(t, `^<https://acme\.okta\.com/api/v1/users\?after=[\w-]+&limit=2&search=status\+eq\+%22ACTIVE%22&sortBy=lastUpdated>; rel="next"$`, values[1])
	assert.NotContains(t, values[1], gjson.Get(a.body, "1.id").String(), "a page token is opaque")
}

func TestIAMLinksPointToTheAdminHost(t *testing.T) {
	o := smallOrg()
	a := get(t, o, "/api/v1/iam/roles")
	assert.Equal(t, []string{`<https://acme-admin.okta.com/api/v1/iam/roles>; rel="self"`}, a.Header.Values("Link"))
	assert.Regexp(t, `^https://acme-admin\.okta\.com/api/v1/iam/roles\?after=[\w-]+$`, gjson.Get(a.body, "_links.next.href").String())
	assert.Regexp(t, `^https://acme-admin\.okta\.com/api/v1/iam/roles/cr0\w+/permissions$`, gjson.Get(a.body, "roles.0._links.permissions.href").String())
	a = get(t, o, "/api/v1/iam/assignees/users?limit=2")
	assert.Regexp(t, `^https://acme-admin\.okta\.com/api/v1/iam/assignees/users\?after=[\w-]+&limit=2$`, gjson.Get(a.body, "_links.next.href").String())
	a = get(t, o, "/api/v1/iam/roles", func(r *http.Request) { r.URL.Host, r.Host = "127.0.0.1:8080", "" })
	assert.Contains(t, a.Header.Get("Link"), "acme-admin.okta.com", "an address has no sub-domain to extend")
}

func TestPageTokensBelongToTheirQuery(t *testing.T) {
	o := smallOrg()
	next := get(t, o, "/api/v1/users"+query("search", `status eq "ACTIVE"`, "limit", "2")).link("next")
	require.NotEmpty(t, next)
	assert.Equal(t, 200, get(t, o, strings.Replace(next, "limit=2", "limit=1", 1)).StatusCode, "the page size may change on the way")
	for _, other := range []string{
		strings.Replace(next, "ACTIVE", "STAGED", 1),
		next + "&sortBy=lastUpdated",
		strings.Replace(next, "after=", "after=x", 1),
		"/api/v1/apps?after=00u1testcursorvalue",
	} {
		a := get(t, o, other)
		assert.Equal(t, 400, a.StatusCode, other)
		assert.Equal(t, "E0000029", a.code())
		assert.Equal(t, "Invalid cursor.", gjson.Get(a.body, "errorCauses.0.errorSummary").String())
	}
	a := get(t, o, "/api/v1/devices?after=mock_cursor_for_testing&limit=2")
	assert.Equal(t, "E0000031", a.code(), "devices word it so")
}

func TestNextLinksMayForgetExpand(t *testing.T) {
	for forget, want := range map[bool]bool{false: true, true: false} {
		o := oktasim.New(oktasim.Config{Seed: 1, Users: 100, Groups: 20, NextDropsExpand: forget})
		next := get(t, o, "/api/v1/groups?expand=stats&limit=5").link("next")
		assert.Equal(t, want, strings.Contains(next, "expand=stats"))
		assert.Equal(t, 200, get(t, o, next).StatusCode)
	}
}

func TestAWalkSurvivesChangesBehindAndAheadOfIt(t *testing.T) {
	o := oktasim.New(oktasim.Config{Seed: 9, Users: 300, Groups: 10})
	path := "/api/v1/users" + query("search", "id pr", "sortBy", "lastUpdated", "limit", "50")
	seen := map[string]bool{}
	var deleted, updated string
	for page := 0; path != ""; page++ {
		a := get(t, o, path)
		require.Equal(t, 200, a.StatusCode, a.body)
		records := gjson.Parse(a.body).Array()
		for _, r := range records {
			seen[r.Get("id").String()] = true
		}
		if page == 1 {
			// The very record the token stands at goes, and one already read moves to the end.
			deleted = records[len(records)-1].Get("id").String()
			updated = records[0].Get("id").String()
			require.NoError(t, o.DeleteUser(deleted))
			require.NoError(t, o.UpdateUser(updated, nil))
			delete(seen, updated)
		}
		path = a.link("next")
	}
	assert.True(t, seen[updated], "it came again where it is now")
	for u := range o.Users() {
		assert.True(t, seen[u.ID], u.ID)
	}
}
