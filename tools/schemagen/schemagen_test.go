package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const root = "../.."

// openapi and recorded are not in the repository.
var (
	openapi  = filepath.Join(root, "..", "shared", "okta-openapi")
	recorded = filepath.Join(root, "..", "shared", "recordings")
)

func generateAll(t *testing.T) (*catalogue, map[string]generated) {
	t.Helper()
	if !isDir(openapi) {
		t.Skip("Okta's API description is not at hand")
	}
	streams, err := loadCatalogue("streams.yaml")
	require.NoError(t, err)
	mended, err := loadCorrections("corrections.yaml")
	require.NoError(t, err)
	schemas, err := streams.generate(openapi, mended)
	require.NoError(t, err)
	return streams, schemas
}

func TestTheSchemasAreWhatTheGeneratorMakes(t *testing.T) {
	_, schemas := generateAll(t)
	files, err := filepath.Glob(filepath.Join(root, "schemas", "*.json"))
	require.NoError(t, err)
	assert.Len(t, files, len(schemas), "a schema in the folder for each stream in streams.yaml, and no other")
	for name, g := range schemas {
		text, err := os.ReadFile(filepath.Join(root, "schemas", name+".json"))
		require.NoError(t, err)
		assert.Equal(t, string(g.text), string(text), "run go generate ./schemas")
	}
}

func TestEveryRecordedAnswerIsValid(t *testing.T) {
	if !isDir(recorded) {
		t.Skip("recorded answers are not at hand")
	}
	streams, schemas := generateAll(t)
	records, err := readRecordings(recorded, streams)
	require.NoError(t, err)
	require.NotEmpty(t, records)
	for name, g := range schemas {
		v, err := g.check(records[name])
		require.NoError(t, err)
		assert.Empty(t, v.invalid, name)
	}
}

// generateFrom makes the schema of one stream from components of an OpenAPI description. Its records are the schema Record.
func generateFrom(t *testing.T, components, mend string) (generated, error) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(strings.ReplaceAll(text, "\t", "  ")), 0o600))
		return path
	}
	write("api.yaml", `
paths:
	/records:
		parameters: []
		get:
			operationId: listRecords
			responses:
				'200':
					content:
						application/json:
							schema: {type: array, items: {$ref: '#/components/schemas/Record'}}
components:
	schemas:
`+components)
	streams, err := loadCatalogue(write("streams.yaml", `
descriptions: {management: api.yaml}
streams:
	records: {operation: listRecords, parents: [resourceSetId]}
`))
	require.NoError(t, err)
	if mend == "" {
		mend = "[]"
	}
	mended, err := loadCorrections(write("corrections.yaml", mend))
	if err != nil {
		return generated{}, err
	}
	schemas, err := streams.generate(dir, mended)
	return schemas["records"], err
}

// properties generates a schema that must succeed and returns its properties but the parent's id, as JSON.
func properties(t *testing.T, components, mend string) string {
	t.Helper()
	g, err := generateFrom(t, components, mend)
	require.NoError(t, err)
	var schema struct {
		Properties map[string]any `json:"properties"`
	}
	require.NoError(t, json.Unmarshal(g.text, &schema))
	delete(schema.Properties, "resourceSetId")
	text, err := json.Marshal(schema.Properties)
	require.NoError(t, err)
	return string(text)
}

