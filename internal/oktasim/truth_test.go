package oktasim_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"source-okta/internal/oktasim"
)

func smallOrg() *oktasim.Org {
	return oktasim.New(oktasim.Config{Seed: 7, Users: 200, Groups: 40, Apps: 20, Events: 1200, Devices: 60})
}

// collect is what Records tells of a stream: the records by parents.
func collect(o *oktasim.Org, stream string) []string {
	var out []string
	for r := range o.Records(stream, "") {
		key := ""
		for _, p := range r.Parents {
			key += p[0] + "=" + p[1] + " "
		}
		out = append(out, key+string(r.JSON))
	}
	return out
}

func TestEveryListHoldsWhatExists(t *testing.T) {
	o := smallOrg()
	under := func(parents []string, prefix, before, after, member string) []string {
		var out []string
		for _, id := range parents {
			records, _ := walk(t, o, before+id+after, member)
			for _, r := range records {
				out = append(out, prefix+"="+id+" "+r)
			}
		}
		return out
	}
	users, _ := walk(t, o, "/api/v1/users"+query("search", `lastUpdated ge "1970-01-01T00:00:00.000Z"`, "limit", "7"), "")
	groups, _ := walk(t, o, "/api/v1/groups?limit=13", "")
	apps, _ := walk(t, o, "/api/v1/apps?limit=4", "")
	roles, pages := walk(t, o, "/api/v1/iam/roles", "roles")
	assert.Greater(t, pages, 1)
	sets, _ := walk(t, o, "/api/v1/iam/resource-sets", "resource-sets")
	devices, _ := walk(t, o, "/api/v1/devices?limit=11", "")
	var policies []string
	for _, kind := range []string{"OKTA_SIGN_ON", "PASSWORD", "MFA_ENROLL", "IDP_DISCOVERY", "ACCESS_POLICY", "PROFILE_ENROLLMENT", "POST_AUTH_SESSION"} {
		of, _ := walk(t, o, "/api/v1/policies?limit=2&type="+kind, "")
		policies = append(policies, of...)
	}
	var living []string
	for _, u := range users {
		if gjson.Get(u, "status").String() != "DEPROVISIONED" {
			living = append(living, gjson.Get(u, "id").String())
		}
	}
	types, _ := walk(t, o, "/api/v1/meta/types/user", "")
	var schemas []string
	for _, kind := range types {
		href, err := url.Parse(gjson.Get(kind, "_links.schema.href").String())
		require.NoError(t, err)
		a := get(t, o, href.Path)
		require.Equal(t, 200, a.StatusCode)
		schemas = append(schemas, a.body)
	}
	bindings := under(ids(sets), "resourceSetId", "/api/v1/iam/resource-sets/", "/bindings", "roles")
	var members []string
	for _, set := range ids(sets) {
		bound, _ := walk(t, o, "/api/v1/iam/resource-sets/"+set+"/bindings", "roles")
		for _, role := range ids(bound) {
			of, _ := walk(t, o, "/api/v1/iam/resource-sets/"+set+"/bindings/"+role+"/members", "members")
			for _, m := range of {
				members = append(members, "resourceSetId="+set+" roleId="+role+" "+m)
			}
		}
	}
	logs, _ := walk(t, o, "/api/v1/logs"+query("since", o.Now().AddDate(0, 0, -100).UTC().Format("2006-01-02T15:04:05Z"), "until", o.Now().UTC().Format("2006-01-02T15:04:05Z"), "limit", "1000"), "")

	for stream, read := range map[string][]string{
		"users": users, "groups": groups, "applications": apps, "custom_roles": roles, "resource_sets": sets,
		"devices": devices, "policies": policies, "user_types": types, "user_schemas": schemas, "logs": logs,
		"group_members":                under(ids(groups), "groupId", "/api/v1/groups/", "/users?limit=50", ""),
		"group_role_assignments":       under(ids(groups), "groupId", "/api/v1/groups/", "/roles", ""),
		"user_role_assignments":        under(ids(users), "userId", "/api/v1/users/", "/roles", ""),
		"user_factors":                 under(living, "userId", "/api/v1/users/", "/factors", ""),
		"application_users":            under(ids(apps), "appId", "/api/v1/apps/", "/users?limit=40", ""),
		"application_groups":           under(ids(apps), "appId", "/api/v1/apps/", "/groups?limit=20", ""),
		"permissions":                  under(ids(roles), "roleId", "/api/v1/iam/roles/", "/permissions", "permissions"),
		"policy_rules":                 under(ids(policies), "policyId", "/api/v1/policies/", "/rules", ""),
		"resource_set_bindings":        bindings,
		"resource_set_binding_members": members,
		"current_user":                 {get(t, o, "/api/v1/users/me").body},
	} {
		t.Run(stream, func(t *testing.T) {
			exists := collect(o, stream)
			require.NotEmpty(t, exists)
			slices.Sort(exists)
			slices.Sort(read)
			assert.Equal(t, exists, read)
		})
	}
	assert.Len(t, oktasim.Streams(), 21)
}

func TestRecordsAreJSON(t *testing.T) {
	o := smallOrg()
	for _, stream := range oktasim.Streams() {
		total, n := 0, 0
		for r := range o.Records(stream, "") {
			require.True(t, json.Valid(r.JSON), "%s: %s", stream, r.JSON)
			total += len(r.JSON)
			n++
		}
		require.NotZero(t, n, stream)
		t.Logf("%-30s %6d records of %d bytes", stream, n, total/n)
	}
}
