package oktasim_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
	"go.yaml.in/yaml/v3"

	"source-okta/internal/oktasim"
)

// What Okta answers is known from recordings and from its API description. Both are looked for beside the repository;
// the test says so and skips where they are absent.
const shared = "../../../shared"

// shapeSource says what is known of a stream's records.
type shapeSource struct {
	recordings []string
	schemas    []string // in the description; those that a discriminator names are added
	member     string   // of a recorded body that wraps its list
	// comparable tells which of our records are of the kind that was recorded, where more kinds exist.
	comparable func(record gjson.Result) bool
}

var shapeSources = map[string]shapeSource{
	"users":                  {[]string{"api_v1_users"}, []string{"User"}, "", nil},
	"groups":                 {[]string{"api_v1_groups"}, []string{"Group"}, "", nil},
	"group_members":          {[]string{"api_v1_groups_groupId_users", "api_v1_users"}, []string{"User"}, "", nil},
	"group_role_assignments": {[]string{"api_v1_groups_groupId_roles"}, []string{"StandardRole", "CustomRole"}, "", nil},
	"user_role_assignments":  {[]string{"api_v1_users_userId_roles"}, []string{"StandardRole", "CustomRole"}, "", nil},
	"custom_roles":           {nil, []string{"IamRole"}, "", nil},
	"permissions":            {[]string{"api_v1_iam_roles_roleIdOrLabel_permissions"}, []string{"Permission"}, "permissions", nil},
	"resource_sets":          {nil, []string{"ResourceSet"}, "", nil},
	"logs":                   {[]string{"system_log_events", "api_v1_logs"}, []string{"LogEvent"}, "", nil},
	"applications":           {[]string{"api_v1_apps"}, []string{"Application"}, "", nil},
	"application_users":      {[]string{"api_v1_apps_appId_users"}, []string{"AppUser"}, "", nil},
	"application_groups":     {[]string{"api_v1_apps_appId_groups"}, []string{"ApplicationGroupAssignment"}, "", nil},
	"user_factors":           {[]string{"api_v1_users_userId_factors"}, []string{"UserFactor"}, "", nil},
	"policies":               {[]string{"api_v1_policies"}, []string{"Policy"}, "", nil},
	"policy_rules": {[]string{"api_v1_policies_policyId_rules"}, []string{"PolicyRule"}, "", func(r gjson.Result) bool {
		return r.Get("type").String() == "SIGN_ON" && !r.Get("system").Bool()
	}},
	"devices":                      {[]string{"api_v1_devices"}, []string{"DeviceList"}, "", nil},
	"resource_set_bindings":        {nil, []string{"ResourceSetBindingRole"}, "", nil},
	"resource_set_binding_members": {nil, []string{"ResourceSetBindingMember"}, "", nil},
	"user_types":                   {[]string{"api_v1_meta_types_user"}, []string{"UserType"}, "", nil},
	"user_schemas":                 {nil, []string{"UserSchema"}, "", nil},
	"current_user":                 {[]string{"api_v1_users"}, []string{"User"}, "", nil},
}

// shape is what paths hold: how many records have the path, and which types were there.
type shape struct {
	records int
	count   map[string]int
	types   map[string][]string
	open    []string // paths below which anything goes
}

func newShape() *shape { return &shape{count: map[string]int{}, types: map[string][]string{}} }

func (s *shape) addType(path, kind string) {
	if !slices.Contains(s.types[path], kind) {
		s.types[path] = append(s.types[path], kind)
	}
}

func (s *shape) addRecord(t *testing.T, raw []byte) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	var v any
	require.NoError(t, d.Decode(&v))
	s.records++
	seen := map[string]bool{}
	s.walk(v, "", seen)
	for path := range seen {
		s.count[path]++
	}
}

func (s *shape) walk(v any, path string, seen map[string]bool) {
	seen[path] = true
	switch v := v.(type) {
	case nil:
		s.addType(path, "null")
	case bool:
		s.addType(path, "boolean")
	case string:
		s.addType(path, "string")
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			s.addType(path, "number")
		} else {
			s.addType(path, "integer")
		}
	case []any:
		s.addType(path, "array")
		for _, x := range v {
			s.walk(x, path+"[]", seen)
		}
	case map[string]any:
		s.addType(path, "object")
		for name, x := range v {
			s.walk(x, path+"."+name, seen)
		}
	}
}

func (s *shape) knows(path, kind string) bool {
	for _, open := range s.open {
		if strings.HasPrefix(path, open+".") || strings.HasPrefix(path, open+"[") {
			return true
		}
	}
	types := s.types[path]
	return slices.Contains(types, kind) || (kind == "integer" && slices.Contains(types, "number"))
}

