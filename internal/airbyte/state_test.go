package airbyte_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"source-okta/internal/airbyte"
)

func TestTheStateOfEveryEraIsRead(t *testing.T) {
	const users = `{"lastUpdated":"2023-06-28T17:09:46.000Z"}`
	const logs = `{"published":"2024-03-26T06:43:02Z"}`
	both := map[string]string{"users": users, "logs": logs}
	for name, c := range map[string]struct {
		doc  string
		want map[string]string
	}{
		"array of stream messages": {`[
			{"type":"STREAM","stream":{"stream_descriptor":{"name":"users"},"stream_state":` + users + `}},
			{"type":"STREAM","stream":{"stream_descriptor":{"name":"logs"},"stream_state":` + logs + `}}]`, both},
		"the platform's extras": {`[
			{"type":"STREAM","stream":{"stream_descriptor":{"name":"users"},"stream_state":` + users + `},"sourceStats":{"recordCount":3.0},"destinationStats":{"recordCount":3.0},"id":7},
			{"type":"STREAM","stream":{"stream_descriptor":{"name":"logs"},"stream_state":` + logs + `},"id":8}]`, both},
		"PyAirbyte's nulls": {`[
			{"type":"STREAM","stream":{"stream_descriptor":{"name":"users","namespace":null},"stream_state":` + users + `},"global_":null,"data":null,"sourceStats":null,"destinationStats":null},
			{"type":"STREAM","stream":{"stream_descriptor":{"name":"logs","namespace":null},"stream_state":` + logs + `},"global_":null,"data":null}]`, both},
		"one global": {`[{"type":"GLOBAL","global":{"shared_state":null,"stream_states":[
			{"stream_descriptor":{"name":"users"},"stream_state":` + users + `},
			{"stream_descriptor":{"name":"logs"},"stream_state":` + logs + `}]}}]`, both},
		"PyAirbyte's global": {`[{"type":"GLOBAL","stream":null,"global":null,"global_":{"shared_state":{"x":1},"stream_states":[
			{"stream_descriptor":{"name":"users"},"stream_state":` + users + `},null,
			{"stream_descriptor":{"name":"logs"},"stream_state":` + logs + `}]}}]`, both},
		"global that is no array":      {`{"type":"GLOBAL","global":{"stream_states":[{"stream_descriptor":{"name":"users"},"stream_state":` + users + `}]}}`, map[string]string{"users": users}},
		"global without streams":       {`[{"type":"GLOBAL","global":{"shared_state":{},"stream_states":null}}]`, nil},
		"one stream message":           {`{"type":"STREAM","stream":{"stream_descriptor":{"name":"users"},"stream_state":` + users + `}}`, map[string]string{"users": users}},
		"one stream message, untyped":  {`{"stream":{"stream_descriptor":{"name":"users"},"stream_state":` + users + `}}`, map[string]string{"users": users}},
		"type in lower case":           {`{"type":"stream","stream":{"stream_descriptor":{"name":"users"},"stream_state":` + users + `}}`, map[string]string{"users": users}},
		"a line of output":             {`{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"users"},"stream_state":` + users + `}}}`, map[string]string{"users": users}},
		"legacy":                       {`{"type":"LEGACY","data":{"users":` + users + `,"logs":` + logs + `}}`, both},
		"legacy in an array":           {`[{"type":"LEGACY","stream":null,"data":{"users":` + users + `,"logs":` + logs + `}}]`, both},
		"legacy, untyped":              {`{"data":{"users":` + users + `,"logs":` + logs + `}}`, both},
		"legacy, empty":                {`{"type":"LEGACY","data":{}}`, nil},
		"legacy, null":                 {`{"type":"LEGACY","data":null}`, nil},
		"a stream message with legacy": {`{"type":"STREAM","stream":{"stream_descriptor":{"name":"users"},"stream_state":` + users + `},"data":{"users":{"lastUpdated":"1999"}}}`, map[string]string{"users": users}},
		"oldest form":                  {`{"users":` + users + `,"logs":` + logs + `}`, both},
		"oldest form, odd names":       {`{"stream":{"id":"1"},"type":{"id":"2"},"global":{"id":"3"}}`, map[string]string{"stream": `{"id":"1"}`, "type": `{"id":"2"}`, "global": `{"id":"3"}`}},
		"oldest form, nulls":           {`{"users":` + users + `,"logs":null,"groups":{}}`, map[string]string{"users": users}},
		"byte order mark":              {"\ufeff{\"users\":" + users + "}\r\n", map[string]string{"users": users}},
		"null and empty stream states": {`[
			{"type":"STREAM","stream":{"stream_descriptor":{"name":"users"},"stream_state":null}},
			{"type":"STREAM","stream":{"stream_descriptor":{"name":"groups"},"stream_state":{}}},
			{"type":"STREAM","stream":{"stream_descriptor":{"name":"logs"}}}, null, {}]`, nil},
		"the last of a stream": {`[
			{"type":"STREAM","stream":{"stream_descriptor":{"name":"users"},"stream_state":{"lastUpdated":"1999"}}},
			{"type":"STREAM","stream":{"stream_descriptor":{"name":"logs"},"stream_state":` + logs + `}},
			{"type":"STREAM","stream":{"stream_descriptor":{"name":"users"},"stream_state":` + users + `}},
			{"type":"STREAM","stream":{"stream_descriptor":{"name":"logs"},"stream_state":{}}}]`, map[string]string{"users": users}},
		"markers of full refresh": {
			`[{"type":"STREAM","stream":{"stream_descriptor":{"name":"users"},"stream_state":{"__ab_no_cursor_state_message":true}}}]`,
			map[string]string{"users": `{"__ab_no_cursor_state_message":true}`},
		},
		"no file at all": {"", nil},
		"white space":    {" \n", nil},
		"null":           {"null", nil},
		"empty object":   {"{}", nil},
		"empty array":    {"[ ]", nil},
	} {
		t.Run(name, func(t *testing.T) {
			states, err := airbyte.DecodeState([]byte(c.doc))
			require.NoError(t, err)
			require.NotNil(t, states)
			got := map[string]string{}
			for stream, blob := range states {
				got[stream] = string(blob)
			}
			if c.want == nil {
				c.want = map[string]string{}
			}
			assert.Equal(t, c.want, got)
		})
	}
}

