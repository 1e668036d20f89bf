package streams

// Users lists every user, deprovisioned ones too: the plain list hides those, a search does not. A login moves
// lastLogin but not lastUpdated, so an incremental read does not see it.
//
// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/User/#tag/User/operation/listUsers
var Users = define(Stream{
	Name:          "users",
	Path:          "/api/v1/users",
	PageSize:      200,
	Paginator:     LinkHeader,
	Key:           []string{"id"},
	Cursor:        &Cursor{Field: "lastUpdated", Operator: "ge", Ordered: true},
	Scope:         "okta.users.read",
	Bucket:        "/api/v1/users",
	SilentlyEmpty: true,
	Compatible:    &Compatible{},
})
