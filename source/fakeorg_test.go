package source_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tidwall/gjson"

	"source-okta/streams"
)

// listing is an org made of one stream's declaration: it serves the stream, its parents and whatever its strategy reads,
// in pages, with records made from the schema. What a test wants to go wrong stands in front of it.
type listing struct {
	stream *streams.Stream
	// pages are the numbers of records on each page of the stream's own lists; parents have two records on one page.
	pages []int
	// before may answer instead.
	before func(req *http.Request, n int) *http.Response

	mu    sync.Mutex
	calls map[string]int // by path
	paths []route
}

type route struct {
	s    *streams.Stream
	path *regexp.Regexp
}

var braces = regexp.MustCompile(`\\\{\w+\\\}`)

func newListing(s *streams.Stream, pages ...int) *listing {
	l := &listing{stream: s, pages: pages, calls: map[string]int{}}
	add := func(s *streams.Stream) {
		for ; s != nil; s = parentOf(s) {
			l.paths = append(l.paths, route{s, regexp.MustCompile("^" + braces.ReplaceAllString(regexp.QuoteMeta(s.Path), "[^/]+") + "$")})
		}
	}
	add(s)
	if s.Union != nil {
		add(s.Union.Roles)
		add(s.Union.Members)
	}
	return l
}

func parentOf(s *streams.Stream) *streams.Stream {
	if s.Parent == nil {
		return nil
	}
	return s.Parent.Stream
}

func (l *listing) RoundTrip(req *http.Request) (*http.Response, error) {
	l.mu.Lock()
	l.calls[req.URL.Path]++
	n := l.calls[req.URL.Path]
	l.mu.Unlock()
	if req.URL.Path == "/.well-known/okta-organization" {
		return answer(req, 200, `{"id":"00o1","pipeline":"idx"}`), nil
	}
	if l.before != nil {
		if resp := l.before(req, n); resp != nil {
			resp.Request = req
			return resp, nil
		}
	}
	if u := l.stream.Union; u != nil && req.URL.Path == u.Assignees {
		return answer(req, 200, `{"value":[{"id":"u0"},{"id":"u1"}]}`), nil
	}
	for _, r := range l.paths {
		if r.path.MatchString(req.URL.Path) {
			return l.page(req, r.s), nil
		}
	}
	return failureOf(req, 404, "E0000008"), nil
}

func (l *listing) page(req *http.Request, s *streams.Stream) *http.Response {
	if s.Paginator == streams.SingleObject {
		return answer(req, 200, record(s, req.URL, 0))
	}
	pages := []int{2}
	if s == l.stream {
		pages = l.pages
	}
	polling := s.Strategy == streams.SystemLog && !req.URL.Query().Has("until")
	if polling {
		// The backfill has the records; the polling chain is empty and never ends.
		pages = []int{0}
	}
	q := req.URL.Query()
	at, _ := strconv.Atoi(strings.TrimPrefix(q.Get("after"), "p"))
	first := 0
	for _, n := range pages[:at] {
		first += n
	}
	items := make([]string, pages[at])
	for i := range items {
		items[i] = record(s, req.URL, first+i)
	}
	next := ""
	if at+1 < len(pages) || polling {
		q.Set("after", "p"+strconv.Itoa(min(at+1, len(pages)-1)))
		next = "https://acme-admin.okta.com" + req.URL.Path + "?" + q.Encode()
	}
	body := "[" + strings.Join(items, ",") + "]"
	if s.Records != "" {
		links := `{}`
		if next != "" {
			b, _ := json.Marshal(next)
			links = `{"next":{"href":` + string(b) + `}}`
		}
		body = `{"` + s.Records + `":` + body + `,"_links":` + links + `}`
	}
	resp := answer(req, 200, body)
	resp.Header.Add("Link", `<https://acme.okta.com`+req.URL.Path+`>; rel="self"`)
	if next != "" && s.Records == "" {
		resp.Header.Add("Link", "<"+next+`>; rel="next"`)
	}
	return resp
}

