package airbyte_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"source-okta/internal/airbyte"
)

// noon is 1700000000123 in milliseconds.
func noon() time.Time { return time.UnixMilli(1_700_000_000_123) }

// writes records each Write, and fails those from the failAt-th on, after half of the bytes.
type writes struct {
	mu     sync.Mutex
	chunks []string
	failAt int
	short  bool
}

func (w *writes) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failAt > 0 && len(w.chunks)+1 >= w.failAt {
		w.chunks = append(w.chunks, string(p[:len(p)/2]))
		if w.short {
			return len(p) / 2, nil
		}
		return len(p) / 2, syscall.EPIPE
	}
	w.chunks = append(w.chunks, string(p))
	return len(p), nil
}

func (w *writes) all() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.chunks, "")
}

func page(t *testing.T, out *airbyte.Out, records ...string) {
	t.Helper()
	out.Begin()
	for _, r := range records {
		out.Record("", r)
	}
	require.NoError(t, out.End())
}

func TestEveryMessageIsOneLineOfTheProtocol(t *testing.T) {
	for want, send := range map[string]func(e *airbyte.Emitter){
		`{"type":"SPEC","spec":{"documentationUrl":"https://a/?b&c","connectionSpecification":{"type":"object","pattern":"<&>"}}}`: func(e *airbyte.Emitter) {
			e.Spec(json.RawMessage("{\n  \"documentationUrl\": \"https://a/?b&c\",\r\n  \"connectionSpecification\": {\"type\": \"object\", \"pattern\": \"<&>\"}}\n"))
		},
		`{"type":"CONNECTION_STATUS","connectionStatus":{"status":"SUCCEEDED"}}`: func(e *airbyte.Emitter) {
			e.Status(true, "")
		},
		`{"type":"CONNECTION_STATUS","connectionStatus":{"status":"FAILED","message":"no \"token\"\n<here>"}}`: func(e *airbyte.Emitter) {
			e.Status(false, "no \"token\"\n<here>")
		},
		`{"type":"LOG","log":{"level":"WARN","message":"a\tb\ufffd"}}`: func(e *airbyte.Emitter) {
			e.Log(airbyte.LogLevelWarn, "a\tb\xff")
		},
		`{"type":"TRACE","trace":{"type":"ERROR","emitted_at":1700000000123,"error":{"message":"m","failure_type":"system_error"}}}`: func(e *airbyte.Emitter) {
			e.TraceError(airbyte.TraceError{Message: "m"})
		},
		`{"type":"TRACE","trace":{"type":"ERROR","emitted_at":1700000000123,"error":{"message":"m","internal_message":"i","stack_trace":"s","failure_type":"config_error","stream_descriptor":{"name":"users"}}}}`: func(e *airbyte.Emitter) {
			e.TraceError(airbyte.TraceError{Message: "m", Internal: "i", Stack: "s", FailureType: airbyte.ConfigError, Stream: "users"})
		},
		`{"type":"TRACE","trace":{"type":"STREAM_STATUS","emitted_at":1700000000123,"stream_status":{"stream_descriptor":{"name":"users"},"status":"COMPLETE"}}}`: func(e *airbyte.Emitter) {
			e.StreamStatus("users", airbyte.Complete, time.Time{})
		},
		`{"type":"TRACE","trace":{"type":"STREAM_STATUS","emitted_at":1700000000123,"stream_status":{"stream_descriptor":{"name":"users"},"status":"RUNNING","reasons":[{"type":"RATE_LIMITED","rate_limited":{"quota_reset":1700000060123}}]}}}`: func(e *airbyte.Emitter) {
			e.StreamStatus("users", airbyte.Running, noon().Add(time.Minute))
		},
		`{"type":"TRACE","trace":{"type":"ESTIMATE","emitted_at":1700000000123,"estimate":{"name":"users","type":"STREAM","row_estimate":20000,"byte_estimate":0}}}`: func(e *airbyte.Emitter) {
			e.Estimate("users", 20000, 0)
		},
		`{"type":"CONTROL","control":{"type":"CONNECTOR_CONFIG","emitted_at":1700000000123,"connectorConfig":{"config":{"domain":"a<b","refresh_token":"r"}}}}`: func(e *airbyte.Emitter) {
			e.Control(json.RawMessage(`{"domain": "a<b", "refresh_token": "r"}`))
		},
		`{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"users"},"stream_state":{"lastUpdated":"2024-01-01T00:00:00.000Z"}},"sourceStats":{"recordCount":0.0}}}`: func(e *airbyte.Emitter) {
			e.State(e.Stream("users"), json.RawMessage("{\n\"lastUpdated\": \"2024-01-01T00:00:00.000Z\"\r\n}"))
		},
	} {
		var out bytes.Buffer
		e := airbyte.NewEmitter(&out, nil, noon)
		send(e)
		require.NoError(t, e.Flush())
		assert.Equal(t, want+"\n", out.String())
	}
}

