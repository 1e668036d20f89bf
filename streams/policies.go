package streams

import "net/url"

// Policies lists the policies of every type: Okta wants one list per type, and refuses the types that an org lacks.
//
// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/Policy/#tag/Policy/operation/listPolicies
var Policies = define(Stream{
	Name:      "policies",
	Path:      "/api/v1/policies",
	Paginator: LinkHeader,
	Key:       []string{"id"},
	Slices: []url.Values{
		query("type", "OKTA_SIGN_ON"),
		query("type", "PASSWORD"),
		query("type", "MFA_ENROLL"),
		query("type", "IDP_DISCOVERY"),
		query("type", "ACCESS_POLICY"),
		query("type", "PROFILE_ENROLLMENT"),
		query("type", "POST_AUTH_SESSION"),
		query("type", "ENTITY_RISK"),
		query("type", "DEVICE_SIGNAL_COLLECTION"),
		query("type", "SESSION_VIOLATION_DETECTION"),
		query("type", "CLIENT_UPDATE"),
		query("type", "IDENTITY_CLAIM_SOURCING"),
		query("type", "USER_IDENTIFICATION"),
	},
	Scope: "okta.policies.read",
})
