package streams

// ResourceSets lists the org's resource sets.
//
// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/RoleCResourceSet/#tag/RoleCResourceSet/operation/listResourceSets
var ResourceSets = define(Stream{
	Name:       "resource_sets",
	Path:       "/api/v1/iam/resource-sets",
	Paginator:  BodyLinks,
	Records:    "resource-sets",
	Key:        []string{"id"},
	Scope:      "okta.roles.read",
	Bucket:     "/api/v1/iam",
	Compatible: &Compatible{},
})