func TestARecordIsOktasBytesWithTheParentsIDsInFront(t *testing.T) {
	for _, c := range []struct{ splice, raw, want string }{
		{``, `{"id":"00u","n":1.50,"s":"<&\u00e9> "}`, `{"id":"00u","n":1.50,"s":"<&\u00e9> "}`},
		{`"groupId":"00g",`, `{"id":"00u"}`, `{"groupId":"00g","id":"00u"}`},
		{`"groupId":"00g",`, `{ "id":"00u"}`, `{"groupId":"00g", "id":"00u"}`},
		{`"groupId":"00g",`, `{}`, `{"groupId":"00g"}`},
		{`"groupId":"00g",`, `{ 	}`, `{"groupId":"00g"}`},
		{`"appId":"0oa","userId":"00u",`, `{"":{}}`, `{"appId":"0oa","userId":"00u","":{}}`},
		{``, `{"":{}}`, `{"":{}}`},
	} {
		var out bytes.Buffer
		e := airbyte.NewEmitter(&out, strings.ToUpper, noon)
		users := e.Stream(`us"ers`)
		users.Begin()
		users.Record(c.splice, c.raw)
		require.NoError(t, users.End())
		require.NoError(t, e.Flush())
		assert.Equal(t, `{"type":"RECORD","record":{"stream":"us\"ers","emitted_at":1700000000123,"data":`+c.want+"}}\n", out.String())
		assert.True(t, json.Valid(out.Bytes()))
		assert.EqualValues(t, 1, users.Count())
		assert.EqualValues(t, len(c.want), users.Bytes())
	}
}

func TestDataIsNeverEmpty(t *testing.T) {
	var out bytes.Buffer
	e := airbyte.NewEmitter(&out, nil, noon)
	users := e.Stream("users")
	page(t, users, `{}`, `{ }`, "{\t}")
	require.NoError(t, e.Flush())
	assert.Empty(t, out.String())
	assert.Zero(t, users.Count())
	assert.Zero(t, users.Bytes())
}

func TestAPageIsStampedWithTheTimeOfItsBegin(t *testing.T) {
	now := noon()
	var out bytes.Buffer
	e := airbyte.NewEmitter(&out, nil, func() time.Time { return now })
	users := e.Stream("users")
	page(t, users, `{"id":"1"}`, `{"id":"2"}`)
	now = now.Add(time.Second)
	page(t, users, `{"id":"3"}`)
	require.NoError(t, e.Flush())
	var stamps []int64
	for line := range strings.Lines(out.String()) {
		var m struct {
			Record struct {
				EmittedAt int64 `json:"emitted_at"`
			}
		}
		require.NoError(t, json.Unmarshal([]byte(line), &m))
		stamps = append(stamps, m.Record.EmittedAt)
	}
	assert.Equal(t, []int64{1_700_000_000_123, 1_700_000_000_123, 1_700_000_001_123}, stamps)
}

func TestAStateCountsTheStreamsRecordsSinceItsLastState(t *testing.T) {
	var out bytes.Buffer
	e := airbyte.NewEmitter(&out, nil, noon)
	users, groups := e.Stream("users"), e.Stream("groups")
	assert.Same(t, users, e.Stream("users"))
	page(t, users, `{"id":"1"}`, `{}`, `{"id":"2"}`)
	page(t, groups, `{"id":"1"}`)
	e.State(users, json.RawMessage(`{"a":1}`))
	page(t, users, `{"id":"3"}`)
	e.State(groups, json.RawMessage(`{"a":1}`))
	e.State(users, json.RawMessage(`{"a":1}`))
	e.State(users, json.RawMessage(`{"a":1}`))
	var counts []string
	for line := range strings.Lines(out.String()) {
		if _, stats, ok := strings.Cut(line, `"sourceStats":`); ok {
			counts = append(counts, strings.TrimSpace(stats))
		}
	}
	assert.Equal(t, []string{`{"recordCount":2.0}}}`, `{"recordCount":1.0}}}`, `{"recordCount":1.0}}}`, `{"recordCount":0.0}}}`}, counts)
	assert.EqualValues(t, 3, users.Count())
}

