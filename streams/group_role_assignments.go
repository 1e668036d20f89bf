package streams

// GroupRoleAssignments lists the admin roles that groups hold. expand=stats tells which groups hold any, under a key that
// Okta spells in three ways: release notes, older docs, API description.
//
// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/RoleAssignmentBGroup/#tag/RoleAssignmentBGroup/operation/listGroupAssignedRoles
var GroupRoleAssignments = define(Stream{
	Name:      "group_role_assignments",
	Path:      "/api/v1/groups/{groupId}/roles",
	Paginator: LinkHeader,
	Key:       []string{"groupId", "id"},
	Parent: &Parent{
		Stream: Groups,
		Params: []Param{{Name: "groupId", From: "id"}},
		Expand: query("expand", "stats"),
		Skip: &Skip{
			Paths:  []string{"_embedded.stats.hasAdminPrivileges", "_embedded.stats.hasAdminPrivilege", "_embedded.stats.hasAdminPrivlege"},
			Value:  "false",
			Reason: "Okta says that they hold no admin role",
		},
	},
	Scope:      "okta.roles.read",
	Bucket:     "/api/v1/groups",
	Compatible: &Compatible{},
})
