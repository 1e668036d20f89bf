package streams

// ResourceSetBindings lists the roles bound to every resource set; a binding's id is the role's.
//
// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/RoleDResourceSetBinding/#tag/RoleDResourceSetBinding/operation/listBindings
var ResourceSetBindings = define(Stream{
	Name:      "resource_set_bindings",
	Path:      "/api/v1/iam/resource-sets/{resourceSetId}/bindings",
	Paginator: BodyLinks,
	Records:   "roles",
	Key:       []string{"resourceSetId", "id"},
	Parent:    &Parent{Stream: ResourceSets, Params: []Param{{Name: "resourceSetId", From: "id"}}},
	Scope:     "okta.roles.read",
	Bucket:    "/api/v1/iam",
})