func TestWhatThePlatformWaitsForIsWrittenAtOnceAndTheRestIsBuffered(t *testing.T) {
	for name, c := range map[string]struct {
		send func(*airbyte.Emitter)
		want int
	}{
		"spec":          {func(e *airbyte.Emitter) { e.Spec(json.RawMessage(`{}`)) }, 1},
		"status":        {func(e *airbyte.Emitter) { e.Status(true, "") }, 1},
		"catalog":       {func(e *airbyte.Emitter) { e.Catalog(airbyte.Catalog{}) }, 1},
		"control":       {func(e *airbyte.Emitter) { e.Control(json.RawMessage(`{}`)) }, 1},
		"error":         {func(e *airbyte.Emitter) { e.TraceError(airbyte.TraceError{}) }, 1},
		"state":         {func(e *airbyte.Emitter) { e.State(e.Stream("users"), json.RawMessage(`{}`)) }, 1},
		"log":           {func(e *airbyte.Emitter) { e.Log(airbyte.LogLevelInfo, "x") }, 0},
		"stream status": {func(e *airbyte.Emitter) { e.StreamStatus("users", airbyte.Started, time.Time{}) }, 0},
		"estimate":      {func(e *airbyte.Emitter) { e.Estimate("users", 1, 2) }, 0},
		"records":       {func(e *airbyte.Emitter) { page(t, e.Stream("users"), `{"id":"1"}`) }, 0},
		"much log":      {func(e *airbyte.Emitter) { e.Log(airbyte.LogLevelInfo, strings.Repeat("x", 64<<10)) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var w writes
			e := airbyte.NewEmitter(&w, nil, nil)
			c.send(e)
			assert.Len(t, w.chunks, c.want)
			require.NoError(t, e.Flush())
			assert.Len(t, w.chunks, 1)
			require.NoError(t, e.Flush())
			assert.Len(t, w.chunks, 1, "an empty buffer is not written")
		})
	}
}

func TestEveryWriteEndsAtALineEnd(t *testing.T) {
	var w writes
	e := airbyte.NewEmitter(&w, nil, nil)
	users := e.Stream("users")
	record := `{"id":"` + strings.Repeat("x", 1700) + `"}`
	huge := `{"id":"` + strings.Repeat("y", 3<<20) + `"}`
	for range 3 {
		users.Begin()
		for range 200 {
			users.Record(`"groupId":"00g",`, record)
		}
		users.Record("", huge)
		require.NoError(t, users.End())
	}
	e.Log(airbyte.LogLevelInfo, "end")
	require.NoError(t, e.Flush())
	for _, chunk := range w.chunks {
		assert.True(t, strings.HasSuffix(chunk, "}\n"))
		assert.Less(t, len(chunk), 64<<10+len(huge)+100)
	}
	assert.Greater(t, len(w.chunks), 15)
	assert.Equal(t, 604, strings.Count(w.all(), "\n"))
}

func TestSecretsAreMaskedInTextsAndNowhereElse(t *testing.T) {
	redact := func(s string) string { return strings.ReplaceAll(s, "s3cret", "****") }
	var out bytes.Buffer
	e := airbyte.NewEmitter(&out, redact, noon)
	e.Log(airbyte.LogLevelError, "log s3cret")
	e.Status(false, "status s3cret")
	e.TraceError(airbyte.TraceError{Message: "message s3cret", Internal: "internal s3cret", Stack: "stack s3cret"})
	assert.NotContains(t, out.String(), "s3cret")
	assert.Equal(t, 5, strings.Count(out.String(), "****"))

	out.Reset()
	users := e.Stream("s3cret")
	page(t, users, `{"s3cret":"s3cret"}`)
	e.State(users, json.RawMessage(`{"next":"s3cret"}`))
	e.Control(json.RawMessage(`{"token":"s3cret"}`))
	assert.NotContains(t, out.String(), "****")
	assert.Equal(t, 6, strings.Count(out.String(), "s3cret"))
}

