package oktasim

import (
	"net/http"
	"net/url"
	"strings"
)

// route is an endpoint: what it answers, which bucket it spends and which scope it asks for.
type route struct {
	pattern string // {} matches a segment
	method  string // "": GET
	bucket  string
	scope   string
	handle  handler
	list    *string // what an empty list looks like; nil: not a list
	public  bool    // needs no credentials
	oie     bool    // unknown to Classic Engine orgs
	parts   []string
}

var (
	emptyArray = new("[]")
	noHandler  = route{bucket: BucketCatchAll}
)

func wrapped(member string) *string { return new(`{"` + member + `":[],"_links":{}}`) }

// routes are tried in order, so literal segments come before wildcards.
var routes = compileRoutes([]route{
	{pattern: "/.well-known/okta-organization", bucket: BucketWellKnown, handle: wellKnownOrganization, public: true},

	{pattern: "/oauth2/v1/authorize", bucket: BucketOAuth, handle: getAuthorize, public: true},
	{pattern: "/oauth2/v1/token", method: http.MethodPost, bucket: BucketOAuth, handle: postToken, public: true},
	{pattern: "/oauth2/v1/revoke", method: http.MethodPost, bucket: BucketOAuth, handle: postRevoke, public: true},

	{pattern: "/api/v1/users", bucket: BucketUsers, scope: "okta.users.read", handle: listUsers, list: emptyArray},
	{pattern: "/api/v1/users/me", bucket: BucketMe, scope: "okta.users.read", handle: getMe},
	{pattern: "/api/v1/users/{}", bucket: BucketUser, scope: "okta.users.read", handle: getUser},
	{pattern: "/api/v1/users/{}/roles", bucket: BucketUsers, scope: "okta.roles.read", handle: listUserRoles, list: emptyArray},
	{pattern: "/api/v1/users/{}/factors", bucket: BucketUsers, scope: "okta.users.read", handle: listFactors, list: emptyArray},

	{pattern: "/api/v1/groups", bucket: BucketGroups, scope: "okta.groups.read", handle: listGroups, list: emptyArray},
	{pattern: "/api/v1/groups/{}", bucket: BucketGroup, scope: "okta.groups.read", handle: getGroup},
	{pattern: "/api/v1/groups/{}/users", bucket: BucketGroups, scope: "okta.groups.read", handle: listMembers, list: emptyArray},
	{pattern: "/api/v1/groups/{}/roles", bucket: BucketGroups, scope: "okta.roles.read", handle: listGroupRoles, list: emptyArray},

	{pattern: "/api/v1/apps", bucket: BucketApps, scope: "okta.apps.read", handle: listApps, list: emptyArray},
	{pattern: "/api/v1/apps/{}", bucket: BucketApp, scope: "okta.apps.read", handle: getApp},
	{pattern: "/api/v1/apps/{}/users", bucket: BucketApps, scope: "okta.apps.read", handle: listAppUsers, list: emptyArray},
	{pattern: "/api/v1/apps/{}/groups", bucket: BucketApps, scope: "okta.apps.read", handle: listAppGroups, list: emptyArray},

	{pattern: "/api/v1/logs", bucket: BucketLogs, scope: "okta.logs.read", handle: listLogs, list: emptyArray},
	{pattern: "/api/v1/devices", bucket: BucketDevices, scope: "okta.devices.read", handle: listDevices, list: emptyArray, oie: true},

	{pattern: "/api/v1/policies", bucket: BucketCatchAll, scope: "okta.policies.read", handle: listPolicies, list: emptyArray},
	{pattern: "/api/v1/policies/{}/rules", bucket: BucketCatchAll, scope: "okta.policies.read", handle: listRules, list: emptyArray},

	{pattern: "/api/v1/meta/types/user", bucket: BucketCatchAll, scope: "okta.userTypes.read", handle: listUserTypes, list: emptyArray},
	{pattern: "/api/v1/meta/schemas/user/{}", bucket: BucketCatchAll, scope: "okta.schemas.read", handle: getUserSchema},

	{pattern: "/api/v1/iam/roles", bucket: BucketIAM, scope: "okta.roles.read", handle: listCustomRoles, list: wrapped("roles")},
	{pattern: "/api/v1/iam/roles/{}/permissions", bucket: BucketIAM, scope: "okta.roles.read", handle: listPermissions, list: wrapped("permissions")},
	{pattern: "/api/v1/iam/resource-sets", bucket: BucketIAM, scope: "okta.roles.read", handle: listResourceSets, list: wrapped("resource-sets")},
	{pattern: "/api/v1/iam/resource-sets/{}/bindings", bucket: BucketIAM, scope: "okta.roles.read", handle: listBindings, list: wrapped("roles")},
	{pattern: "/api/v1/iam/resource-sets/{}/bindings/{}/members", bucket: BucketIAM, scope: "okta.roles.read", handle: listBindingMembers, list: wrapped("members")},
	{pattern: "/api/v1/iam/assignees/users", bucket: BucketIAM, scope: "okta.roles.read", handle: listAssignees, list: wrapped("value")},
})

func compileRoutes(in []route) []route {
	for i := range in {
		in[i].parts = strings.Split(in[i].pattern, "/")
	}
	return in
}

// match finds the route of an escaped path and what its wildcards hold. A path without one spends the catch-all bucket.
func match(escaped string) (route, []string) {
	parts := strings.Split(escaped, "/")
next:
	for _, rt := range routes {
		if len(rt.parts) != len(parts) {
			continue
		}
		var vars []string
		for i, part := range rt.parts {
			if part != "{}" {
				if part != parts[i] {
					continue next
				}
				continue
			}
			v, err := url.PathUnescape(parts[i])
			if err != nil || v == "" {
				continue next
			}
			vars = append(vars, v)
		}
		return rt, vars
	}
	return noHandler, nil
}
