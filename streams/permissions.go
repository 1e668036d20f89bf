package streams

// Permissions lists the permissions of every custom role. A label repeats between roles, so the key needs the role; the
// compatible set keeps the key of airbyte/source-okta, the label alone.
//
// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/RoleECustomPermission/#tag/RoleECustomPermission/operation/listRolePermissions
var Permissions = define(Stream{
	Name:       "permissions",
	Path:       "/api/v1/iam/roles/{roleId}/permissions",
	Paginator:  BodyLinks,
	Records:    "permissions",
	Key:        []string{"roleId", "label"},
	Parent:     &Parent{Stream: CustomRoles, Params: []Param{{Name: "roleId", From: "id"}}},
	Scope:      "okta.roles.read",
	Bucket:     "/api/v1/iam",
	Compatible: &Compatible{Key: []string{"label"}},
})
