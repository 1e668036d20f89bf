package streams

// GroupMembers lists the users of every group. expand=stats on the groups tells how many there are, so that empty
// groups are not asked.
//
// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/Group/#tag/Group/operation/listGroupUsers
var GroupMembers = define(Stream{
	Name:      "group_members",
	Path:      "/api/v1/groups/{groupId}/users",
	PageSize:  1000,
	Paginator: LinkHeader,
	Key:       []string{"groupId", "id"},
	Parent: &Parent{
		Stream: Groups,
		Params: []Param{{Name: "groupId", From: "id"}},
		Expand: query("expand", "stats"),
		Count:  "_embedded.stats.usersCount",
		Skip:   &Skip{Paths: []string{"_embedded.stats.usersCount"}, Value: "0", Reason: "Okta counts no member in them"},
	},
	Scope:      "okta.groups.read",
	Bucket:     "/api/v1/groups",
	Compatible: &Compatible{},
})
