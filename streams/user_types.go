package streams

// UserTypes lists the org's user types.
//
// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/UserType/#tag/UserType/operation/listUserTypes
var UserTypes = define(Stream{
	Name:      "user_types",
	Path:      "/api/v1/meta/types/user",
	Paginator: LinkHeader,
	Key:       []string{"id"},
	Scope:     "okta.userTypes.read",
})
