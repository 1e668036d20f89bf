package streams

// Groups lists every group. lastUpdated moves with a group's profile only, lastMembershipUpdated with its members: a
// group has changed when either has. Pages over 200 were inconsistent at Okta (OKTA-795107).
//
// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/Group/#tag/Group/operation/listGroups
var Groups = define(Stream{
	Name:       "groups",
	Path:       "/api/v1/groups",
	PageSize:   200,
	Paginator:  LinkHeader,
	Key:        []string{"id"},
	Cursor:     &Cursor{Field: "lastUpdated", Also: "lastMembershipUpdated", Operator: "ge", Ordered: true},
	Scope:      "okta.groups.read",
	Bucket:     "/api/v1/groups",
	Compatible: &Compatible{},
})
