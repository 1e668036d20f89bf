package streams

// ApplicationGroups lists the groups assigned to every application.
//
// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/ApplicationGroups/#tag/ApplicationGroups/operation/listApplicationGroupAssignments
var ApplicationGroups = define(Stream{
	Name:      "application_groups",
	Path:      "/api/v1/apps/{appId}/groups",
	PageSize:  200,
	Paginator: LinkHeader,
	Key:       []string{"appId", "id"},
	Parent:    &Parent{Stream: Applications, Params: []Param{{Name: "appId", From: "id"}}},
	Scope:     "okta.apps.read",
	Bucket:    "/api/v1/apps",
})
