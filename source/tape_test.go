package source_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"source-okta/internal/oktasim"
	"source-okta/source"
	"source-okta/streams"
)

// tape takes a run's output in as it comes, and keeps of a record its hash only: a read may be larger than memory.
type tape struct {
	t       testing.TB
	mu      sync.Mutex
	records map[string]map[uint64]int
	states  map[string]string // the last of each stream, as a whole message
	sent    map[string]int    // states of each stream
	errors  []gjson.Result
	logs    []string
	status  map[string]string
	control []gjson.Result
	code    int
	// kept are the records themselves, as long as there are few.
	kept map[string][]gjson.Result
	// onLine, if set, sees every line.
	onLine func(line []byte)
}

func newTape(t testing.TB) *tape {
	return &tape{t: t, records: map[string]map[uint64]int{}, states: map[string]string{}, sent: map[string]int{}, status: map[string]string{}, kept: map[string][]gjson.Result{}}
}

var recordPrefix = []byte(`{"type":"RECORD","record":{"stream":"`)

func (p *tape) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !bytes.HasSuffix(b, []byte("\n")) {
		p.t.Errorf("a write ends in the middle of a line: %.100s", b)
	}
	for line := range bytes.Lines(b) {
		if p.onLine != nil {
			p.onLine(line)
		}
		if rest, ok := bytes.CutPrefix(line, recordPrefix); ok {
			name, rest, _ := bytes.Cut(rest, []byte(`"`))
			_, data, _ := bytes.Cut(rest, []byte(`"data":`))
			data = data[:len(data)-len("}}\n")]
			if p.records[string(name)] == nil {
				p.records[string(name)] = map[uint64]int{}
			}
			p.records[string(name)][xxhash.Sum64(data)]++
			if len(p.kept[string(name)]) < 5_000 {
				p.kept[string(name)] = append(p.kept[string(name)], gjson.ParseBytes(bytes.Clone(data)))
			}
			continue
		}
		p.message(gjson.ParseBytes(bytes.Clone(line)))
	}
	return len(b), nil
}

func (p *tape) message(m gjson.Result) {
	switch m.Get("type").Str {
	case "STATE":
		name := m.Get("state.stream.stream_descriptor.name").Str
		p.states[name] = m.Get("state").Raw
		p.sent[name]++
	case "LOG":
		p.logs = append(p.logs, m.Get("log.level").Str+" "+m.Get("log.message").Str)
	case "TRACE":
		if s := m.Get("trace.stream_status"); s.Exists() {
			p.status[s.Get("stream_descriptor.name").Str] = s.Get("status").Str
		}
		if e := m.Get("trace.error"); e.Exists() {
			p.errors = append(p.errors, e)
		}
	case "CONTROL":
		p.control = append(p.control, m.Get("control.connectorConfig.config"))
	default:
		p.t.Errorf("an unexpected message: %.200s", m.Raw)
	}
}

// values are a member of every record of a stream, in the order in which they came.
func (p *tape) values(stream, path string) (out []string) {
	for _, rec := range p.kept[stream] {
		out = append(out, rec.Get(path).String())
	}
	return out
}

func (p *tape) stateOf(stream string) gjson.Result {
	return gjson.Get(p.states[stream], "stream.stream_state")
}

func (p *tape) count(stream string) (n int) {
	for _, c := range p.records[stream] {
		n += c
	}
	return n
}

// stateFile is the state as Airbyte hands it to the next read.
func (p *tape) stateFile() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(p.states)) {
		all = append(all, p.states[name])
	}
	return "[" + strings.Join(all, ",") + "]"
}

// simRead is one read of a simulated org.
type simRead struct {
	options string // members of the config, each with a comma behind
	set     streams.Set
	streams []*streams.Stream
	mode    string
	state   string
	// credentials are those of the config; empty: the org's API token.
	credentials string
	onLine      func(line []byte)
}

func (s simRead) run(t testing.TB, org http.RoundTripper) *tape {
	t.Helper()
	p := newTape(t)
	p.onLine = s.onLine
	if s.set == "" {
		s.set = streams.SetCore
	}
	if s.mode == "" {
		s.mode = "incremental"
	}
	if s.state == "" {
		s.state = "[]"
	}
	if s.credentials == "" {
		s.credentials = `{"auth_type":"api_token","api_token":"` + oktasim.DefaultToken + `"}`
	}
	if s.streams == nil {
		s.streams = streams.In(s.set)
	}
	var entries []string
	for _, st := range s.streams {
		entries = append(entries, fmt.Sprintf(`{"stream":{"name":%q,"json_schema":%s},"sync_mode":%q,"destination_sync_mode":"append"}`, st.Name, st.Schema(s.set), s.mode))
	}
	files := map[string]string{
		"c.json": `{` + s.options + `"domain":"acme.okta.com","stream_set":"` + string(s.set) + `","credentials":` + s.credentials + `}`,
		"k.json": `{"streams":[` + strings.Join(entries, ",") + `]}`,
		"s.json": s.state,
	}
	p.code = source.Run(t.Context(), source.Env{
		Args: []string{"read", "--config", "c.json", "--catalog", "k.json", "--state", "s.json"}, Stdout: p, Stderr: new(bytes.Buffer),
		Transport: org, Getenv: func(string) string { return "" },
		ReadFile: func(name string) ([]byte, error) {
			if b, ok := files[name]; ok {
				return []byte(b), nil
			}
			return nil, fs.ErrNotExist
		},
	})
	return p
}

// requireGood is a read without failure.
func requireGood(t testing.TB, p *tape) {
	t.Helper()
	require.Empty(t, p.errors)
	require.Zero(t, p.code)
	for name, s := range p.status {
		assert.Equal(t, "COMPLETE", s, name)
	}
}

// truth is what exists of a stream, as it must come out: hashes of records.
func truth(org *oktasim.Org, stream string) map[uint64]int {
	want := map[uint64]int{}
	for rec := range org.Records(stream, "https://acme.okta.com") {
		var b strings.Builder
		b.WriteByte('{')
		for _, p := range rec.Parents {
			v, _ := json.Marshal(p[1])
			fmt.Fprintf(&b, "%q:%s,", p[0], v)
		}
		b.WriteString(string(rec.JSON)[1:])
		want[xxhash.Sum64String(b.String())]++
	}
	return want
}

// requireOnce compares a stream's records with what exists, each exactly once.
func requireOnce(t testing.TB, p *tape, org *oktasim.Org, stream string) {
	t.Helper()
	want, got := truth(org, stream), p.records[stream]
	missing, extra, twice := 0, 0, 0
	for h := range want {
		if got[h] == 0 {
			missing++
		}
	}
	for h, n := range got {
		if want[h] == 0 {
			extra++
		}
		if n > max(1, want[h]) {
			twice++
		}
	}
	if missing+extra+twice > 0 {
		t.Errorf("%s: of %d records %d are missing, %d are unknown, %d came twice", stream, len(want), missing, extra, twice)
	}
}
