package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/tidwall/gjson"

	"source-okta/streams"
)

// transcript is an io.Writer that takes the messages of a run in.
type transcript struct {
	mu       sync.Mutex
	partial  []byte
	records  map[string]int
	samples  map[string]string
	began    map[string]int64
	ended    map[string]int64
	states   map[string]string
	kinds    map[string]string
	requests map[string]int
	failure  string
	dir      string
	files    map[string]*file
	err      error
}

type file struct {
	*bufio.Writer
	f *os.File
}

func newTranscript() *transcript {
	return &transcript{
		records: map[string]int{}, samples: map[string]string{}, began: map[string]int64{}, ended: map[string]int64{},
		states: map[string]string{}, kinds: map[string]string{}, files: map[string]*file{},
	}
}

// keep writes the records to one file per stream below dir.
func (t *transcript) keep(dir string) error {
	t.dir = dir
	return os.MkdirAll(dir, 0o755)
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for rest := p; len(rest) > 0; {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			t.partial = append(t.partial, rest...)
			break
		}
		line := rest[:i]
		if len(t.partial) > 0 {
			line = append(t.partial, line...)
			t.partial = nil
		}
		t.line(line)
		rest = rest[i+1:]
	}
	return len(p), nil
}

var recordStart = []byte(`{"type":"RECORD"`)

func (t *transcript) line(line []byte) {
	if bytes.HasPrefix(line, recordStart) {
		// Not parsed: a record's stream is its first member.
		stream := gjson.GetBytes(line, "record.stream").Str
		t.records[stream]++
		if t.records[stream] == 1 {
			t.samples[stream] = gjson.GetBytes(line, "record.data").Raw
		}
		t.save(stream, line)
		return
	}
	m := gjson.ParseBytes(line)
	kind := m.Get("type").Str
	t.kinds[kind] = m.Raw
	switch kind {
	case "STATE":
		t.states[m.Get("state.stream.stream_descriptor.name").Str] = m.Get("state").Raw
	case "TRACE":
		trace := m.Get("trace")
		name, at := trace.Get("stream_status.stream_descriptor.name").Str, trace.Get("emitted_at").Int()
		switch trace.Get("stream_status.status").Str {
		case "STARTED":
			t.began[name] = at
		case "COMPLETE":
			t.ended[name] = at
		}
		if trace.Get("type").Str == "ERROR" {
			t.failure += trace.Get("error.message").Str + " "
		}
	}
}

func (t *transcript) save(stream string, line []byte) {
	if t.dir == "" || t.err != nil {
		return
	}
	f := t.files[stream]
	if f == nil {
		created, err := os.Create(filepath.Join(t.dir, stream+".jsonl"))
		if err != nil {
			t.err = err
			return
		}
		f = &file{bufio.NewWriterSize(created, 1<<16), created}
		t.files[stream] = f
	}
	_, err := f.WriteString(gjson.GetBytes(line, "record.data").Raw + "\n")
	t.err = err
}

func (t *transcript) closeFiles() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.files {
		if err := f.Flush(); err != nil {
			return err
		}
		if err := f.f.Close(); err != nil {
			return err
		}
	}
	return t.err
}

func (t *transcript) last(kind string) gjson.Result { return gjson.Parse(t.kinds[kind]) }

func (t *transcript) count(stream string) int { return t.records[stream] }

func (t *transcript) sample(stream string) string { return t.samples[stream] }

func (t *transcript) total() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return total(t.records)
}

func (t *transcript) seconds(stream string) float64 {
	return float64(t.ended[stream]-t.began[stream]) / 1000
}

// cursor is the part of a stream's state that tells where it is.
func (t *transcript) cursor(stream string) string {
	state := gjson.Parse(t.states[stream]).Get("stream.stream_state")
	for _, field := range []string{"lastUpdated", "published"} {
		if v := state.Get(field); v.Exists() {
			return field + " " + v.Str
		}
	}
	return "none: read whole"
}

// stateFile is the state as Airbyte hands it to the next read.
func (t *transcript) stateFile() string {
	var all []json.RawMessage
	for _, name := range slices.Sorted(maps.Keys(t.states)) {
		all = append(all, json.RawMessage(t.states[name]))
	}
	b, err := json.Marshal(all)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// requestCounter counts the requests by the stream whose path they have.
type requestCounter struct {
	next  http.RoundTripper
	paths []pathOf

	mu sync.Mutex
	n  map[string]int
}

type pathOf struct {
	stream string
	path   *regexp.Regexp
}

var variable = regexp.MustCompile(`\\\{\w+\\\}`)

func newRequestCounter(next http.RoundTripper) *requestCounter {
	c := &requestCounter{next: next, n: map[string]int{}}
	for _, s := range streams.All() {
		pattern := variable.ReplaceAllString(regexp.QuoteMeta(s.Path), "[^/]+")
		c.paths = append(c.paths, pathOf{s.Name, regexp.MustCompile("^" + pattern + "$")})
	}
	return c
}

func (c *requestCounter) RoundTrip(req *http.Request) (*http.Response, error) {
	name := "others"
	for _, p := range c.paths {
		if p.path.MatchString(strings.TrimSuffix(req.URL.Path, "/")) {
			name = p.stream
		}
	}
	c.mu.Lock()
	c.n[name]++
	c.mu.Unlock()
	return c.next.RoundTrip(req)
}

func (c *requestCounter) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n = map[string]int{}
}

func (c *requestCounter) counts() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.n)
}