func TestNothingFollowsAWriteThatFailed(t *testing.T) {
	for name, w := range map[string]*writes{"error": {failAt: 2}, "short write": {failAt: 2, short: true}} {
		t.Run(name, func(t *testing.T) {
			e := airbyte.NewEmitter(w, nil, nil)
			var reported []error
			e.OnError(func(err error) {
				assert.Equal(t, err, e.Err(), "the emitter is not locked")
				e.Log(airbyte.LogLevelError, "nobody hears this")
				reported = append(reported, err)
			})
			users := e.Stream("users")
			page(t, users, `{"id":"1"}`)
			require.NoError(t, e.Flush())
			require.NoError(t, e.Err())

			users.Begin()
			record := `{"id":"` + strings.Repeat("x", 30<<10) + `"}`
			for range 10 {
				users.Record("", record)
			}
			err := users.End()
			require.Error(t, err)
			assert.Equal(t, !w.short, errors.Is(err, syscall.EPIPE))
			assert.EqualValues(t, 4, users.Count(), "records after the failure are not counted")

			e.State(users, json.RawMessage(`{"a":1}`))
			e.TraceError(airbyte.TraceError{Message: "m"})
			e.Status(false, "m")
			e.Close()
			assert.Equal(t, err, e.Flush())
			assert.Equal(t, err, e.Err())
			assert.Equal(t, []error{err}, reported)
			assert.Len(t, w.chunks, 2)

			e.OnError(func(err error) { reported = append(reported, err) })
			assert.Len(t, reported, 2, "who comes late hears at once")
		})
	}
}

func TestAReaderThatLeftIsAnErrorOfThePipe(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer w.Close()
	e := airbyte.NewEmitter(w, nil, nil)
	e.Log(airbyte.LogLevelInfo, "x")
	require.NoError(t, e.Flush())
	require.NoError(t, r.Close())
	e.Log(airbyte.LogLevelInfo, "y")
	require.ErrorIs(t, e.Flush(), syscall.EPIPE)
}

func TestCloseDropsWhatIsBuffered(t *testing.T) {
	var w writes
	e := airbyte.NewEmitter(&w, nil, nil)
	e.OnError(func(error) { t.Error("to close is no failure") })
	users := e.Stream("users")
	page(t, users, `{"id":"1"}`)
	e.Close()
	e.Close()
	users.Begin()
	users.Record("", `{"id":"2"}`)
	require.ErrorIs(t, users.End(), os.ErrClosed)
	e.State(users, json.RawMessage(`{"a":1}`))
	e.TraceError(airbyte.TraceError{Message: "m"})
	require.ErrorIs(t, e.Flush(), os.ErrClosed)
	assert.Empty(t, w.chunks)
}

// blocked is a reader that does not read until it is told to.
type blocked struct {
	entered, released chan struct{}
	writes
}

func (b *blocked) Write(p []byte) (int, error) {
	close(b.entered)
	<-b.released
	return b.writes.Write(p)
}

func TestCloseWaitsForAWriteInProgressAndNoOtherFollows(t *testing.T) {
	w := &blocked{entered: make(chan struct{}), released: make(chan struct{})}
	e := airbyte.NewEmitter(w, nil, nil)
	users := e.Stream("users")
	record := `{"id":"` + strings.Repeat("x", 40<<10) + `"}`
	var wg sync.WaitGroup
	wg.Go(func() {
		users.Begin()
		for range 10 {
			users.Record("", record) // the second one fills the buffer and blocks
		}
		assert.ErrorIs(t, users.End(), os.ErrClosed)
	})
	<-w.entered
	wg.Go(func() {
		e.Close()
		assert.Len(t, w.chunks, 1, "Close came back before the Write")
	})
	for e.Err() == nil { // until Close has begun
		runtime.Gosched()
	}
	close(w.released)
	wg.Wait()
	assert.Len(t, w.chunks, 1)
	assert.Equal(t, 2, strings.Count(w.all(), "\n"))
}

