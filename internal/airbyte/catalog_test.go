package airbyte_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"source-okta/internal/airbyte"
)

const usersEntry = `{
	"stream": {"name": "users", "json_schema": {"type": "object", "properties": {"id": {"type": "string"}, "_links": {}}}},
	"sync_mode": "incremental", "destination_sync_mode": "append_dedup",
	"cursor_field": ["lastUpdated"], "primary_key": [["id"]]}`

func TestAConfiguredCatalogIsDecodedAsEveryoneWritesIt(t *testing.T) {
	for name, doc := range map[string]string{
		"plain":           `{"streams": [` + usersEntry + `]}`,
		"byte order mark": "\ufeff" + `{"streams": [` + usersEntry + `]}`,
		"white space":     "\r\n\t" + `{"streams": [` + usersEntry + `]}` + "\n\n",
		"unknown keys and nulls": `{"x": 1, "streams": [{"stream": {"name": "users", "namespace": null, "is_resumable": null,
			"json_schema": {"type": "object", "properties": {"id": {"type": "string"}, "_links": {}}}, "default_cursor_field": null, "new": {}},
			"sync_mode": "incremental", "destination_sync_mode": "append_dedup", "cursor_field": ["lastUpdated"], "primary_key": [["id"]],
			"generation_id": 3, "minimum_generation_id": null, "sync_id": 9, "include_files": false, "destination_object_name": null}]}`,
		"the last of duplicate keys": `{"streams": 5, "streams": [` + strings.Replace(usersEntry, `"sync_mode"`, `"sync_mode": 1, "sync_mode"`, 1) + `]}`,
		"keys in other cases":        `{"STREAMS": 1, "streams": [` + usersEntry + `], "Streams": null}`,
		"the first of one name": `{"streams": [` + usersEntry + `,
			{"stream": {"name": "users", "json_schema": {}}, "sync_mode": "full_refresh"}]}`,
		"empty paths in the key": `{"streams": [` + strings.Replace(usersEntry, `[["id"]]`, `[[], ["id"], null]`, 1) + `]}`,
	} {
		t.Run(name, func(t *testing.T) {
			catalog, err := airbyte.DecodeCatalog([]byte(doc))
			require.NoError(t, err)
			require.Len(t, catalog.Streams, 1)
			users := catalog.Streams[0]
			assert.Equal(t, "users", users.Name())
			assert.Equal(t, airbyte.SyncModeIncremental, users.SyncMode)
			assert.Equal(t, airbyte.DestinationSyncMode("append_dedup"), users.DestinationSyncMode)
			assert.Equal(t, []string{"lastUpdated"}, users.CursorField)
			assert.Equal(t, [][]string{{"id"}}, users.PrimaryKey)
			assert.Equal(t, []string{"_links", "id"}, users.Properties())
		})
	}
}

func TestACatalogMayLeaveEverythingOutButTheName(t *testing.T) {
	for _, entry := range []string{
		`{"stream": {"name": "users"}}`,
		`{"stream": {"name": "users", "json_schema": null}, "sync_mode": null, "cursor_field": null, "primary_key": null, "destination_sync_mode": null}`,
	} {
		catalog, err := airbyte.DecodeCatalog([]byte(`{"streams": [` + entry + `]}`))
		require.NoError(t, err)
		require.Len(t, catalog.Streams, 1)
		assert.Empty(t, catalog.Streams[0].SyncMode)
		assert.Empty(t, catalog.Streams[0].CursorField)
		assert.Empty(t, catalog.Streams[0].PrimaryKey)
		assert.Nil(t, catalog.Streams[0].Properties())
	}
	catalog, err := airbyte.DecodeCatalog([]byte(`{"streams": []}`))
	require.NoError(t, err)
	assert.Empty(t, catalog.Streams)
}

// The acceptance test of the official connectors sends this catalog and wants a TRACE ERROR about the stream, which only the
// engine can write.
func TestAnUnknownSyncModeIsLeftToTheCaller(t *testing.T) {
	catalog, err := airbyte.DecodeCatalog([]byte(`{"streams": [{"stream": {"name": "__AIRBYTE__stream_that_does_not_exist",
		"json_schema": {"type": "object", "properties": {"f1": {"type": "string"}}}, "supported_sync_modes": ["full_refresh"]},
		"sync_mode": "INVALID", "destination_sync_mode": "INVALID"}]}`))
	require.NoError(t, err)
	assert.Equal(t, airbyte.SyncMode("INVALID"), catalog.Streams[0].SyncMode)
}

func TestWhatASourceDoesNotReadCannotMakeACatalogBad(t *testing.T) {
	catalog, err := airbyte.DecodeCatalog([]byte(`{"streams": [{"stream": {"name": "users", "json_schema": ["odd"], "namespace": 5,
		"supported_sync_modes": "incremental", "source_defined_cursor": "yes", "default_cursor_field": "id",
		"source_defined_primary_key": ["id"], "is_resumable": 1, "is_file_based": []}, "destination_sync_mode": {}}]}`))
	require.NoError(t, err)
	assert.Nil(t, catalog.Streams[0].Properties())
	assert.Empty(t, catalog.Streams[0].Stream.SourceDefinedPrimaryKey, "half a key is none")
}

