package source_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"source-okta/streams"
)

// TestConformance puts every stream of the catalogue through the same trials, in virtual time.
func TestConformance(t *testing.T) {
	for _, s := range streams.All() {
		t.Run(s.Name, func(t *testing.T) {
			run := func(name string, f func(t *testing.T)) {
				t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
			}
			whole := wholeRead(t, s)
			run("is read to its end, over an empty page", func(t *testing.T) {
				r := readStream(t, newListing(s, 2, 0, 1), s, "")
				requireComplete(t, r, s)
				assertOnce(t, s, r, whole)
				checkRecords(t, s, r)
			})
			run("survives a truncated body", func(t *testing.T) {
				l := newListing(s, 2, 0, 1)
				once := onceFor(l, func(req *http.Request) *http.Response { return answer(req, 200, `[{"id":"cut`) })
				l.before = once
				r := readStream(t, l, s, "")
				requireComplete(t, r, s)
				assertOnce(t, s, r, whole)
			})
			run("waits for a rate-limit window and says so", func(t *testing.T) {
				l := newListing(s, 2, 0, 1)
				l.before = onceFor(l, func(req *http.Request) *http.Response {
					resp := failureOf(req, 429, "E0000047")
					resp.Header.Set("X-Rate-Limit-Limit", "600")
					resp.Header.Set("X-Rate-Limit-Remaining", "0")
					resp.Header.Set("X-Rate-Limit-Reset", unix(time.Now().Add(30*time.Second)))
					return resp
				})
				began := time.Now()
				r := readStream(t, l, s, "")
				requireComplete(t, r, s)
				assertOnce(t, s, r, whole)
				assert.GreaterOrEqual(t, time.Since(began), 30*time.Second)
				assert.Less(t, time.Since(began), 40*time.Second)
				assert.Contains(t, statuses(r, s.Name), "RUNNING RATE_LIMITED")
			})
			run("fails for a missing role with the remedy, or is skipped on request", func(t *testing.T) {
				forbid := func(l *listing) func(*http.Request, int) *http.Response {
					return func(req *http.Request, _ int) *http.Response {
						if l.own(req) {
							return failureOf(req, 403, "E0000006")
						}
						return nil
					}
				}
				l := newListing(s, 2)
				l.before = forbid(l)
				r := readStream(t, l, s, "")
				requireIncomplete(t, r, s, "config_error")
				assert.Contains(t, r.errors()[0].Get("message").Str, "role")

				l = newListing(s, 2)
				l.before = forbid(l)
				r = readStream(t, l, s, `"on_forbidden":"skip",`)
				requireComplete(t, r, s)
				assert.Empty(t, recordsOf(r, s.Name))
			})
			run("completes with a notice where the org lacks the feature", func(t *testing.T) {
				l := newListing(s, 2)
				l.before = func(req *http.Request, _ int) *http.Response {
					if l.own(req) {
						return failureOf(req, 401, "E0000015")
					}
					return nil
				}
				r := readStream(t, l, s, "")
				requireComplete(t, r, s)
				assert.True(t, hasWarning(r), "a notice")
			})
			run("is transient when Okta stays down", func(t *testing.T) {
				l := newListing(s, 2)
				l.before = func(req *http.Request, _ int) *http.Response {
					if l.own(req) {
						return answer(req, 503, "<html>maintenance</html>")
					}
					return nil
				}
				r := readStream(t, l, s, "")
				requireIncomplete(t, r, s, "transient_error")
			})
			if s.Parent != nil {
				run("goes on when one parent is gone", func(t *testing.T) {
					l := newListing(s, 2)
					gone := ""
					l.before = func(req *http.Request, _ int) *http.Response {
						if !l.own(req) {
							return nil
						}
						l.mu.Lock()
						if gone == "" {
							gone = req.URL.Path
						}
						first := gone
						l.mu.Unlock()
						if req.URL.Path == first {
							return failureOf(req, 404, "E0000007")
						}
						return nil
					}
					r := readStream(t, l, s, "")
					requireComplete(t, r, s)
					assert.NotEmpty(t, recordsOf(r, s.Name))
				})
				run("fails when its parent cannot be read", func(t *testing.T) {
					l := newListing(s, 2)
					l.before = func(req *http.Request, _ int) *http.Response {
						if !l.own(req) {
							return answer(req, 503, "")
						}
						return nil
					}
					r := readStream(t, l, s, "")
					requireIncomplete(t, r, s, "transient_error")
				})
			}
		})
	}
}

