package streams

// Logs is the System Log. A query with an end is ordered by `published` and may lack events that come late; one without
// end ("polling") is ordered by when Okta stored them and lacks none. Okta keeps 90 days and refuses to be asked for
// more than 180.
//
// https://developer.okta.com/docs/reference/system-log-query/
var Logs = define(Stream{
	Name:       "logs",
	Path:       "/api/v1/logs",
	PageSize:   1000,
	Paginator:  LinkHeader,
	Key:        []string{"uuid"},
	Cursor:     &Cursor{Field: "published", Ordered: true},
	Strategy:   SystemLog,
	Scope:      "okta.logs.read",
	Bucket:     "/api/v1/logs",
	Compatible: &Compatible{},
})