func TestPropertiesAreNilOnlyWithoutAnObjectOfThem(t *testing.T) {
	for schema, want := range map[string][]string{
		`{}`:                                nil,
		`{"properties": null}`:              nil,
		`{"properties": []}`:                nil,
		`{"properties": "id"}`:              nil,
		`null`:                              nil,
		`"x"`:                               nil,
		`true`:                              nil,
		`{"properties": {}}`:                {},
		`{"properties": {"b": 1, "a": 2}}`:  {"a", "b"},
		`{"properties": {"a": 1, "a": {}}}`: {"a"},
		`{"properties": {"a\u0062": 1}}`:    {"ab"},
	} {
		stream := airbyte.ConfiguredStream{}
		stream.Stream.JSONSchema = json.RawMessage(schema)
		assert.Equal(t, want, stream.Properties(), schema)
	}
	assert.Nil(t, (&airbyte.ConfiguredStream{}).Properties())
}

func TestABadCatalogIsRefusedWithASentence(t *testing.T) {
	good := usersEntry + ", " + strings.Replace(usersEntry, "users", "groups", 1)
	with := func(entry string) string { return `{"streams": [` + good + `, ` + entry + `]}` }
	for doc, want := range map[string]string{
		"":                        "the catalog must be a JSON object",
		"  \n":                    "the catalog must be a JSON object",
		"null":                    "the catalog must be a JSON object",
		"[]":                      "the catalog must be a JSON object",
		`"streams"`:               "the catalog must be a JSON object",
		"7":                       "the catalog must be a JSON object",
		"{}":                      "streams must be an array",
		`{"streams": null}`:       "streams must be an array",
		`{"streams": {}}`:         "streams must be an array",
		`{"STREAMS": []}`:         "streams must be an array",
		"{\n\"streams\":\n[}":     "the catalog is not valid JSON, line 3: invalid character '}' looking for beginning of value",
		`{"streams": [`:           "the catalog is not valid JSON, line 1: unexpected end of JSON input",
		`{"streams": []} {}`:      "the catalog is not valid JSON, line 1: invalid character '{' after top-level value",
		"\x7fELF\x02\x01\x01\x00": "the catalog is not valid JSON, line 1: invalid character '\\x7f' looking for beginning of value",
		"{\"streams\": \"\xc3\"}": "the catalog is not UTF-8 text",
		"\xff\xfe{\x00}\x00":      "the catalog is UTF-16 text; it must be saved as UTF-8",
		"\xfe\xff\x00{\x00}":      "the catalog is UTF-16 text; it must be saved as UTF-8",
		"{\x00}\x00":              "the catalog is UTF-16 text; it must be saved as UTF-8",
		"\x00{\x00}":              "the catalog is UTF-16 text; it must be saved as UTF-8",
		strings.Repeat("[", 1e6):  "the catalog is not valid JSON, line 1: invalid character '[' exceeded max depth",
		`{"streams": [{"stream": {"name": "users", "json_schema": ` + strings.Repeat(`{"items":`, 1e5) + `1` + strings.Repeat("}", 1e5) + `}}]}`: "" +
			"the catalog is not valid JSON, line 1: invalid character '{' exceeded max depth",
		with(`null`):                                 "streams[2] must be an object",
		with(`"users"`):                              "streams[2] must be an object",
		with(`{}`):                                   "streams[2].stream must be an object",
		with(`{"stream": null}`):                     "streams[2].stream must be an object",
		with(`{"stream": "users"}`):                  "streams[2].stream must be an object",
		with(`{"stream": {}}`):                       "streams[2].stream.name must be a non-empty string",
		with(`{"stream": {"name": null}}`):           "streams[2].stream.name must be a non-empty string",
		with(`{"stream": {"name": ""}}`):             "streams[2].stream.name must be a non-empty string",
		with(`{"stream": {"name": 5}}`):              "streams[2].stream.name must be a non-empty string",
		with(`{"stream": {"NAME": "x"}}`):            "streams[2].stream.name must be a non-empty string",
		with(entry(`"sync_mode": 5`)):                "streams[2].sync_mode must be a string",
		with(entry(`"cursor_field": "updated"`)):     "streams[2].cursor_field must be an array of strings",
		with(entry(`"cursor_field": [["updated"]]`)): "streams[2].cursor_field must be an array of strings",
		with(entry(`"primary_key": "id"`)):           "streams[2].primary_key must be an array of arrays of strings",
		with(entry(`"primary_key": ["id"]`)):         "streams[2].primary_key must be an array of arrays of strings",
		with(entry(`"primary_key": [[1]]`)):          "streams[2].primary_key must be an array of arrays of strings",
	} {
		catalog, err := airbyte.DecodeCatalog([]byte(doc))
		assert.Nil(t, catalog)
		var input *airbyte.InputError
		if assert.ErrorAs(t, err, &input, "%.80q", doc) {
			assert.Equal(t, want, err.Error(), "%.80q", doc)
		}
	}
}

func entry(member string) string { return `{"stream": {"name": "apps"}, ` + member + `}` }