// recorded adds the records of a recordings file.
func (s *shape) recorded(t *testing.T, name, member string) {
	t.Helper()
	f, err := os.Open(filepath.Join(shared, "recordings", name+".jsonl"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("no recordings beside the repository")
	}
	require.NoError(t, err)
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var line struct{ Event, Body json.RawMessage }
		require.NoError(t, json.Unmarshal(lines.Bytes(), &line))
		if line.Event != nil {
			s.addRecord(t, line.Event)
			continue
		}
		body := line.Body
		if member != "" {
			var wrapper map[string]json.RawMessage
			require.NoError(t, json.Unmarshal(body, &wrapper))
			body = wrapper[member]
		}
		var records []json.RawMessage
		require.NoError(t, json.Unmarshal(body, &records))
		for _, r := range records {
			s.addRecord(t, r)
		}
	}
	require.NoError(t, lines.Err())
}

// description is the API description, whose schemas are parsed one by one because the whole is slow.
type description struct {
	blocks map[string]string
	parsed map[string]map[string]any
}

var schemaName = regexp.MustCompile(`(?m)^    (\w+):\n`)

func readDescription(t *testing.T) *description {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(shared, "okta-openapi", "management-minimal.yaml"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("no API description beside the repository")
	}
	require.NoError(t, err)
	_, schemas, ok := strings.Cut(string(text), "\n  schemas:\n")
	require.True(t, ok)
	d := &description{map[string]string{}, map[string]map[string]any{}}
	at := schemaName.FindAllStringSubmatchIndex(schemas, -1)
	for i, m := range at {
		end := len(schemas)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		d.blocks[schemas[m[2]:m[3]]] = schemas[m[1]:end]
	}
	return d
}

func (d *description) schema(t *testing.T, name string) map[string]any {
	t.Helper()
	if s, ok := d.parsed[name]; ok {
		return s
	}
	block, ok := d.blocks[name]
	require.True(t, ok, "the description has no schema %s", name)
	// The last block runs into the next section, which stands further left.
	var lines []string
	for _, line := range strings.Split(block, "\n") {
		if line != "" && !strings.HasPrefix(line, "      ") {
			break
		}
		lines = append(lines, line)
	}
	var s map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(strings.Join(lines, "\n")), &s), name)
	d.parsed[name] = s
	return s
}

// describe adds what a schema allows at path.
func (d *description) describe(t *testing.T, s *shape, schema map[string]any, path string, depth int) {
	t.Helper()
	if depth > 24 {
		return
	}
	if ref, ok := schema["$ref"].(string); ok {
		_, name, ok := strings.Cut(ref, "#/components/schemas/")
		require.True(t, ok, ref)
		d.describe(t, s, d.schema(t, name), path, depth+1)
		return
	}
	for _, key := range []string{"allOf", "oneOf", "anyOf"} {
		parts, _ := schema[key].([]any)
		for _, part := range parts {
			d.describe(t, s, part.(map[string]any), path, depth+1)
		}
	}
	if discriminator, ok := schema["discriminator"].(map[string]any); ok && depth < 3 {
		mapping, _ := discriminator["mapping"].(map[string]any)
		for _, ref := range mapping {
			name := strings.TrimPrefix(ref.(string), "#/components/schemas/")
			d.describe(t, s, withoutParent(d.schema(t, name)), path, depth+4)
		}
	}
	kind, _ := schema["type"].(string)
	if kind == "" && schema["properties"] != nil {
		kind = "object"
	}
	if kind == "" && schema["enum"] != nil {
		kind = "string"
	}
	if kind != "" {
		s.addType(path, kind)
	}
	if nullable, _ := schema["nullable"].(bool); nullable {
		s.addType(path, "null")
	}
	properties, _ := schema["properties"].(map[string]any)
	for name, property := range properties {
		d.describe(t, s, property.(map[string]any), path+"."+name, depth+1)
	}
	switch more := schema["additionalProperties"].(type) {
	case bool:
		if more {
			s.open = append(s.open, path)
		}
	case map[string]any:
		s.open = append(s.open, path)
	}
	if kind == "object" && properties == nil && schema["additionalProperties"] == nil {
		s.open = append(s.open, path)
	}
	if items, ok := schema["items"].(map[string]any); ok {
		d.describe(t, s, items, path+"[]", depth+1)
	}
}

// withoutParent is a schema without the first of its allOf, which is the one whose discriminator led here.
func withoutParent(schema map[string]any) map[string]any {
	parts, ok := schema["allOf"].([]any)
	if !ok || len(parts) < 2 {
		return schema
	}
	return map[string]any{"allOf": parts[1:]}
}