// record makes the i-th record of a list with every key, cursor and member that a child needs.
func record(s *streams.Stream, list *url.URL, i int) string {
	members := map[string]any{}
	set := func(name string) { members[name] = fmt.Sprintf("%c%d", s.Name[0], i) }
	spliced := map[string]bool{}
	for _, p := range s.Params() {
		spliced[p.Name] = true
	}
	for _, k := range s.Key {
		if !spliced[k] {
			set(k)
		}
	}
	if s.Slices != nil {
		// Each slice is a list of its own.
		members["id"] = list.Query().Encode() + fmt.Sprint(i)
	}
	if s.Cursor != nil {
		at := time.Now().UTC().Truncate(24 * time.Hour).Add(time.Duration(i-3600) * time.Second)
		members[s.Cursor.Field] = at.Format("2006-01-02T15:04:05.000Z")
		if s.Cursor.Also != "" {
			members[s.Cursor.Also] = members[s.Cursor.Field]
		}
	}
	for _, c := range streams.All() {
		if c.Parent != nil && c.Parent.Stream == s {
			for _, p := range c.Parent.Params {
				set(p.From)
			}
			if c.Parent.Link != "" {
				root, _, _ := strings.Cut(c.Parent.Link, ".")
				members[root] = nested(c.Parent.Link, strings.NewReplacer("{schemaId}", "osc"+strconv.Itoa(i)).Replace("https://other.example.com"+c.Path))
			}
		}
	}
	if s.Paginator == streams.SingleObject {
		members["id"] = "https://acme.okta.com" + list.Path
	}
	b, err := json.Marshal(members)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// nested is the value of the first name of a dotted path.
func nested(path, leaf string) any {
	names := strings.Split(path, ".")
	var v any = leaf
	for i := len(names) - 1; i > 0; i-- {
		v = map[string]any{names[i]: v}
	}
	return v
}

func answer(req *http.Request, status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Request: req, ContentLength: int64(len(body)),
		Header: http.Header{"Content-Type": {"application/json"}, "Date": {time.Now().UTC().Format(http.TimeFormat)}},
		Body:   io.NopCloser(strings.NewReader(body)),
	}
}

func failureOf(req *http.Request, status int, code string) *http.Response {
	return answer(req, status, `{"errorCode":"`+code+`","errorSummary":"as told","errorLink":"`+code+`","errorId":"oae1","errorCauses":[]}`)
}

// own says whether a request is for the stream's own list.
func (l *listing) own(req *http.Request) bool {
	return l.paths[0].path.MatchString(req.URL.Path)
}

// configuredCatalog selects streams with the schemas of the core set.
func configuredCatalog(mode string, list ...*streams.Stream) string {
	var entries []string
	for _, s := range list {
		entries = append(entries, fmt.Sprintf(`{"stream":{"name":%q,"json_schema":%s,"supported_sync_modes":["full_refresh"]},"sync_mode":%q,"destination_sync_mode":"append"}`,
			s.Name, s.Schema(streams.SetCore), mode))
	}
	return `{"streams":[` + strings.Join(entries, ",") + `]}`
}

func statuses(r result, stream string) (out []string) {
	for _, l := range r.of("TRACE") {
		s := l.Get("trace.stream_status")
		if s.Get("stream_descriptor.name").Str != stream {
			continue
		}
		text := s.Get("status").Str
		if s.Get("reasons").Exists() {
			text += " " + s.Get("reasons.0.type").Str
		}
		out = append(out, text)
	}
	return out
}

func recordsOf(r result, stream string) (out []gjson.Result) {
	for _, l := range r.of("RECORD") {
		if l.Get("record.stream").Str == stream {
			out = append(out, l.Get("record.data"))
		}
	}
	return out
}

// keyOf is a record's key as text.
func keyOf(s *streams.Stream, rec gjson.Result) string {
	var b strings.Builder
	for _, k := range s.Key {
		b.WriteString(rec.Get(gjson.Escape(k)).Str + "|")
	}
	return b.String()
}

func unix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }
