package streams

// UserFactors lists the factors that every user has enrolled, one call per user. Okta answers 404 for deprovisioned
// users, so they are not asked.
//
// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/UserFactor/#tag/UserFactor/operation/listFactors
var UserFactors = define(Stream{
	Name:      "user_factors",
	Path:      "/api/v1/users/{userId}/factors",
	Paginator: LinkHeader,
	Key:       []string{"userId", "id"},
	Parent: &Parent{
		Stream: Users,
		Params: []Param{{Name: "userId", From: "id"}},
		Skip:   &Skip{Paths: []string{"status"}, Value: `"DEPROVISIONED"`, Reason: "a deprovisioned user has no factors"},
	},
	Scope:  "okta.users.read",
	Bucket: "/api/v1/users",
})