func TestManyStreamsMayWriteAtOnce(t *testing.T) {
	const streams, pages, perPage = 8, 30, 20
	var w writes
	e := airbyte.NewEmitter(&w, nil, nil)
	var wg sync.WaitGroup
	for i := range streams {
		for range 2 { // two walks of each stream
			wg.Go(func() {
				out := e.Stream(fmt.Sprint("stream", i))
				for range pages {
					out.Begin()
					for range perPage {
						out.Record(`"parent":"p",`, `{"id":"`+strings.Repeat("x", 100)+`"}`)
					}
					assert.NoError(t, out.End())
					e.State(out, json.RawMessage(`{"a":1}`))
					e.Log(airbyte.LogLevelDebug, "page")
					e.StreamStatus("stream", airbyte.Running, time.Time{})
				}
			})
		}
	}
	wg.Go(func() {
		for range 100 {
			assert.NoError(t, e.Flush())
		}
	})
	wg.Wait()
	require.NoError(t, e.Flush())

	since := map[string]float64{}
	records := 0
	for line := range strings.Lines(w.all()) {
		var m struct {
			Type   string
			Record struct{ Stream string }
			State  struct {
				Stream struct {
					Descriptor struct{ Name string } `json:"stream_descriptor"`
				}
				SourceStats struct{ RecordCount float64 }
			}
		}
		require.NoError(t, json.Unmarshal([]byte(line), &m))
		switch m.Type {
		case "RECORD":
			records++
			since[m.Record.Stream]++
		case "STATE":
			name := m.State.Stream.Descriptor.Name
			require.Equal(t, since[name], m.State.SourceStats.RecordCount, "a state counts exactly the records above it")
			since[name] = 0
		}
	}
	assert.Equal(t, streams*2*pages*perPage, records)
	assert.EqualValues(t, 2*pages*perPage, e.Stream("stream0").Count())
}

func TestAPanicInAPageLeavesTheEmitterUsable(t *testing.T) {
	var out bytes.Buffer
	e := airbyte.NewEmitter(&out, nil, nil)
	users := e.Stream("users")
	assert.Panics(t, func() {
		users.Begin()
		defer users.End()
		users.Record("", "")
	})
	assert.Panics(t, func() { e.State(users, json.RawMessage(`{"a":`)) }, "a state that is no JSON")
	e.TraceError(airbyte.TraceError{Message: "the connector met a fault of its own"})
	assert.Equal(t, 1, strings.Count(out.String(), "\n"))
	assert.True(t, json.Valid(out.Bytes()))
}

func TestARecordCostsNoAllocation(t *testing.T) {
	e := airbyte.NewEmitter(discard{}, nil, nil)
	out := e.Stream("users")
	record := `{"id":"` + strings.Repeat("x", 1700) + `"}`
	emit := func() {
		out.Begin()
		for range 200 {
			out.Record(`"groupId":"00g",`, record)
		}
		_ = out.End()
	}
	emit() // grows the buffers
	assert.Zero(t, testing.AllocsPerRun(20, emit))
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func FuzzEmitter(f *testing.F) {
	f.Add("users", "message", `{"id":"00u"}`, "00g")
	f.Add("\x00\"\xff", "a\nb\u2028", `{ }`, "")
	f.Fuzz(func(t *testing.T, name, text, raw, parent string) {
		var object map[string]json.RawMessage
		if strings.ContainsAny(raw, "\r\n") || !strings.HasPrefix(raw, "{") || json.Unmarshal([]byte(raw), &object) != nil {
			t.Skip()
		}
		splice := ""
		if parent != "" {
			id, err := json.Marshal(parent)
			require.NoError(t, err)
			splice = `"parentId":` + string(id) + ","
		}
		var w writes
		e := airbyte.NewEmitter(&w, nil, noon)
		out := e.Stream(name)
		out.Begin()
		out.Record(splice, strings.TrimSpace(raw))
		require.NoError(t, out.End())
		e.Log(airbyte.LogLevelInfo, text)
		e.TraceError(airbyte.TraceError{Message: text, Internal: text, Stack: text, Stream: name})
		e.State(out, json.RawMessage(raw))
		lines := 3
		if splice != "" || len(object) > 0 {
			lines++
		}
		require.EqualValues(t, lines-3, out.Count())
		got := 0
		for line := range strings.Lines(w.all()) {
			got++
			require.True(t, strings.HasSuffix(line, "\n"))
			require.True(t, json.Valid([]byte(line)), line)
		}
		require.Equal(t, lines, got)
	})
}
