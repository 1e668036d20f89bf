package oktasim_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"source-okta/internal/oktasim"
)

func TestUsersSearch(t *testing.T) {
	o := smallOrg()
	all, _ := walk(t, o, "/api/v1/users"+query("search", "id pr"), "")
	require.Len(t, all, 200)
	middle := gjson.Get(all[100], "lastUpdated").String()
	login := gjson.Get(all[17], "profile.login").String()
	before := func(r string) bool { return gjson.Get(r, "lastUpdated").String() < middle }
	status := func(want string) func(string) bool {
		return func(r string) bool { return gjson.Get(r, "status").String() == want }
	}
	for expression, want := range map[string]func(string) bool{
		`lastUpdated lt "` + middle + `"`:                   before,
		`lastUpdated ge "` + middle + `"`:                   func(r string) bool { return !before(r) },
		`lastUpdated eq "` + middle + `"`:                   func(r string) bool { return gjson.Get(r, "lastUpdated").String() == middle },
		`status eq "DEPROVISIONED"`:                         status("DEPROVISIONED"),
		`STATUS eq "x" or status EQ "deprovisioned"`:        nil,
		`status EQ "deprovisioned"`:                         status("DEPROVISIONED"),
		`status lt "ACTIVE" or status gt "ACTIVE"`:          func(r string) bool { return !status("ACTIVE")(r) },
		`profile.login eq "` + strings.ToUpper(login) + `"`: func(r string) bool { return gjson.Get(r, "profile.login").String() == login },
		`profile.department eq "Legal" and (status eq "ACTIVE")`: func(r string) bool {
			return gjson.Get(r, "profile.department").String() == "Legal" && status("ACTIVE")(r)
		},
		`profile.firstName co "ar"`:               func(r string) bool { return strings.Contains(gjson.Get(r, "profile.firstName").String(), "ar") },
		`not (status eq "ACTIVE")`:                nil,
		`status ne "ACTIVE"`:                      nil,
		`lastUpdated gt 2020-01-01T00:00:00.000Z`: nil,
		`lastUpdated gt "yesterday"`:              nil,
		`(status eq "ACTIVE"`:                     nil,
		`status eq "ACTIVE")`:                     nil,
		`status eq "ACTIVE`:                       nil,
		`status eq`:                               nil,
		`status`:                                  nil,
		`lastLogin gt "2020-01-01T00:00:00.000Z"`: nil,
		`profile.department co "Leg"`:             nil,
		strings.Repeat("(", 60) + `id pr` + strings.Repeat(")", 60):           nil,
		`id eq "` + strings.Repeat("x", 9000) + `"`:                           nil,
		strings.Repeat(`id pr or `, 200) + `id pr`:                            nil,
		`lastUpdated gt "` + middle + `" and lastUpdated lt "` + middle + `"`: func(string) bool { return false },
	} {
		name := expression
		if len(name) > 60 {
			name = name[:60]
		}
		t.Run(name, func(t *testing.T) {
			path := "/api/v1/users" + query("search", expression, "limit", "50")
			if want == nil {
				a := get(t, o, path)
				assert.Equal(t, 400, a.StatusCode)
				assert.Equal(t, "E0000031", a.code())
				return
			}
			got, _ := walk(t, o, path, "")
			var expected []string
			for _, r := range all {
				if want(r) {
					expected = append(expected, r)
				}
			}
			assert.ElementsMatch(t, expected, got)
		})
	}
}

func TestFilterKnowsLessThanSearch(t *testing.T) {
	o := smallOrg()
	for path, code := range map[string]string{
		"/api/v1/users" + query("filter", `lastUpdated gt "2020-01-01T00:00:00.000Z" and (status eq "ACTIVE" or status eq "STAGED")`):                                     "",
		"/api/v1/users" + query("filter", `profile.login eq "nobody"`):                                                                                                    "",
		"/api/v1/users" + query("filter", `status gt "ACTIVE"`):                                                                                                           "E0000031",
		"/api/v1/users" + query("filter", `profile.department eq "Legal"`):                                                                                                "E0000031",
		"/api/v1/users" + query("filter", `lastUpdated gt 2020-01-01T00:00:00Z`):                                                                                          "E0000031",
		"/api/v1/users" + query("filter", `id pr`, "search", `id pr`):                                                                                                     "E0000033",
		"/api/v1/groups" + query("filter", `id eq "x"`, "search", `id pr`):                                                                                                "E0000033",
		"/api/v1/groups" + query("filter", `type eq "OKTA_GROUP" and (lastUpdated lt "2015-11-11T00:00:00.000Z" or lastMembershipUpdated lt "2015-11-11T00:00:00.000Z")`): "",
		"/api/v1/groups" + query("filter", `profile.name eq "x"`):                                                                                                         "E0000031",
		"/api/v1/groups" + query("search", `profile.name sw "Eng" and source.id pr`):                                                                                      "",
		"/api/v1/apps" + query("filter", `status eq "ACTIVE"`):                                                                                                            "",
		"/api/v1/apps" + query("filter", `name eq "bookmark"`):                                                                                                            "",
		"/api/v1/apps" + query("filter", `lastUpdated gt "2020-01-01T00:00:00.000Z"`):                                                                                     "E0000031",
		"/api/v1/devices" + query("search", `profile.platform eq "WINDOWS" and status eq "ACTIVE"`):                                                                       "",
		"/api/v1/devices" + query("search", `created gt "2020-01-01T00:00:00.000Z"`):                                                                                      "E0000031",
	} {
		a := get(t, o, path)
		assert.Equal(t, code, a.code(), "%s: %s", path, a.body)
		if code != "" {
			assert.Equal(t, 400, a.StatusCode, path)
		}
	}
}

