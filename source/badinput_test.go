package source_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"source-okta/source"
)

const (
	goodConfig  = `{"domain":"acme","credentials":{"auth_type":"api_token","api_token":"00abcdefghijklmnop"}}`
	goodCatalog = `{"streams":[{"stream":{"name":"users","json_schema":{"type":"object","properties":{"id":{"type":"string"}}},"supported_sync_modes":["full_refresh"]},"sync_mode":"full_refresh","destination_sync_mode":"append"}]}`
)

// offline fails every request, so that input is judged without Okta.
type offline struct{}

func (offline) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("offline") }

// result is what a run of the connector left behind.
type result struct {
	code   int
	lines  []gjson.Result
	stderr string
}

func (r result) of(kind string) (out []gjson.Result) {
	for _, l := range r.lines {
		if l.Get("type").Str == kind {
			out = append(out, l)
		}
	}
	return out
}

func (r result) errors() (out []gjson.Result) {
	for _, l := range r.of("TRACE") {
		if l.Get("trace.type").Str == "ERROR" {
			out = append(out, l.Get("trace.error"))
		}
	}
	return out
}

// runWith runs the connector on files in memory. Every line of stdout must be a message.
func runWith(t *testing.T, transport http.RoundTripper, files map[string]string, env map[string]string, args ...string) result {
	t.Helper()
	var out, errOut bytes.Buffer
	code := source.Run(t.Context(), source.Env{
		Args: args, Stdout: &out, Stderr: &errOut, Transport: transport,
		Getenv: func(k string) string { return env[k] },
		ReadFile: func(name string) ([]byte, error) {
			if b, ok := files[name]; ok {
				return []byte(b), nil
			}
			if filepath.IsAbs(name) {
				return source.ReadFile(name)
			}
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		},
	})
	return result{code: code, lines: parseLines(t, out.Bytes()), stderr: errOut.String()}
}

func parseLines(t *testing.T, out []byte) (lines []gjson.Result) {
	t.Helper()
	for line := range bytes.Lines(out) {
		require.True(t, bytes.HasSuffix(line, []byte("\n")), "half a line on stdout: %.200s", line)
		require.True(t, json.Valid(line), "not JSON on stdout: %.200s", line)
		lines = append(lines, gjson.ParseBytes(line))
	}
	return lines
}

func utf16le(s string) string {
	b := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return string(b)
}

func TestEveryClassOfBadFileGetsOneClearError(t *testing.T) {
	dir := t.TempDir()
	huge := filepath.Join(dir, "huge.json")
	f, err := os.Create(huge)
	require.NoError(t, err)
	require.NoError(t, f.Truncate(64<<20+1))
	require.NoError(t, f.Close())
	deep := strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000)

	for _, class := range []struct {
		name, content, path string
		says                string
		stateToo            bool
	}{
		{name: "missing", path: filepath.Join(dir, "none.json"), says: "does not exist", stateToo: true},
		{name: "directory", path: dir, says: "is a directory", stateToo: true},
		{name: "huge", path: huge, says: "larger than 64 MiB", stateToo: true},
		{name: "empty", content: "", says: "is empty"},
		{name: "white space", content: " \n\t ", says: "is empty"},
		{name: "binary", content: "\x00\x01\x02\xfe{}", says: "binary", stateToo: true},
		{name: "gzip", content: "\x1f\x8b\x08\x00\x00\x00\x00\x00", says: "binary", stateToo: true},
		{name: "truncated", content: goodConfig[:len(goodConfig)/2], says: "unexpected end", stateToo: true},
		{name: "UTF-16", content: utf16le(goodConfig), says: "UTF-16", stateToo: true},
		{name: "deeply nested", content: deep, says: "depth", stateToo: true},
		{name: "nested below a key", content: `{"a":` + deep + `}`, says: "depth", stateToo: true},
		{name: "a number", content: "42", says: "", stateToo: true},
		{name: "a string", content: `"config"`, says: "", stateToo: true},
		{name: "a boolean", content: `true`, says: "", stateToo: true},
		{name: "an array", content: `[{"domain":"acme"}]`, says: "not a JSON object"},
		{name: "null", content: `null`, says: "not a JSON object"},
		{name: "two documents", content: `{}{}`, says: "after top-level value", stateToo: true},
		{name: "trailing comma", content: `{"domain":"acme",}`, says: "invalid character", stateToo: true},
		{name: "a comment", content: "// config\n{}", says: "invalid character", stateToo: true},
		{name: "YAML", content: "domain: acme\n", says: "invalid character", stateToo: true},
		{name: "NaN", content: `{"a":NaN}`, says: "invalid character", stateToo: true},
	} {
		for _, file := range []string{"config", "catalog", "state"} {
			if file == "state" && !class.stateToo {
				continue
			}
			t.Run(file+" "+class.name, func(t *testing.T) {
				files := map[string]string{"config.json": goodConfig, "catalog.json": goodCatalog, "state.json": "[]"}
				paths := map[string]string{"config": "config.json", "catalog": "catalog.json", "state": "state.json"}
				if class.path != "" {
					paths[file] = class.path
				} else {
					files[paths[file]] = class.content
				}
				verbs := []string{"read"}
				if file == "config" {
					verbs = []string{"check", "discover", "read"}
				}
				for _, verb := range verbs {
					r := runWith(t, offline{}, files, nil, verb, "--state", paths["state"], "--config", paths["config"], "--catalog", paths["catalog"])
					assert.Equal(t, 1, r.code)
					requireOneError(t, r, "--"+file, class.says)
				}
			})
		}
	}
}