func TestDescriptionsBecomePlainSchemas(t *testing.T) {
	for name, c := range map[string]struct{ components, want string }{
		"types take null, formats other than dates go": {`
		Record:
			properties:
				at: {type: string, format: date-time}
				day: {type: string, format: date}
				mail: {type: string, format: email, nullable: true, maxLength: 9}
				count: {type: integer, format: int32}
				kind: {enum: [A, B]}
				tags: {type: array, items: {type: string}}
`, `{"at":{"type":["null","string"],"format":"date-time"},
			"day":{"type":["null","string"],"format":"date"},
			"mail":{"type":["null","string"]},
			"count":{"type":["null","integer"]},
			"kind":{"type":["null","string"]},
			"tags":{"type":["null","array"],"items":{"type":["null","string"]}}}`},
		"a property without a type may be anything": {`
		Record: {properties: {value: {example: 1}}}
`, `{"value":{"type":["null","array","boolean","number","object","string"],"additionalProperties":true}}`},
		"what no read returns and what has a keyword's name is left out, links are open": {`
		Record:
			properties:
				id: {type: string}
				secret: {type: string, writeOnly: true}
				answer: {$ref: '#/components/schemas/Answer'}
				_embedded: {type: object}
				_links: {properties: {self: {type: string}}}
				$schema: {type: string}
		Answer: {type: string, writeOnly: true}
`, `{"id":{"type":["null","string"]},"_links":{"type":["null","object"],"additionalProperties":true}}`},
		"closed objects are opened, maps are open objects": {`
		Record:
			properties:
				closed: {type: object, additionalProperties: false, properties: {a: {type: string}}}
				map: {type: object, additionalProperties: {type: string}}
				profile: {type: object, x-okta-extensible: true, properties: {a: {type: string}}}
`, `{"closed":{"type":["null","object"],"properties":{"a":{"type":["null","string"]}}},
			"map":{"type":["null","object"],"additionalProperties":true},
			"profile":{"type":["null","object"],"properties":{"a":{"type":["null","string"]}},"additionalProperties":true}}`},
		"recursion ends in an open object": {`
		Record: {properties: {name: {type: string}, parent: {$ref: '#/components/schemas/Record'}, children: {type: array, items: {$ref: '#/components/schemas/Record'}}}}
`, `{"name":{"type":["null","string"]},
			"parent":{"type":["null","object"],"additionalProperties":true},
			"children":{"type":["null","array"],"items":{"type":["null","object"],"additionalProperties":true}}}`},
		"a base type brings the sub-types of its discriminator": {`
		Record:
			properties: {id: {type: string}, settings: {type: object}, mode: {type: string}}
			discriminator: {propertyName: mode, mapping: {A: '#/components/schemas/A', A2: '#/components/schemas/A', B: '#/components/schemas/B'}}
		A: {allOf: [{$ref: '#/components/schemas/Record'}, {properties: {mode: {example: A}, settings: {properties: {a: {type: string}}}}}]}
		B: {allOf: [{$ref: '#/components/schemas/Record'}, {properties: {settings: {properties: {b: {type: string}}}}}]}
`, `{"id":{"type":["null","string"]},"mode":{"type":["null","string"]},
			"settings":{"type":["null","object"],"properties":{"a":{"type":["null","string"]},"b":{"type":["null","string"]}},"additionalProperties":true}}`},
		"a sub-type asked for does not bring its siblings": {`
		Record: {properties: {a: {$ref: '#/components/schemas/A'}}}
		Base:
			properties: {id: {type: string}}
			discriminator: {mapping: {A: '#/components/schemas/A', B: '#/components/schemas/B'}}
		A: {allOf: [{$ref: '#/components/schemas/Base'}, {properties: {a: {type: string}}}]}
		B: {allOf: [{$ref: '#/components/schemas/Base'}, {properties: {b: {type: string}}}]}
`, `{"a":{"type":["null","object"],"properties":{"a":{"type":["null","string"]},"id":{"type":["null","string"]}}}}`},
		"alternatives that contradict each other are widened": {`
		Record:
			properties:
				text: {oneOf: [{type: string, format: date-time}, {type: string}]}
				amount: {anyOf: [{type: integer}, {type: number}]}
				value: {oneOf: [{type: string}, {type: integer}, {type: object, properties: {a: {type: string}}}]}
				list: {oneOf: [{type: array, items: {type: string}}, {type: array, items: {type: integer}}]}
`, `{"text":{"type":["null","string"]},
			"amount":{"type":["null","number"]},
			"value":{"type":["null","integer","object","string"],"properties":{"a":{"type":["null","string"]}},"additionalProperties":true},
			"list":{"type":["null","array"],"items":{"type":["null","integer","string"]}}}`},
		"allOf that only annotates changes nothing": {`
		Record: {properties: {status: {allOf: [{$ref: '#/components/schemas/Status'}, {description: 'its status'}]}}}
		Status: {type: string, enum: [ACTIVE]}
`, `{"status":{"type":["null","string"]}}`},
	} {
		t.Run(name, func(t *testing.T) {
			assert.JSONEq(t, c.want, properties(t, c.components, ""))
		})
	}
}

func TestIdsOfParentsComeFirstAndAreDescribed(t *testing.T) {
	g, err := generateFrom(t, "\t\tRecord: {properties: {_links: {type: object}, id: {type: string}}}", "")
	require.NoError(t, err)
	assert.Equal(t, `{
  "$schema": "http://json-schema.org/draft-07/schema#",
  "type": "object",
  "properties": {
    "resourceSetId": {
      "description": "Id of the resource set, part of the primary key.",
      "type": ["null", "string"]
    },
    "_links": {
      "type": ["null", "object"],
      "additionalProperties": true
    },
    "id": {
      "type": ["null", "string"]
    }
  },
  "additionalProperties": true
}
`, string(g.text))
}

func TestASchemaThatIsTooLargeIsSpelledOutLessDeeply(t *testing.T) {
	var wide strings.Builder
	wide.WriteString("\t\tRecord: {properties: {")
	for i := range 30 {
		wide.WriteString(strings.Repeat("p", i+1) + ": {$ref: '#/components/schemas/Part'}, ")
	}
	wide.WriteString("}}\n\t\tPart: {properties: {")
	for i := range 30 {
		wide.WriteString(strings.Repeat("q", i+1) + ": {type: string}, ")
	}
	wide.WriteString("}}\n")
	g, err := generateFrom(t, wide.String(), "")
	require.NoError(t, err)
	assert.Equal(t, 1, g.levels)
	assert.Equal(t, 31, g.tree.size())
	assert.Equal(t, `{"type":["null","object"],"additionalProperties":true}`, g.tree.properties["p"].text())
}

