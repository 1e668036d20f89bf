package streams

// ApplicationUsers lists the users assigned to every application, with their application profile.
//
// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/ApplicationUsers/#tag/ApplicationUsers/operation/listApplicationUsers
var ApplicationUsers = define(Stream{
	Name:      "application_users",
	Path:      "/api/v1/apps/{appId}/users",
	PageSize:  500,
	Paginator: LinkHeader,
	Key:       []string{"appId", "id"},
	Parent:    &Parent{Stream: Applications, Params: []Param{{Name: "appId", From: "id"}}},
	Scope:     "okta.apps.read",
	Bucket:    "/api/v1/apps",
})