func TestABadStateIsRefusedWithASentence(t *testing.T) {
	for doc, want := range map[string]string{
		`7`:                           "the state must be a JSON array or object",
		`"users"`:                     "the state must be a JSON array or object",
		`true`:                        "the state must be a JSON array or object",
		`[`:                           "the state is not valid JSON, line 1: unexpected end of JSON input",
		"[]\n{}":                      "the state is not valid JSON, line 2: invalid character '{' after top-level value",
		"\x80":                        "the state is not UTF-8 text",
		"[\x00]\x00":                  "the state is UTF-16 text; it must be saved as UTF-8",
		strings.Repeat("[", 1e6):      "the state is not valid JSON, line 1: invalid character '[' exceeded max depth",
		`[5]`:                         "state[0] must be an object",
		`[null, "users"]`:             "state[1] must be an object",
		`[{"users":{"id":"1"}}]`:      "state[0] must be a state message of type STREAM, GLOBAL or LEGACY",
		`[{"type":"STREAMS"}]`:        "state[0] must be a state message of type STREAM, GLOBAL or LEGACY",
		`{"type":"OTHER"}`:            "state must be a state message of type STREAM, GLOBAL or LEGACY",
		`{"type":"STREAM"}`:           "state.stream must be an object",
		`{"type":"STATE"}`:            "state.state must be an object",
		`{"type":"GLOBAL"}`:           "state.global must be an object",
		`{"users":"2024-01-01"}`:      "state.users must be an object",
		`{"data":{"users":5}}`:        "state.data.users must be an object",
		`{"type":"LEGACY","data":[]}`: "state.data must be an object",
		`[{"type":"STREAM","stream":{"stream_state":{"id":"1"}}}]`:                                                 "state[0].stream.stream_descriptor.name must be a non-empty string",
		`[{"type":"STREAM","stream":{"stream_descriptor":{"name":""}}}]`:                                           "state[0].stream.stream_descriptor.name must be a non-empty string",
		`[{"type":"STREAM","stream":{"stream_descriptor":{"name":7}}}]`:                                            "state[0].stream.stream_descriptor.name must be a non-empty string",
		`[{"type":"STREAM","stream":{"stream_descriptor":"users"}}]`:                                               "state[0].stream.stream_descriptor.name must be a non-empty string",
		`[{"type":"STREAM","stream":{"stream_descriptor":{"name":"users"},"stream_state":"2024"}}]`:                "state[0].stream.stream_state must be an object",
		`[{"type":"STREAM","stream":{"stream_descriptor":{"name":"users"},"stream_state":[]}}]`:                    "state[0].stream.stream_state must be an object",
		`[{"type":"GLOBAL","global":{"stream_states":{}}}]`:                                                        "state[0].global.stream_states must be an array",
		`[{"type":"GLOBAL","global":{"stream_states":[{"stream_descriptor":{"name":"users"},"stream_state":1}]}}]`: "state[0].global.stream_states[0].stream_state must be an object",
	} {
		states, err := airbyte.DecodeState([]byte(doc))
		assert.Nil(t, states)
		var input *airbyte.InputError
		if assert.ErrorAs(t, err, &input, "%.80q", doc) {
			assert.Equal(t, want, err.Error(), "%.80q", doc)
		}
	}
}

func FuzzDecodeState(f *testing.F) {
	for _, seed := range []string{
		`[{"type":"STREAM","stream":{"stream_descriptor":{"name":"users"},"stream_state":{"lastUpdated":"2023-06-28T17:09:46.000Z"}},"global_":null}]`,
		`[{"type":"GLOBAL","global":{"shared_state":{},"stream_states":[{"stream_descriptor":{"name":"a"},"stream_state":{"b":1}}]}}]`,
		`{"type":"LEGACY","data":{"users":{"id":"00u"}}}`, `{"data":{"logs":{"published":"x"}}}`, `{"users":{"lastUpdated":"x"},"logs":null}`,
		`{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"a"},"stream_state":{"b":1}}}}`,
		"", "null", "{}", "[]", "7", "\ufeff[]", "\xff\xfe[\x00]\x00",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		states, err := airbyte.DecodeState(b)
		if err != nil {
			var input *airbyte.InputError
			require.ErrorAs(t, err, &input)
			require.NotEmpty(t, err.Error())
			return
		}
		// What we write of a state must be read as the same state: by way of the emitter, line by line and as an array.
		var out bytes.Buffer
		emitter := airbyte.NewEmitter(&out, nil, nil)
		for name, blob := range states {
			out.Reset()
			emitter.State(emitter.Stream(name), blob)
			line, ok := bytes.CutSuffix(out.Bytes(), []byte("\n"))
			require.True(t, ok)
			require.NotContains(t, string(line), "\n")
			var m struct{ State json.RawMessage }
			require.NoError(t, json.Unmarshal(line, &m))
			for _, doc := range []string{string(line), "[" + string(m.State) + "]"} {
				again, err := airbyte.DecodeState([]byte(doc))
				if name == "" {
					require.Error(t, err)
					continue
				}
				require.NoError(t, err)
				require.Len(t, again, 1)
				require.JSONEq(t, string(blob), string(again[name]))
			}
		}
	})
}
