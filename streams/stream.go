// Package streams is the catalogue: one file per stream, data only.
//
// A stream says what Okta offers (path, page size, records, bucket, scope) and what Airbyte is told of it (schema, key,
// cursor). It does no I/O and holds no code of its own: the engine in package source walks every stream the same way.
// To add one, add a file here and a schema in package schemas; the conformance suite tests it without another line.
package streams

import (
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"source-okta/schemas"
)

// Stream is one list that Okta offers, as a table.
type Stream struct {
	// Name is the Airbyte name, and the name of the file in schemas/.
	Name string
	// Path is the list's path; {variables} are filled from Parent.Params of this stream and of its ancestors.
	Path string
	// Query holds constant parameters.
	Query url.Values
	// PageSize is the greatest `limit` that Okta accepts or recommends; 0 where the list has none.
	PageSize int
	// Paginator says how a list goes on.
	Paginator Paginator
	// Records is the member of the body that holds the records; empty when the body is the list.
	Records string
	// Key is the primary key: top-level members, none of them ever null.
	Key []string
	// Cursor is nil where a list can only be read whole.
	Cursor *Cursor
	// Parent is nil for a list of its own.
	Parent *Parent
	// Slices are parameters of which each needs a list of its own; nil for a single list.
	Slices []url.Values
	// Strategy names the engine's way of reading; the zero value walks pages.
	Strategy Strategy
	// Scope is the OAuth scope that the list needs.
	Scope string
	// Bucket is the rate-limit bucket that the list draws on.
	Bucket string
	// Union is what RoleHolders reads; nil for other strategies.
	Union *Union
	// Human marks a list about the person behind the credentials; a service app has none.
	Human bool
	// SilentlyEmpty marks a list that no org has empty: Okta answers 200 [] to an app without an admin role.
	SilentlyEmpty bool
	// Compatible is what airbyte/source-okta says of the stream where that differs; nil where it has no such stream.
	Compatible *Compatible
}

// Paginator is how a list goes on after its first page.
type Paginator int

const (
	// LinkHeader follows `Link: rel="next"`, on every list, whatever Okta's description says of its paging.
	LinkHeader Paginator = iota
	// BodyLinks follows `_links.next` of the body (and a Link header, where one comes): the lists under /iam.
	BodyLinks
	// SingleObject has no list: the body is the record.
	SingleObject
)

// Strategy names a way of reading that needs more than walking pages.
type Strategy int

const (
	// Walk reads pages, once per slice and parent record.
	Walk Strategy = iota
	// SystemLog backfills by windows of `published` and then follows the polling cursor.
	SystemLog
	// RoleHolders reads the parents of which a role is known: the assignees that Okta lists, and the members of groups
	// that hold a role.
	RoleHolders
)

// Cursor is how a list is read in part.
type Cursor struct {
	// Field is the record's member and the state's key, an RFC 3339 timestamp.
	Field string
	// Also is a second watermark of the same record ("" for none): a group changes by lastUpdated or by
	// lastMembershipUpdated.
	Also string
	// Operator bounds Field from below in a search expression: "ge" or "gt".
	Operator string
	// Ordered lists sort by Field, ascending, on request.
	Ordered bool
}

// Parent is the stream whose records each have a list of this stream.
type Parent struct {
	Stream *Stream
	// Params are the path variables that a parent's record fills; each is spliced into the child's records.
	Params []Param
	// Link, when set, is where the parent's record holds the address of the list, instead of Path.
	Link string
	// Expand are parameters that the parent's own list must carry for Skip to see.
	Expand url.Values
	// Skip names parents that have nothing to list.
	Skip *Skip
	// Count is where the parent's record holds the number of records in its list, if anywhere.
	Count string
}

// Union is where the users that hold a role are found: those that Okta lists as assignees, and the members of the groups
// that hold a role, who inherit it.
type Union struct {
	// Assignees is the path of the list of users with a role of their own; its records are in Records, under the key id.
	Assignees, Records, Bucket string
	// Roles are a group's roles, and Members its members. Both have the same parent.
	Roles, Members *Stream
}

// Param fills a path variable.
type Param struct {
	// Name is the variable in Path and the member spliced into the child's record, e.g. groupId.
	Name string
	// From is the member of the parent's record, e.g. id.
	From string
}

// Skip is a condition on a parent's record: the first of Paths that is there decides, and skips where it equals Value.
// A parent with none of them is not skipped.
type Skip struct {
	Paths []string
	// Value is raw JSON.
	Value string
	// Reason ends the sentence "N of M … were not asked: …".
	Reason string
}

// Compatible is a stream as airbyte/source-okta declares it.
type Compatible struct {
	Key []string
}

// Set is a choice of streams and schemas.
type Set string

const (
	// SetCompatible is the catalog of airbyte/source-okta, to the byte.
	SetCompatible Set = "compatible"
	// SetCore is what most orgs want.
	SetCore Set = "core"
	// SetAll is everything there is.
	SetAll Set = "all"
)

// compatibleOrder is the order in which airbyte/source-okta answers discover.
var compatibleOrder = []*Stream{
	Groups, GroupMembers, GroupRoleAssignments, Logs, Users, ResourceSets, CustomRoles, UserRoleAssignments, Permissions,
}

// In lists the streams of a set.
func In(set Set) []*Stream {
	if set == SetCompatible {
		return slices.Clone(compatibleOrder)
	}
	return All()
}

var registry = map[string]*Stream{}

// define puts a stream into the catalogue. It panics on a stream without a schema, so that a forgotten file fails the
// first test and not a sync.
func define(s Stream) *Stream {
	if schemas.Core(s.Name) == nil {
		panic("streams: no schemas/" + s.Name + ".json")
	}
	if registry[s.Name] != nil {
		panic("streams: " + s.Name + " is defined twice")
	}
	if s.Bucket == "" {
		s.Bucket = "/api/v1"
	}
	registry[s.Name] = &s
	return &s
}

// All lists every stream by name.
func All() []*Stream {
	all := make([]*Stream, 0, len(registry))
	for _, s := range registry {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *Stream) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Named finds a stream.
func Named(name string) (*Stream, bool) {
	s, ok := registry[name]
	return s, ok
}

// Schema is the stream's JSON schema in a set. A stream that airbyte/source-okta does not have has one schema only.
func (s *Stream) Schema(set Set) json.RawMessage {
	if set == SetCompatible && s.Compatible != nil {
		return schemas.Compatible(s.Name)
	}
	return schemas.Core(s.Name)
}

// PrimaryKey is the stream's key in a set.
func (s *Stream) PrimaryKey(set Set) []string {
	if set == SetCompatible && s.Compatible != nil && s.Compatible.Key != nil {
		return s.Compatible.Key
	}
	return s.Key
}

// Params lists the path variables of the stream and its ancestors, outermost first.
func (s *Stream) Params() []Param {
	if s.Parent == nil {
		return nil
	}
	return append(s.Parent.Stream.Params(), s.Parent.Params...)
}

// Expand fills the path's variables, escaped.
func (s *Stream) Expand(values map[string]string) string {
	path := s.Path
	for name, v := range values {
		path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(v))
	}
	return path
}

func query(kv ...string) url.Values {
	q := url.Values{}
	for i := 0; i < len(kv); i += 2 {
		q.Add(kv[i], kv[i+1])
	}
	return q
}