func TestABadFilesCauseCanBeUnwrapped(t *testing.T) {
	_, err := airbyte.DecodeCatalog([]byte(`{"streams": [`))
	var syntax *json.SyntaxError
	assert.ErrorAs(t, err, &syntax)
}

func TestEachStreamIsWrittenWithItsKeysInTheOfficialOrder(t *testing.T) {
	stream := airbyte.Stream{Name: "users", JSONSchema: json.RawMessage("{\"z\": \"<&>\u2028\",\n \"a\":1.50}"), IsResumable: true}
	stream.SupportedSyncModes = []airbyte.SyncMode{airbyte.SyncModeFullRefresh, airbyte.SyncModeIncremental}
	stream.SourceDefinedCursor = true
	stream.DefaultCursorField = []string{"lastUpdated"}
	stream.SourceDefinedPrimaryKey = [][]string{{"id"}}
	plain := airbyte.Stream{Name: "roles", JSONSchema: json.RawMessage(`{}`)}
	plain.SupportedSyncModes = []airbyte.SyncMode{airbyte.SyncModeFullRefresh}

	var out bytes.Buffer
	airbyte.NewEmitter(&out, nil, nil).Catalog(airbyte.Catalog{Streams: []airbyte.Stream{stream, plain}})
	assert.Equal(t, `{"type":"CATALOG","catalog":{"streams":[`+
		`{"name":"users","json_schema":{"z":"<&>`+"\u2028"+`","a":1.50},"supported_sync_modes":["full_refresh","incremental"],`+
		`"source_defined_cursor":true,"default_cursor_field":["lastUpdated"],"source_defined_primary_key":[["id"]],`+
		`"is_resumable":true,"is_file_based":false},`+
		`{"name":"roles","json_schema":{},"supported_sync_modes":["full_refresh"],"is_resumable":false,"is_file_based":false}]}}`+"\n",
		out.String())
}

func TestAnEmptyCatalogHasAnEmptyArray(t *testing.T) {
	var out bytes.Buffer
	airbyte.NewEmitter(&out, nil, nil).Catalog(airbyte.Catalog{})
	assert.Equal(t, `{"type":"CATALOG","catalog":{"streams":[]}}`+"\n", out.String())
}

func TestTheOfficialCatalogSurvivesDecodeAndEncode(t *testing.T) {
	official, err := os.ReadFile(shared("facts", "official-catalog.json"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the official catalog is not at hand")
	}
	require.NoError(t, err)
	var catalog airbyte.Catalog
	require.NoError(t, json.Unmarshal(official, &catalog))
	require.Len(t, catalog.Streams, 9)

	var out bytes.Buffer
	airbyte.NewEmitter(&out, nil, nil).Catalog(catalog)
	var message struct{ Catalog json.RawMessage }
	require.NoError(t, json.Unmarshal(out.Bytes(), &message))
	assert.JSONEq(t, string(official), string(message.Catalog))

	var compact bytes.Buffer
	require.NoError(t, json.Compact(&compact, official))
	assert.Equal(t, compact.String(), string(message.Catalog), "key order included")
}

// shared is a path in the folder of facts that may lie beside the repository.
func shared(path ...string) string {
	return filepath.Join(append([]string{"..", "..", "..", "shared"}, path...)...)
}

func TestAnEncodedConfiguredCatalogHasNoNullsAndNoEmptyNamespace(t *testing.T) {
	catalog, err := airbyte.DecodeCatalog([]byte(`{"streams": [{"stream": {"name": "roles", "json_schema": {"a": "<"}}, "sync_mode": "full_refresh"}]}`))
	require.NoError(t, err)
	catalog.Streams[0].DestinationSyncMode = "overwrite"
	b, err := json.Marshal(catalog)
	require.NoError(t, err)
	assert.JSONEq(t, `{"streams": [{"stream": {"name": "roles", "json_schema": {"a": "<"}, "is_resumable": false, "is_file_based": false},
		"sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}]}`, string(b))
}

func FuzzDecodeCatalog(f *testing.F) {
	for _, seed := range []string{
		`{"streams": [` + usersEntry + `]}`, `{"streams": null}`, "\ufeff{}", "\xff\xfe{\x00}\x00", `{"streams": [{"stream": {"name": "a"}, "primary_key": [[]]}]}`,
		`{"streams": [{"stream": {"name": "a", "json_schema": {"properties": {"x": null}}}, "sync_mode": "INVALID"}]}`, `[`, "", "\x00",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		first, err := airbyte.DecodeCatalog(b)
		if err != nil {
			var input *airbyte.InputError
			require.ErrorAs(t, err, &input)
			require.NotEmpty(t, err.Error())
			return
		}
		for i := range first.Streams {
			require.NotEmpty(t, first.Streams[i].Name())
			first.Streams[i].Properties()
		}
		encoded, err := json.Marshal(first)
		require.NoError(t, err)
		second, err := airbyte.DecodeCatalog(encoded)
		require.NoError(t, err)
		again, err := json.Marshal(second)
		require.NoError(t, err)
		require.Equal(t, string(encoded), string(again))
	})
}
