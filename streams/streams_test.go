package streams_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"source-okta/streams"
)

func TestEveryStreamHasItsFileAndItsSchema(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	var want []string
	for _, f := range files {
		if name := strings.TrimSuffix(f, ".go"); name != "stream" && !strings.HasSuffix(name, "_test") {
			want = append(want, name)
		}
	}
	var have, schemas []string
	for _, s := range streams.All() {
		have = append(have, s.Name)
	}
	found, err := filepath.Glob("../schemas/*.json")
	require.NoError(t, err)
	for _, f := range found {
		schemas = append(schemas, strings.TrimSuffix(filepath.Base(f), ".json"))
	}
	slices.Sort(want)
	assert.Equal(t, want, have, "one file per stream, named after it")
	assert.Equal(t, have, schemas, "one schema per stream, named after it")
}

func TestEveryStreamIsWhole(t *testing.T) {
	variable := regexp.MustCompile(`\{(\w+)\}`)
	for _, s := range streams.All() {
		t.Run(s.Name, func(t *testing.T) {
			assert.True(t, strings.HasPrefix(s.Path, "/api/v1/"), "a path of the API")
			assert.NotEmpty(t, s.Scope, "a scope, for check to name")
			assert.NotEmpty(t, s.Bucket)
			require.NotEmpty(t, s.Key)
			properties := gjson.GetBytes(s.Schema(streams.SetCore), "properties")
			for _, k := range s.Key {
				kind := properties.Get(gjson.Escape(k) + ".type").String()
				assert.NotEmpty(t, kind, "key %s is in the schema", k)
				assert.NotContains(t, kind, "object")
				assert.NotContains(t, kind, "array")
			}
			if s.Cursor != nil {
				for _, f := range []string{s.Cursor.Field, s.Cursor.Also} {
					if f != "" {
						assert.Equal(t, "date-time", properties.Get(f+".format").Str, "cursor %s", f)
					}
				}
				assert.Nil(t, s.Parent, "a child's list has no bound of its own")
			}
			filled := map[string]string{}
			for _, p := range s.Params() {
				filled[p.Name] = "x"
				assert.Contains(t, s.Key, p.Name, "a child's id repeats between parents")
			}
			if s.Parent == nil || s.Parent.Link == "" {
				assert.Empty(t, variable.FindAllString(s.Expand(filled), -1), "every variable is filled by a parent")
			}
			if s.Paginator == streams.BodyLinks {
				assert.NotEmpty(t, s.Records, "a list with links in its body is a member of it")
			}
			source, err := os.ReadFile(s.Name + ".go")
			require.NoError(t, err)
			assert.Contains(t, string(source), "https://developer.okta.com/", "says where Okta documents it")
		})
	}
}

func TestTheCompatibleSetIsTheOfficialNineInItsOrder(t *testing.T) {
	var names []string
	for _, s := range streams.In(streams.SetCompatible) {
		names = append(names, s.Name)
		require.NotNil(t, s.Compatible)
	}
	assert.Equal(t, []string{"groups", "group_members", "group_role_assignments", "logs", "users", "resource_sets", "custom_roles", "user_role_assignments", "permissions"}, names)
	for _, s := range streams.All() {
		assert.Equal(t, s.Compatible != nil, slices.Contains(names, s.Name))
	}
}

func TestAPathEscapesItsIds(t *testing.T) {
	assert.Equal(t, "/api/v1/groups/..%2Fusers%3Fx/users", streams.GroupMembers.Expand(map[string]string{"groupId": "../users?x"}))
}
