package schemas_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"source-okta/schemas"
)

// parents are the ids that the connector puts in front of a child's record.
var parents = []string{"appId", "groupId", "policyId", "resourceSetId", "roleId", "userId"}

// official pins the schemas of the official connector's catalog: the SHA-256 of each on one line.
var official = map[string]string{
	"custom_roles":           "d967fd86175f678d4c8be916cbb24559b0753c53cae48030fcf5887b95cbcf26",
	"group_members":          "4ca01e67917242efae5188da8665f9ba02d5b789687d4a7e363694e7dd7d79a6",
	"group_role_assignments": "18b32c08af4147f86978c42c053bb6073771678eba64de744cd0e3aa15b278b6",
	"groups":                 "01d60b0b40d93638c9dd89f15baeae1f2ec6b27147efb1c661c4e1f7490f4a37",
	"logs":                   "8616e0da567b130ea8bb85b39c8474801cb8eda2dfd6d4dc01d4f75bf91da0b6",
	"permissions":            "bd480c317c420db1a5e6cd0f823b8761086a7fc2b68ff0c120dd6492f5a31d55",
	"resource_sets":          "56e0607d20b528a270fca0f61841eeee01ecc520a54a6366719293333d7318ac",
	"user_role_assignments":  "d906ca888ec31d5ab91b1b994098c84d89fecbd9ec62156225c6c576d822d6ad",
	"users":                  "bf6f1d3a88589c29b4268d9a9dc111bd66cbb36714ce41e5afc245d864d99070",
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for i, file := range files {
		files[i] = strings.TrimSuffix(filepath.Base(file), ".json")
	}
	return files
}

func TestEverySchemaIsOneLineOfValidDraft07(t *testing.T) {
	for dir, schema := range map[string]func(string) json.RawMessage{".": schemas.Core, "compatible": schemas.Compatible} {
		for _, name := range names(t, dir) {
			t.Run(dir+"/"+name, func(t *testing.T) {
				text := schema(name)
				assert.NotContains(t, string(text), "\n")
				assert.Equal(t, "http://json-schema.org/draft-07/schema#", gjson.GetBytes(text, "$schema").String())
				resource, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
				require.NoError(t, err)
				compiler := jsonschema.NewCompiler()
				require.NoError(t, compiler.AddResource(name, resource))
				_, err = compiler.Compile(name)
				assert.NoError(t, err)
			})
		}
	}
}

func TestAStreamWithoutASchemaHasNone(t *testing.T) {
	assert.Nil(t, schemas.Core("no_such_stream"))
	assert.Nil(t, schemas.Core("compatible/users"))
	assert.Nil(t, schemas.Compatible("applications"))
}