func requireOneError(t *testing.T, r result, says ...string) {
	t.Helper()
	errs := r.errors()
	require.Len(t, errs, 1, "one TRACE ERROR is wanted")
	require.Len(t, r.lines, 1, "and nothing beside it")
	assert.Equal(t, "config_error", errs[0].Get("failure_type").Str)
	for _, s := range says {
		assert.Contains(t, errs[0].Get("message").Str, s)
	}
	assert.NotContains(t, errs[0].Get("message").Str, "00abcdefghijklmnop")
}

func TestEveryClassOfBadCommandLineGetsOneClearError(t *testing.T) {
	files := map[string]string{"config.json": goodConfig, "catalog.json": goodCatalog}
	for name, row := range map[string]struct {
		args []string
		says string
	}{
		"no argument":              {nil, "names no verb"},
		"an empty argument":        {[]string{""}, "no verb"},
		"an unknown verb":          {[]string{"write"}, `"write" is no verb`},
		"a destination's verb":     {[]string{"write", "--config", "config.json"}, "no verb"},
		"two verbs":                {[]string{"check", "read"}, "one of the verbs"},
		"an unknown flag":          {[]string{"check", "--configuration", "config.json"}, "not defined"},
		"a flag without its value": {[]string{"check", "--config"}, "needs an argument"},
		"read without a catalog":   {[]string{"read", "--config", "config.json"}, "--catalog"},
		"read without a config":    {[]string{"read", "--catalog", "catalog.json"}, "--config"},
		"check without a config":   {[]string{"check"}, "--config"},
		"an empty config path":     {[]string{"check", "--config", ""}, "--config"},
		"a boolean with a value":   {[]string{"check", "--debug=maybe", "--config", "config.json"}, "debug"},
		"binary":                   {[]string{"\x00\xff\xfe"}, "no verb"},
		"very long":                {[]string{strings.Repeat("x", 1<<20)}, "no verb"},
		"a path with a NUL":        {[]string{"check", "--config", "/\x00"}, "--config"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runWith(t, offline{}, files, nil, row.args...)
			assert.Equal(t, 1, r.code)
			requireOneError(t, r, row.says)
		})
	}
}

func TestFlagsStandInAnyOrderAndForm(t *testing.T) {
	files := map[string]string{"c.json": goodConfig}
	for _, args := range [][]string{
		{"discover", "--config", "c.json"},
		{"discover", "--config=c.json"},
		{"discover", "-config", "c.json", "--debug"},
		{"--debug", "discover", "--config", "c.json"},
		{"--config", "c.json", "discover"},
		{"discover", "--state", "x", "--catalog", "y", "--config", "c.json"},
	} {
		r := runWith(t, offline{}, files, nil, args...)
		assert.Zero(t, r.code, args)
		assert.Len(t, r.of("CATALOG"), 1, args)
	}
}

func TestConfigsThatAreGoodAreTaken(t *testing.T) {
	for name, config := range map[string]string{
		"plain":                 goodConfig,
		"a byte order mark":     "\xef\xbb\xbf" + goodConfig,
		"unknown keys":          `{"x":[{}],` + goodConfig[1:],
		"null options":          `{"start_date":null,"stream_set":null,"include_streams":null,"rate_limit_share":null,"on_forbidden":null,` + goodConfig[1:],
		"a repeated key":        `{"domain":"acme",` + goodConfig[1:],
		"an escaped key":        strings.Replace(goodConfig, `"domain"`, `"\u0064omain"`, 1),
		"before 0.2.0":          `{"token":"00abcdefghijklmnop","base_url":"https://acme.oktapreview.com"}`,
		"a token at the root":   `{"token":"00abcdefghijklmnop","domain":"acme"}`,
		"a share of one":        `{"rate_limit_share":1,` + goodConfig[1:],
		"a start with a zone":   `{"start_date":"2024-01-01T00:00:00+02:00",` + goodConfig[1:],
		"a start that is a day": `{"start_date":"2024-01-01",` + goodConfig[1:],
	} {
		t.Run(name, func(t *testing.T) {
			r := runWith(t, offline{}, map[string]string{"c.json": config}, nil, "discover", "--config", "c.json")
			assert.Zero(t, r.code)
			assert.Empty(t, r.errors())
			assert.Len(t, r.of("CATALOG"), 1)
		})
	}
}

