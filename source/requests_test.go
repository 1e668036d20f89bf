package source_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/tidwall/gjson"

	"source-okta/internal/oktasim"
	"source-okta/streams"
)

// fewest is the least number of requests that a whole read of the world can do with, by path; ids are *.
func fewest(org *oktasim.Org) map[string]int {
	const origin = "https://acme.okta.com"
	n := map[string]int{"/.well-known/okta-organization": 1, "/api/v1/users/me": 1}
	count := func(stream string) (rows int) {
		for range org.Records(stream, origin) {
			rows++
		}
		return rows
	}
	pages := func(rows, size int) int { return max(1, (rows+size-1)/size) }
	n["/api/v1/users"] = pages(count("users"), 200)
	n["/api/v1/groups"] = pages(count("groups"), 200)
	n["/api/v1/devices"] = pages(count("devices"), 200)
	n["/api/v1/apps"] = pages(count("applications"), 200)
	// The polling link is opened before the backfill and followed after it.
	n["/api/v1/logs"] = pages(count("logs"), 1000) + 2
	n["/api/v1/meta/types/user"] = 1
	n["/api/v1/meta/schemas/user/*"] = count("user_types")
	n["/api/v1/policies"] = len(streams.Policies.Slices)
	n["/api/v1/policies/*/rules"] = count("policies")
	n["/api/v1/iam/roles"] = pages(count("custom_roles"), 10)
	n["/api/v1/iam/resource-sets"] = pages(count("resource_sets"), 10)

	members := map[string]int{}
	membersOf := map[string][]string{}
	for g, u := range org.Memberships() {
		members[g]++
		membersOf[g] = append(membersOf[g], u)
	}
	for _, m := range members {
		n["/api/v1/groups/*/users"] += pages(m, 1000)
	}
	holders := map[string]bool{}
	roleGroups := map[string]bool{}
	for rec := range org.Records("group_role_assignments", origin) {
		roleGroups[rec.Parents[0][1]] = true
	}
	n["/api/v1/groups/*/roles"] = len(roleGroups)
	for g := range roleGroups {
		for _, u := range membersOf[g] {
			holders[u] = true
		}
	}
	assignees := map[string]bool{}
	for rec := range org.Records("user_role_assignments", origin) {
		if gjson.Get(string(rec.JSON), "assignmentType").Str == "USER" {
			assignees[rec.Parents[0][1]] = true
			holders[rec.Parents[0][1]] = true
		}
	}
	n["/api/v1/iam/assignees/users"] = pages(len(assignees), 100)
	n["/api/v1/users/*/roles"] = len(holders)
	for u := range org.Users() {
		if u.Status != "DEPROVISIONED" {
			n["/api/v1/users/*/factors"]++
		}
	}
	perApp := func(stream, path string, size int) {
		rows := map[string]int{}
		for rec := range org.Records("applications", origin) {
			rows[gjson.Get(string(rec.JSON), "id").Str] = 0
		}
		for rec := range org.Records(stream, origin) {
			rows[rec.Parents[0][1]]++
		}
		for _, r := range rows {
			n[path] += pages(r, size)
		}
	}
	perApp("application_users", "/api/v1/apps/*/users", 500)
	perApp("application_groups", "/api/v1/apps/*/groups", 200)
	return n
}

var shapes = []*regexp.Regexp{
	regexp.MustCompile(`^(/api/v1/(?:users|groups|apps|policies)/)[^/]+(/.+)$`),
	regexp.MustCompile(`^(/api/v1/meta/schemas/user/)[^/]+()$`),
}

func shape(path string) string {
	for _, re := range shapes {
		if m := re.FindStringSubmatch(path); m != nil {
			return m[1] + "*" + m[2]
		}
	}
	return path
}

