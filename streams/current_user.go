package streams

// CurrentUser is the user behind the credentials.
//
// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/User/#tag/User/operation/getUser
var CurrentUser = define(Stream{
	Name:      "current_user",
	Path:      "/api/v1/users/me",
	Paginator: SingleObject,
	Key:       []string{"id"},
	Scope:     "okta.users.read",
	Bucket:    "/api/v1/users/me",
	Human:     true,
})