func TestAConfigThatIsNotValidFailsItsCheckAndStopsTheOtherVerbs(t *testing.T) {
	with := func(member string) string { return "{" + member + "," + goodConfig[1:] }
	for name, row := range map[string]struct{ config, says string }{
		"nothing":                       {`{}`, "auth_type"},
		"no domain":                     {`{"credentials":{"auth_type":"api_token","api_token":"00abcdefghijklmnop"}}`, "domain"},
		"no credentials":                {`{"domain":"acme"}`, "credentials.auth_type is missing"},
		"credentials of the wrong type": {`{"domain":"acme","credentials":"x"}`, "credentials must be an object"},
		"an unknown kind":               {`{"domain":"acme","credentials":{"auth_type":"basic"}}`, "auth_type must be"},
		"an empty token":                {`{"domain":"acme","credentials":{"auth_type":"api_token","api_token":" "}}`, "api_token is missing"},
		"a token that is a number":      {`{"domain":"acme","credentials":{"auth_type":"api_token","api_token":5}}`, "api_token must be a string"},
		"half a service app":            {`{"domain":"acme","credentials":{"auth_type":"oauth2.0_private_key","client_id":"0oa"}}`, "private_key is missing"},
		"half a refresh token":          {`{"domain":"acme","credentials":{"auth_type":"oauth2.0","client_id":"0oa"}}`, "refresh_token is missing"},
		"a domain of the wrong type":    {`{"domain":["acme"],` + goodConfig[len(`{"domain":"acme",`):], "domain must be a string"},
		"a start that is no date":       {with(`"start_date":"yesterday"`), "start_date"},
		"a start that is a number":      {with(`"start_date":1700000000`), "start_date must be a string"},
		"an unknown set":                {with(`"stream_set":"everything"`), "stream_set must be"},
		"a share of nothing":            {with(`"rate_limit_share":0`), "rate_limit_share"},
		"a share over all":              {with(`"rate_limit_share":101`), "rate_limit_share"},
		"half a percent":                {with(`"rate_limit_share":0.5`), "rate_limit_share"},
		"a share in words":              {with(`"rate_limit_share":"80"`), "rate_limit_share"},
		"an unknown on_forbidden":       {with(`"on_forbidden":"ignore"`), "on_forbidden must be"},
		"a list that is none":           {with(`"include_streams":"users"`), "include_streams must be a list"},
		"a stream that is none":         {with(`"exclude_streams":["userz"]`), "userz"},
		"no stream left":                {with(`"include_streams":["users"],"exclude_streams":["users"]`), "leave no stream"},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"c.json": row.config, "k.json": goodCatalog}
			r := runWith(t, offline{}, files, nil, "check", "--config", "c.json")
			assert.Zero(t, r.code)
			require.Len(t, r.of("CONNECTION_STATUS"), 1)
			status := r.of("CONNECTION_STATUS")[0].Get("connectionStatus")
			assert.Equal(t, "FAILED", status.Get("status").Str)
			assert.Contains(t, status.Get("message").Str, row.says)

			for _, args := range [][]string{{"discover", "--config", "c.json"}, {"read", "--config", "c.json", "--catalog", "k.json"}} {
				r := runWith(t, offline{}, files, nil, args...)
				assert.Equal(t, 1, r.code)
				requireOneError(t, r, row.says)
			}
		})
	}
}

func TestCatalogsAndStatesThatSayTooLittleAreRefused(t *testing.T) {
	for name, row := range map[string]struct{ catalog, state, says string }{
		"no streams":                    {`{}`, `[]`, "streams"},
		"streams of the wrong type":     {`{"streams":{}}`, `[]`, "streams"},
		"a stream without a name":       {`{"streams":[{"stream":{"json_schema":{}}}]}`, `[]`, "streams[0].stream.name"},
		"a stream with an empty name":   {`{"streams":[{"stream":{"name":""}}]}`, `[]`, "stream.name"},
		"a stream with a number":        {`{"streams":[{"stream":{"name":7}}]}`, `[]`, "stream.name"},
		"a stream that is null":         {`{"streams":[null]}`, `[]`, "streams[0]"},
		"a cursor that is no timestamp": {goodCatalog, `[{"type":"STREAM","stream":{"stream_descriptor":{"name":"users"},"stream_state":{"lastUpdated":"soon"}}}]`, "users"},
		"a cursor that is a number":     {goodCatalog, `[{"type":"STREAM","stream":{"stream_descriptor":{"name":"users"},"stream_state":{"lastUpdated":17}}}]`, "lastUpdated"},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"c.json": goodConfig, "k.json": row.catalog, "s.json": row.state}
			r := runWith(t, offline{}, files, nil, "read", "--config", "c.json", "--catalog", "k.json", "--state", "s.json")
			assert.Equal(t, 1, r.code)
			requireOneError(t, r, row.says)
		})
	}
}

func TestSpecNeedsNothing(t *testing.T) {
	r := runWith(t, offline{}, nil, nil, "spec")
	assert.Zero(t, r.code)
	require.Len(t, r.lines, 1)
	assert.Equal(t, "SPEC", r.lines[0].Get("type").Str)
	assert.True(t, r.lines[0].Get("spec.connectionSpecification.properties.domain").Exists())
}

func TestHelpGoesToStderr(t *testing.T) {
	r := runWith(t, offline{}, nil, nil, "--help")
	assert.Zero(t, r.code)
	assert.Empty(t, r.lines)
	assert.Contains(t, r.stderr, "source-okta read")
}