func TestCorrectionsMendTheDescription(t *testing.T) {
	const components = `
		Record: {properties: {at: {type: string, format: date-time}, parts: {type: array, items: {$ref: '#/components/schemas/Part'}}, conditions: {oneOf: [{type: string}, {type: object, properties: {a: {type: string}}}]}}}
		Part: {properties: {n: {type: string}}}
`
	assert.JSONEq(t, `{"at":{"type":["null","string"]},
		"conditions":{"type":["null","object"],"properties":{"a":{"type":["null","string"]}},"additionalProperties":true},
		"device":{"type":["null","object"],"properties":{"n":{"type":["null","integer"]}}},
		"parts":{"type":["null","array"],"items":{"type":["null","object"],"properties":{"n":{"type":["null","integer"]}}}}}`,
		properties(t, components, `
- {schema: Record, property: at, as: {type: string}, reason: no zone, source: a recording}
- {schema: Record, property: conditions, type: object, reason: never a string, source: a recording}
- {schema: Record, add: {device: {$ref: '#/components/schemas/Part'}}, reason: missing, source: a recording}
- {schema: Part, property: n, type: integer, reason: a number, source: a recording}
`))
	assert.JSONEq(t, `{"n":{"type":["null","integer"]}}`, properties(t, `
		Record: {properties: {n: {type: string}}}
`, `[{stream: records, property: n, type: integer, reason: a number, source: a recording}]`))
}

func TestCorrectionsThatDoNotFitFail(t *testing.T) {
	for name, c := range map[string]struct{ mend, want string }{
		"the description is right":      {`[{schema: Record, property: n, type: string, reason: r, source: s}]`, "corrections that correct nothing any more: Record.n"},
		"the schema is not used":        {`[{schema: Other, property: n, type: string, reason: r, source: s}]`, "corrections that correct nothing any more: Other.n"},
		"the property does not exist":   {`[{schema: Record, property: a.b, type: string, reason: r, source: s}]`, "correction Record.a.b: there is no such property"},
		"the property exists already":   {`[{schema: Record, add: {n: {type: string}}, reason: r, source: s}]`, "correction Record: n is described already"},
		"there is no reason":            {`[{schema: Record, property: n, type: integer, source: s}]`, "give the reason and its source"},
		"there is no source":            {`[{schema: Record, property: n, type: integer, reason: r}]`, "give the reason and its source"},
		"two ways are given":            {`[{schema: Record, property: n, type: integer, as: {}, reason: r, source: s}]`, "give one of type, add and as"},
		"schema and stream are given":   {`[{schema: Record, stream: records, property: n, type: integer, reason: r, source: s}]`, "give a schema or a stream"},
		"the type does not exist":       {`[{schema: Record, property: n, type: text, reason: r, source: s}]`, `"text" is no type`},
		"a key is misspelled":           {`[{schema: Record, propetry: n, type: integer, reason: r, source: s}]`, "propetry"},
		"it refers to an absent schema": {`[{schema: Record, property: n, as: {$ref: '#/components/schemas/Gone'}, reason: r, source: s}]`, "no schema #/components/schemas/Gone"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := generateFrom(t, "\t\tRecord: {properties: {n: {type: string}}}\n", c.mend)
			assert.ErrorContains(t, err, c.want)
		})
	}
}

func TestRecordsAreCheckedAsStrictReadersCheckThem(t *testing.T) {
	g, err := generateFrom(t, `
		Record: {properties: {at: {type: string, format: date-time}, name: {type: string}, n: {type: integer}, parts: {type: array, items: {properties: {a: {type: string}}}}}}
`, "")
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "records.jsonl"), []byte(`{"operationId":"listRecords","body":[{"at":"2026-01-02T03:04:05.678Z","name":"2026-01-02T03:04:05Z","n":1,"parts":[{"a":null}]}]}
{"operationId":"listRecords","body":[{"at":"2026-01-02 03:04:05.0","n":1.0,"parts":[{"a":1,"b":"new"}],"_embedded":{}}]}
{"operationId":"other","body":[{"at":1}]}
{"operationId":"listRecords","kind":"documentation","body":[{"at":1}]}
`), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "errors.jsonl"), []byte(`{"operationId":"listRecords","body":{"errorCode":"E0000011","at":1}}`), 0o600))
	records, err := readRecordings(dir, &catalogue{Streams: map[string]stream{"records": {Operation: "listRecords"}}})
	require.NoError(t, err)
	v, err := g.check(records["records"])
	require.NoError(t, err)
	assert.Equal(t, 2, v.records)
	require.Len(t, v.invalid, 3)
	assert.Contains(t, v.invalid[0], "at: '2026-01-02 03:04:05.0' is not valid date-time")
	assert.Contains(t, v.invalid[1], "n: 1.0 is no integer")
	assert.Contains(t, v.invalid[2], "parts.0.a: got number, want null or string")
	assert.Equal(t, []string{`parts[].b "new"`}, v.undeclared)
	assert.Equal(t, []string{"name"}, v.timestamps)

	err = report(io.Discard, map[string]generated{"records": g}, records)
	assert.ErrorContains(t, err, "records.parts.0.a: got number")
}