func TestRecordsHaveTheShapeOfOktas(t *testing.T) {
	d := readDescription(t)
	o := oktasim.New(oktasim.Config{Seed: 11, Users: 150, Groups: 60, Apps: 20, Events: 300, Devices: 60, Late: 0.05})
	o.Mutate(150)
	for _, stream := range oktasim.Streams() {
		t.Run(stream, func(t *testing.T) {
			source := shapeSources[stream]
			recorded, known, emitted, compared := newShape(), newShape(), newShape(), newShape()
			for i, name := range source.recordings {
				if i == 0 {
					recorded.recorded(t, name, source.member)
				}
				known.recorded(t, name, source.member)
			}
			for _, name := range source.schemas {
				d.describe(t, known, d.schema(t, name), "", 0)
			}
			for r := range o.Records(stream, "") {
				emitted.addRecord(t, r.JSON)
				if source.comparable == nil || source.comparable(gjson.ParseBytes(r.JSON)) {
					compared.addRecord(t, r.JSON)
				}
			}
			require.NotZero(t, compared.records)
			for path, kinds := range emitted.types {
				for _, kind := range kinds {
					assert.True(t, known.knows(path, kind), "%s as %s is not Okta's", path, kind)
				}
			}
			for path, n := range recorded.count {
				if n < recorded.records || strings.Contains(path, "[]") {
					continue
				}
				assert.Equal(t, compared.records, compared.count[path], "%s is in all %d recordings, but not in all records of ours", path, n)
			}
		})
	}
}

func TestBodiesAroundListsHaveTheShapeOfOktas(t *testing.T) {
	d := readDescription(t)
	// The description spells this key so; older documentation and the release notes each spell it another way.
	o := oktasim.New(oktasim.Config{Seed: 7, Users: 300, Groups: 20, StatsAdminKey: "hasAdminPrivlege"})
	set := gjson.Get(get(t, o, "/api/v1/iam/resource-sets").body, "resource-sets.0.id").String()
	role := gjson.Get(get(t, o, "/api/v1/iam/resource-sets/"+set+"/bindings").body, "roles.0.id").String()
	for path, schema := range map[string]string{
		"/api/v1/iam/roles":                                                   "IamRoles",
		"/api/v1/iam/roles/" + role + "/permissions":                          "Permissions",
		"/api/v1/iam/resource-sets":                                           "ResourceSets",
		"/api/v1/iam/resource-sets/" + set + "/bindings":                      "ResourceSetBindings",
		"/api/v1/iam/resource-sets/" + set + "/bindings/" + role + "/members": "ResourceSetBindingMembers",
		"/api/v1/iam/assignees/users?limit=2":                                 "RoleAssignedUsers",
		"/.well-known/okta-organization":                                      "WellKnownOrgMetadata",
		"/api/v1/groups?expand=stats":                                         "Group",
	} {
		known, answered := newShape(), newShape()
		if name := strings.NewReplacer("/", "_", set, "resourceSetIdOrLabel", role, "roleIdOrLabel").Replace(strings.TrimPrefix(path, "/")); strings.Contains(path, "/iam/") {
			known.recordedBodies(t, name)
		}
		d.describe(t, known, d.schema(t, schema), "", 0)
		body := gjson.Parse(get(t, o, path).body)
		if body.IsArray() {
			body = body.Get("0")
		}
		answered.addRecord(t, []byte(body.Raw))
		for path, kinds := range answered.types {
			for _, kind := range kinds {
				assert.True(t, known.knows(path, kind), "%s: %s as %s is not Okta's", schema, path, kind)
			}
		}
	}
}

// recordedBodies adds whole bodies of a recordings file, if there is one.
func (s *shape) recordedBodies(t *testing.T, name string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(shared, "recordings", name+".jsonl"))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		s.addRecord(t, []byte(gjson.Get(line, "body").Raw))
	}
}

// TestRecordedErrorsAreAnsweredTheSame asks for what is not there, as the recordings did.
func TestRecordedErrorsAreAnsweredTheSame(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(shared, "recordings", "errors.jsonl"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("no recordings beside the repository")
	}
	require.NoError(t, err)
	o := smallOrg()
	endpoints := regexp.MustCompile(`^/api/v1/(users/[^/?]+|groups/[^/?]+|apps/[^/?]+|iam/roles/[^/?]+/permissions|iam/resource-sets/[^/?]+/bindings|` +
		`policies/[^/?]+/rules|apps\?.*after=.*|devices\?.*after=.*)$`)
	// One recording's makers edited statuses to see what their client does.
	genuine := map[string]int64{"E0000007": 404, "E0000029": 400, "E0000031": 400}
	compared := 0
	for line := range strings.Lines(string(text)) {
		u, err := url.Parse(gjson.Get(line, "url").String())
		require.NoError(t, err)
		code, status := gjson.Get(line, "body.errorCode").String(), gjson.Get(line, "status").Int()
		if !endpoints.MatchString(u.RequestURI()) || genuine[code] != status {
			continue
		}
		a := get(t, o, u.RequestURI())
		assert.EqualValues(t, status, a.StatusCode, u)
		for _, member := range []string{"errorCode", "errorSummary", "errorLink", "errorCauses"} {
			assert.Equal(t, gjson.Get(line, "body."+member).Value(), gjson.Get(a.body, member).Value(), u)
		}
		compared++
	}
	assert.Greater(t, compared, 10)
}