// wholeRead is what a read without trouble brings: the keys of all records.
func wholeRead(t *testing.T, s *streams.Stream) (keys []string) {
	synctest.Test(t, func(t *testing.T) {
		r := readStream(t, newListing(s, 3), s, "")
		requireComplete(t, r, s)
		for _, rec := range recordsOf(r, s.Name) {
			keys = append(keys, keyOf(s, rec))
		}
	})
	require.NotEmpty(t, keys)
	return keys
}

func readStream(t *testing.T, l *listing, s *streams.Stream, options string) result {
	t.Helper()
	return runWith(t, l, map[string]string{
		"c.json": `{` + options + `"stream_set":"core",` + goodConfig[1:],
		"k.json": configuredCatalog("incremental", s),
	}, nil, "read", "--config", "c.json", "--catalog", "k.json")
}

func onceFor(l *listing, f func(*http.Request) *http.Response) func(*http.Request, int) *http.Response {
	done := false
	return func(req *http.Request, _ int) *http.Response {
		l.mu.Lock()
		first := !done && l.own(req)
		done = done || first
		l.mu.Unlock()
		if first {
			return f(req)
		}
		return nil
	}
}

func requireComplete(t *testing.T, r result, s *streams.Stream) {
	t.Helper()
	require.Empty(t, r.errors())
	require.Zero(t, r.code)
	requireStory(t, r, s, "COMPLETE")
}

func requireIncomplete(t *testing.T, r result, s *streams.Stream, kind string) {
	t.Helper()
	require.Equal(t, 1, r.code)
	require.Len(t, r.errors(), 1)
	assert.Equal(t, kind, r.errors()[0].Get("failure_type").Str)
	assert.Equal(t, s.Name, r.errors()[0].Get("stream_descriptor.name").Str)
	requireStory(t, r, s, "INCOMPLETE")
}

// requireStory checks the order of a stream's messages: STARTED, RUNNING before the first record, a STATE, the end; and
// that the states count the records.
func requireStory(t *testing.T, r result, s *streams.Stream, end string) {
	t.Helper()
	told := statuses(r, s.Name)
	require.GreaterOrEqual(t, len(told), 3)
	assert.Equal(t, "STARTED", told[0])
	assert.Contains(t, told, "RUNNING")
	assert.Equal(t, end, told[len(told)-1])
	counted, records, ended := 0.0, 0, false
	running := false
	for _, l := range r.lines {
		switch l.Get("type").Str {
		case "RECORD":
			assert.Equal(t, s.Name, l.Get("record.stream").Str, "no record of a stream that is not selected")
			assert.False(t, ended)
			assert.True(t, running, "RUNNING comes before the first record")
			records++
		case "STATE":
			assert.False(t, ended)
			stats := l.Get("state.sourceStats.recordCount")
			assert.Contains(t, stats.Raw, ".")
			counted += stats.Num
			assert.NotEqual(t, "{}", l.Get("state.stream.stream_state").Raw)
		case "TRACE":
			status := l.Get("trace.stream_status.status").Str
			running = running || status == "RUNNING"
			ended = ended || status == end
		}
		assert.NotContains(t, l.Raw, `"namespace":""`)
	}
	assert.Equal(t, records, int(counted), "the states count every record")
	assert.NotEmpty(t, r.of("STATE"))
}

func assertOnce(t *testing.T, s *streams.Stream, r result, keys []string) {
	t.Helper()
	var got []string
	for _, rec := range recordsOf(r, s.Name) {
		got = append(got, keyOf(s, rec))
	}
	assert.ElementsMatch(t, keys, got)
}

// checkRecords holds every record against the stream's schema, key and cursor.
func checkRecords(t *testing.T, s *streams.Stream, r result) {
	t.Helper()
	schema := compileSchema(t, s)
	for _, rec := range recordsOf(r, s.Name) {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(rec.Raw))
		require.NoError(t, err)
		require.NoError(t, schema.Validate(v), rec.Raw)
		for _, k := range s.Key {
			assert.NotEmpty(t, rec.Get(gjson.Escape(k)).String(), "key %s of %s", k, rec.Raw)
		}
		if s.Cursor != nil {
			assert.NotEmpty(t, rec.Get(s.Cursor.Field).String())
		}
	}
}

func compileSchema(t *testing.T, s *streams.Stream) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(s.Schema(streams.SetCore)))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7)
	c.AssertFormat()
	require.NoError(t, c.AddResource(s.Name+".json", doc))
	schema, err := c.Compile(s.Name + ".json")
	require.NoError(t, err)
	return schema
}

func hasWarning(r result) bool {
	for _, l := range r.of("LOG") {
		if l.Get("log.level").Str == "WARN" {
			return true
		}
	}
	return false
}
