package streams

// Applications lists every application instance; what `settings` holds depends on its sign-on mode. Okta answers 400 to
// a filter by lastUpdated.
//
// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/Application/#tag/Application/operation/listApplications
var Applications = define(Stream{
	Name:      "applications",
	Path:      "/api/v1/apps",
	PageSize:  200,
	Paginator: LinkHeader,
	Key:       []string{"id"},
	Scope:     "okta.apps.read",
	Bucket:    "/api/v1/apps",
})
