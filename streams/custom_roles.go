package streams

// CustomRoles lists the org's own admin roles. Its next link comes in the body; the Link header was at times missing
// (OKTA-712212).
//
// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/RoleECustom/#tag/RoleECustom/operation/listRoles
var CustomRoles = define(Stream{
	Name:       "custom_roles",
	Path:       "/api/v1/iam/roles",
	Paginator:  BodyLinks,
	Records:    "roles",
	Key:        []string{"id"},
	Scope:      "okta.roles.read",
	Bucket:     "/api/v1/iam",
	Compatible: &Compatible{},
})