func TestCoreSchemasKeepTheRules(t *testing.T) {
	rules := map[string]func(path string, node gjson.Result) bool{
		"the top is an object with properties, anything else may be null": func(path string, node gjson.Result) bool {
			if path == "" {
				return node.Get("type").String() == "object" && node.Get("properties").IsObject()
			}
			types := node.Get("type").Array()
			return len(types) > 1 && types[0].String() == "null"
		},
		"no two schemas are combined, none refers to another": func(_ string, node gjson.Result) bool {
			return !slices.ContainsFunc([]string{"$ref", "oneOf", "anyOf", "allOf", "not", "enum", "const", "if", "definitions", "required"}, func(keyword string) bool {
				return node.Get(gjson.Escape(keyword)).Exists()
			})
		},
		"properties that are not declared are welcome": func(_ string, node gjson.Result) bool {
			additional := node.Get("additionalProperties")
			return !additional.Exists() || additional.Type == gjson.True
		},
		"an object without properties says that it is open": func(_ string, node gjson.Result) bool {
			isObject := slices.ContainsFunc(node.Get("type").Array(), func(t gjson.Result) bool { return t.String() == "object" })
			return !isObject || node.Get("properties").Exists() || node.Get("additionalProperties").Bool()
		},
		"only strings have a format, and only date-time and date": func(_ string, node gjson.Result) bool {
			format := node.Get("format")
			return !format.Exists() || slices.Contains([]string{"date-time", "date"}, format.String()) && node.Get("type").Raw == `["null","string"]`
		},
		"no property is called like a keyword that platforms look for anywhere": func(_ string, node gjson.Result) bool {
			ok := true
			node.Get("properties").ForEach(func(name, _ gjson.Result) bool {
				ok = !strings.HasPrefix(name.String(), "$") && name.String() != "allOf" && name.String() != "not"
				return ok
			})
			return ok
		},
		"what is embedded on demand is not declared": func(path string, _ gjson.Result) bool {
			return !strings.HasSuffix(path, "_embedded")
		},
		"links are an open object": func(path string, node gjson.Result) bool {
			return !strings.HasSuffix(path, "_links") || node.Raw == `{"type":["null","object"],"additionalProperties":true}`
		},
		"only ids of parents are described": func(path string, node gjson.Result) bool {
			return node.Get("description").Exists() == slices.Contains(parents, path)
		},
		"ids of parents come first": func(path string, node gjson.Result) bool {
			ok, over := true, false
			if path == "" {
				node.Get("properties").ForEach(func(name, _ gjson.Result) bool {
					isParent := slices.Contains(parents, name.String())
					ok = !(isParent && over)
					over = over || !isParent
					return ok
				})
			}
			return ok
		},
		"names differ by more than case, which destinations fold": func(path string, node gjson.Result) bool {
			seen := map[string]bool{}
			if path == "" {
				node.Get("properties").ForEach(func(name, _ gjson.Result) bool {
					seen[strings.ToLower(name.String())] = true
					return true
				})
			}
			return path != "" || len(seen) == len(node.Get("properties").Map())
		},
	}
	for rule, holds := range rules {
		t.Run(rule, func(t *testing.T) {
			for _, name := range names(t, ".") {
				walk("", gjson.ParseBytes(schemas.Core(name)), func(path string, node gjson.Result) {
					assert.True(t, holds(path, node), "%s: %s: %.200s", name, path, node.Raw)
				})
			}
		})
	}
}

// walk visits a schema and those of its properties and items, not the values of keywords that have the same names.
func walk(path string, node gjson.Result, visit func(path string, node gjson.Result)) {
	visit(path, node)
	node.Get("properties").ForEach(func(name, property gjson.Result) bool {
		walk(strings.TrimPrefix(path+"."+name.String(), "."), property, visit)
		return true
	})
	if items := node.Get("items"); items.Exists() {
		walk(path+"[]", items, visit)
	}
}

func TestProfilesTakeCustomAttributes(t *testing.T) {
	for _, name := range []string{"users", "group_members", "current_user", "groups", "application_users", "application_groups"} {
		assert.True(t, gjson.GetBytes(schemas.Core(name), "properties.profile.additionalProperties").Bool(), name)
	}
}

func TestCoreDeclaresEveryPropertyOfTheOfficialSchemas(t *testing.T) {
	for name := range official {
		core := gjson.GetBytes(schemas.Core(name), "properties")
		gjson.GetBytes(schemas.Compatible(name), "properties").ForEach(func(property, _ gjson.Result) bool {
			assert.True(t, core.Get(gjson.Escape(property.String())).Exists(), "%s: %s", name, property)
			return true
		})
	}
}

func TestCompatibleSchemasAreTheOfficialOnesToTheByte(t *testing.T) {
	found := map[string]string{}
	for _, name := range names(t, "compatible") {
		sum := sha256.Sum256(schemas.Compatible(name))
		found[name] = hex.EncodeToString(sum[:])
	}
	assert.Equal(t, official, found)
}

func TestCompatibleSchemasEqualTheOfficialCatalog(t *testing.T) {
	text, err := os.ReadFile("../../shared/facts/official-catalog.json")
	if os.IsNotExist(err) {
		t.Skip("the official catalog is not at hand")
	}
	require.NoError(t, err)
	streams := gjson.GetBytes(text, "streams").Array()
	assert.Equal(t, len(official), len(streams))
	for _, stream := range streams {
		var want bytes.Buffer
		require.NoError(t, json.Compact(&want, []byte(stream.Get("json_schema").Raw)))
		assert.Equal(t, want.String(), string(schemas.Compatible(stream.Get("name").String())))
	}
}
