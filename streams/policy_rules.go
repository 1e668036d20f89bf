package streams

// PolicyRules lists the rules of every policy.
//
// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/Policy/#tag/Policy/operation/listPolicyRules
var PolicyRules = define(Stream{
	Name:      "policy_rules",
	Path:      "/api/v1/policies/{policyId}/rules",
	Paginator: LinkHeader,
	Key:       []string{"policyId", "id"},
	Parent:    &Parent{Stream: Policies, Params: []Param{{Name: "policyId", From: "id"}}},
	Scope:     "okta.policies.read",
})