func TestSearchSortedByLastUpdatedOrdersTiesByID(t *testing.T) {
	o := oktasim.New(oktasim.Config{Seed: 3, Users: 900, BulkUsers: 300, Groups: 200, BulkGroups: 60})
	for _, list := range []struct{ path, field string }{
		{"/api/v1/users", "lastUpdated"},
		{"/api/v1/groups", "lastUpdated"},
		{"/api/v1/groups", "lastMembershipUpdated"},
		{"/api/v1/users", "id"},
		{"/api/v1/users", "status"},
		{"/api/v1/users", "created"},
		{"/api/v1/groups", "profile.name"},
	} {
		t.Run(list.path+" by "+list.field, func(t *testing.T) {
			key := func(r string) string {
				value, id := gjson.Get(r, list.field).String(), gjson.Get(r, "id").String()
				if list.field == "id" {
					return id
				}
				return strings.ToLower(value) + " " + id
			}
			expression := `lastUpdated ge "1970-01-01T00:00:00.000Z"`
			up, _ := walk(t, o, list.path+query("search", expression, "sortBy", list.field, "sortOrder", "asc", "limit", "97"), "")
			down, _ := walk(t, o, list.path+query("search", expression, "sortBy", list.field, "sortOrder", "desc", "limit", "89"), "")
			require.NotEmpty(t, up)
			assert.True(t, slices.IsSortedFunc(up, func(a, b string) int { return strings.Compare(key(a), key(b)) }))
			slices.Reverse(down)
			assert.Equal(t, up, down)
		})
	}
	a := get(t, o, "/api/v1/users"+query("search", "id pr", "sortBy", "profile."))
	assert.Equal(t, "E0000031", a.code())

	plain, _ := walk(t, o, "/api/v1/users"+query("search", "id pr"), "")
	assert.False(t, slices.IsSortedFunc(plain, func(a, b string) int {
		return strings.Compare(gjson.Get(a, "lastUpdated").String(), gjson.Get(b, "lastUpdated").String())
	}), "an unsorted list is not in the order of lastUpdated")

	seconds := map[string]int{}
	for _, r := range plain {
		seconds[gjson.Get(r, "lastUpdated").String()]++
	}
	most := 0
	for _, n := range seconds {
		most = max(most, n)
	}
	assert.GreaterOrEqual(t, most, 300)
}

func TestWindowsOfLastUpdatedAreDisjointAndComplete(t *testing.T) {
	o := oktasim.New(oktasim.Config{Seed: 5, Users: 2000, BulkUsers: 300})
	var times []time.Time
	for u := range o.Users() {
		times = append(times, u.LastUpdated)
	}
	slices.SortFunc(times, time.Time.Compare)
	cut := func(i int) string { return times[i].Format("2006-01-02T15:04:05.000Z") }
	var got []string
	for _, expression := range []string{
		fmt.Sprintf(`lastUpdated lt "%s"`, cut(500)),
		fmt.Sprintf(`lastUpdated ge "%s" and lastUpdated lt "%s"`, cut(500), cut(1400)),
		fmt.Sprintf(`lastUpdated ge "%s"`, cut(1400)),
	} {
		part, _ := walk(t, o, "/api/v1/users"+query("search", expression, "sortBy", "lastUpdated", "limit", "200"), "")
		got = append(got, ids(part)...)
	}
	slices.Sort(got)
	assert.Len(t, slices.Compact(got), 2000)
}

func TestQueryFindsByPrefixOnOnePage(t *testing.T) {
	o := oktasim.New(oktasim.Config{Seed: 7, Users: 600})
	a := get(t, o, "/api/v1/users?q=maria&limit=3")
	require.Equal(t, 200, a.StatusCode)
	assert.Len(t, gjson.Parse(a.body).Array(), 3)
	assert.Empty(t, a.link("next"))
	a = get(t, o, "/api/v1/users?q=m")
	assert.Len(t, gjson.Parse(a.body).Array(), 10)
	a = get(t, o, "/api/v1/groups?q=everyone")
	assert.Equal(t, "Everyone", gjson.Get(a.body, "0.profile.name").String())
}
