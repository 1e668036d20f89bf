package streams

// UserRoleAssignments lists the admin roles of users, their own and those that they inherit from a group. Okta lists the
// users that hold a role of their own (/iam/assignees/users); those who inherit one are the members of groups that hold
// one. An assignment's id repeats between users: it may be the name of a standard role in base32.
//
// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/RoleAssignmentAUser/#tag/RoleAssignmentAUser/operation/listAssignedRolesForUser
var UserRoleAssignments = define(Stream{
	Name:      "user_role_assignments",
	Path:      "/api/v1/users/{userId}/roles",
	Paginator: LinkHeader,
	Key:       []string{"userId", "id"},
	Parent:    &Parent{Stream: Users, Params: []Param{{Name: "userId", From: "id"}}},
	Strategy:  RoleHolders,
	Union: &Union{
		Assignees: "/api/v1/iam/assignees/users", Records: "value", Bucket: "/api/v1/iam",
		Roles: GroupRoleAssignments, Members: GroupMembers,
	},
	Scope:      "okta.roles.read",
	Bucket:     "/api/v1/users",
	Compatible: &Compatible{},
})
