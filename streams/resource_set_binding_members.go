package streams

// ResourceSetBindingMembers lists who holds the role of every binding of every resource set.
//
// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/RoleDResourceSetBindingMember/#tag/RoleDResourceSetBindingMember/operation/listMembersOfBinding
var ResourceSetBindingMembers = define(Stream{
	Name:      "resource_set_binding_members",
	Path:      "/api/v1/iam/resource-sets/{resourceSetId}/bindings/{roleId}/members",
	Paginator: BodyLinks,
	Records:   "members",
	Key:       []string{"resourceSetId", "roleId", "id"},
	Parent:    &Parent{Stream: ResourceSetBindings, Params: []Param{{Name: "roleId", From: "id"}}},
	Scope:     "okta.roles.read",
	Bucket:    "/api/v1/iam",
})