func TestAWholeReadMakesTheFewestRequests(t *testing.T) {
	// One chain can spend more than Okta's limits allow, so nothing is split.
	inBubble(t, oktasim.Config{Users: 1_900, Groups: 300, Apps: 15, Events: 7_500, Devices: 450, Limits: oktasim.DefaultLimits(), Latency: time.Millisecond}, func(t *testing.T, org *oktasim.Org) {
		p := simRead{}.run(t, org)
		requireGood(t, p)
		made := map[string]int{}
		for _, r := range org.Requests() {
			made[shape(r.Path)]++
		}
		for path, n := range fewest(org) {
			assert.Equal(t, n, made[path], path)
		}
		for path := range made {
			if !strings.HasPrefix(path, "/api/v1/iam/") {
				assert.Contains(t, fewest(org), path, "nothing else is asked")
			}
		}
		skips := ""
		for _, l := range p.logs {
			if strings.Contains(l, "were not asked") {
				skips += l + "\n"
			}
		}
		assert.Contains(t, skips, "Okta counts no member in them", "what was skipped is said at the end")
		assert.Contains(t, skips, "they hold no admin role")
	})
}

// TestRolesAreReadPerUserWhereAssigneesAreRefused also holds inherited roles.
func TestRolesAreReadPerUserWhereAssigneesAreRefused(t *testing.T) {
	inBubble(t, oktasim.Config{Users: 300, Groups: 40, Deny: []oktasim.Deny{{Path: "/api/v1/iam/assignees/users", Kind: oktasim.DenyRole}}}, func(t *testing.T, org *oktasim.Org) {
		p := simRead{streams: only(streams.UserRoleAssignments)}.run(t, org)
		requireGood(t, p)
		requireOnce(t, p, org, "user_role_assignments")
		warned := false
		for _, l := range p.logs {
			warned = warned || strings.HasPrefix(l, "WARN") && strings.Contains(l, "every user is asked")
		}
		assert.True(t, warned)
	})
}

func TestAStatsKeyOfAnySpellingIsUnderstoodAndNoneIsNotTrusted(t *testing.T) {
	for _, key := range []string{"hasAdminPrivileges", "hasAdminPrivilege", "hasAdminPrivlege", "-"} {
		inBubble(t, oktasim.Config{Users: 200, Groups: 40, StatsAdminKey: key}, func(t *testing.T, org *oktasim.Org) {
			p := simRead{streams: only(streams.GroupRoleAssignments, streams.UserRoleAssignments)}.run(t, org)
			requireGood(t, p)
			requireOnce(t, p, org, "group_role_assignments")
			requireOnce(t, p, org, "user_role_assignments")
			asked := 0
			for _, r := range org.Requests() {
				if shape(r.Path) == "/api/v1/groups/*/roles" {
					asked++
				}
			}
			if key == "-" {
				assert.Equal(t, 41, asked)
			} else {
				assert.Less(t, asked, 20)
			}
		})
	}
}

func TestARecordLooksTheSameWhicheverOtherStreamsAreSelected(t *testing.T) {
	inBubble(t, oktasim.Config{Users: 60, Groups: 30}, func(t *testing.T, org *oktasim.Org) {
		alone := simRead{streams: only(streams.Groups)}.run(t, org)
		all := simRead{}.run(t, org)
		requireGood(t, alone)
		requireGood(t, all)
		assert.Equal(t, alone.records["groups"], all.records["groups"])
	})
}

func TestPropertiesThatTheCatalogLeavesOutAreDroppedButNotKeysAndCursors(t *testing.T) {
	inBubble(t, oktasim.Config{Users: 5}, func(t *testing.T, org *oktasim.Org) {
		r := runWith(t, org, map[string]string{
			"c.json": `{"domain":"acme","stream_set":"core","credentials":{"auth_type":"api_token","api_token":"` + oktasim.DefaultToken + `"}}`,
			"k.json": `{"streams":[{"stream":{"name":"users","json_schema":{"type":"object","properties":{"status":{}}}},"sync_mode":"full_refresh"}]}`,
		}, nil, "read", "--config", "c.json", "--catalog", "k.json")
		records := recordsOf(r, "users")
		assert.Len(t, records, 5)
		for _, rec := range records {
			var members map[string]json.RawMessage
			assert.NoError(t, json.Unmarshal([]byte(rec.Raw), &members))
			assert.Len(t, members, 3)
			assert.Contains(t, members, "id")
			assert.Contains(t, members, "lastUpdated")
			assert.Contains(t, members, "status")
		}
	})
}
