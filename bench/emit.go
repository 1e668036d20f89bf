package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"source-okta/internal/airbyte"
	"source-okta/internal/okta"
	"source-okta/internal/oktasim"
)

// emitResult is the way of a page from the HTTP body to the writer.
type emitResult struct {
	Recorded bool // bodies that Okta once sent; else those of the simulated org
	Rounds   int
	Paths    []emitPath
}

// emitPath is one kind of page, written to one kind of writer.
type emitPath struct {
	Page, Writer    string
	Records         int
	Bytes           int // of the body
	Bound, Emit     pace
	AllocsPerRecord float64
}

// ratio is how much longer a page takes than it must.
func (p emitPath) ratio() float64 { return float64(p.Emit.Page) / float64(p.Bound.Page) }

// pace is how long a page takes, and what it allocates.
type pace struct {
	Page   time.Duration
	Allocs int64
}

func (p pace) megabytesPerSecond(bytes int) float64 { return float64(bytes) / 1e6 / p.Page.Seconds() }

// emitPath measures what happens to a page in the connector: okta.Client.Get, with governor, retries and paging, reads,
// validates and slices the body, and airbyte.Out writes its records.
//
// The bound is the least that anything could do that lets no page out before it has been seen to be valid: read the body,
// validate it, copy it to the writer. Both get their bodies from the same transport, which has them in memory, and measure in
// turns, many times and briefly: the fastest round of each is the one that other programs on the machine disturbed least.
func (b *bench) emitPath(ctx context.Context) (*emitResult, error) {
	r := &emitResult{Rounds: 20}
	if b.quick {
		r.Rounds = 3
	}
	if err := flag.Set("test.benchtime", "100ms"); err != nil {
		return nil, err
	}
	bodies, recorded, err := pageBodies(filepath.Join(b.root, "..", "shared", "recordings"))
	if err != nil {
		return nil, err
	}
	r.Recorded = recorded
	for _, page := range bodies {
		for _, writer := range []string{"discard", "pipe"} {
			var path emitPath
			measure := func() { path, err = page.measure(ctx, writer, r.Rounds) }
			if b.profile != "" {
				if err := os.MkdirAll(b.profile, 0o755); err != nil {
					return nil, err
				}
				file := filepath.Join(b.profile, "emit-"+strings.ReplaceAll(page.name, " ", "-")+"-"+writer+".pprof")
				err = errors.Join(withProfiles(file, measure), err)
			} else {
				measure()
			}
			if err != nil {
				return nil, fmt.Errorf("%s to %s: %w", page.name, writer, err)
			}
			b.say("%s to %s: %.2f of the bound", page.name, writer, path.ratio())
			r.Paths = append(r.Paths, path)
		}
	}
	return r, nil
}

// pageBody is a list's answer.
type pageBody struct {
	name    string
	body    string
	records int
}

func (p pageBody) measure(ctx context.Context, writer string, rounds int) (emitPath, error) {
	path := emitPath{Page: p.name, Writer: writer, Records: p.records, Bytes: len(p.body)}
	w, done, err := open(writer)
	if err != nil {
		return path, err
	}
	defer done()
	emit, err := newEmitLoop(ctx, p.body, w)
	if err != nil {
		return path, err
	}
	bound := newBoundLoop(p.body, w)
	var bounds, emits []pace
	for range rounds {
		bp, err := timePage(bound.page)
		if err != nil {
			return path, err
		}
		ep, err := timePage(emit.page)
		if err != nil {
			return path, err
		}
		bounds, emits = append(bounds, bp), append(emits, ep)
	}
	path.Bound, path.Emit = best(bounds), best(emits)

	single, err := newEmitLoop(ctx, "["+gjson.Get(p.body, "0").Raw+"]", w)
	if err != nil {
		return path, err
	}
	sp, err := timePage(single.page)
	if err != nil {
		return path, err
	}
	path.AllocsPerRecord = float64(path.Emit.Allocs-sp.Allocs) / float64(max(1, p.records-1))
	return path, nil
}

// best is the fastest round.
func best(rounds []pace) pace {
	return slices.MinFunc(rounds, func(a, b pace) int { return int(a.Page - b.Page) })
}

// timePage is how long one call of f takes.
func timePage(f func() error) (pace, error) {
	var failure error
	r := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if err := f(); err != nil {
				failure = err
				b.FailNow()
			}
		}
	})
	if failure != nil {
		return pace{}, failure
	}
	return pace{Page: time.Duration(r.NsPerOp()), Allocs: r.AllocsPerOp()}, nil
}

// open opens io.Discard, or a pipe that is read at once.
func open(writer string) (w io.Writer, done func(), err error) {
	if writer == "discard" {
		return io.Discard, func() {}, nil
	}
	out, in, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		buf := make([]byte, 64<<10)
		for {
			if _, err := out.Read(buf); err != nil {
				return
			}
		}
	}()
	return in, func() {
		in.Close()
		<-read
		out.Close()
	}, nil
}

// canned answers every request with the same page.
type canned struct {
	body   string
	header http.Header
}

func newCanned(body string) *canned {
	now := time.Now()
	return &canned{body, http.Header{
		"Content-Type":           {"application/json"},
		"Date":                   {now.UTC().Format(http.TimeFormat)},
		"X-Okta-Request-Id":      {"aBcDeFgHiJkLmNoPqRsTuVwXyZ0"},
		"X-Rate-Limit-Limit":     {"1000000000"},
		"X-Rate-Limit-Remaining": {"999999999"},
		"X-Rate-Limit-Reset":     {strconv.FormatInt(now.Add(30*time.Minute).Unix(), 10)},
		"Link": {
			`<https://acme.okta.com/api/v1/users?limit=200>; rel="self"`,
			`<https://acme.okta.com/api/v1/users?after=00u1abcdefghijklmnop&limit=200>; rel="next"`,
		},
	}}
}

func (c *canned) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/2.0", ProtoMajor: 2,
		Header: c.header, Body: io.NopCloser(strings.NewReader(c.body)), ContentLength: int64(len(c.body)), Request: r,
	}, nil
}

// emitLoop is the connector's way.
type emitLoop struct {
	ctx    context.Context
	client *okta.Client
	out    *airbyte.Out
}

func newEmitLoop(ctx context.Context, body string, w io.Writer) (*emitLoop, error) {
	origin, err := url.Parse("https://acme.okta.com")
	if err != nil {
		return nil, err
	}
	return &emitLoop{
		ctx:    ctx,
		client: okta.New(okta.Options{Origin: origin, Transport: newCanned(body), Auth: okta.NewSSWS(oktasim.DefaultToken), UserAgent: "bench"}),
		out:    airbyte.NewEmitter(w, nil, nil).Stream("users"),
	}, nil
}

func (l *emitLoop) page() error {
	page, err := l.client.Get(l.ctx, okta.Request{Bucket: "/api/v1/users", Path: "/api/v1/users", PageSize: 200})
	if err != nil {
		return err
	}
	l.out.Begin()
	for _, record := range page.Items {
		l.out.Record("", record)
	}
	return l.out.End()
}

// boundLoop is the least that has to be done.
type boundLoop struct {
	transport *canned
	request   *http.Request
	w         io.Writer
	buf       []byte
}

func newBoundLoop(body string, w io.Writer) *boundLoop {
	return &boundLoop{transport: newCanned(body), request: &http.Request{}, w: w, buf: make([]byte, 64<<10)}
}

func (l *boundLoop) page() error {
	resp, err := l.transport.RoundTrip(l.request)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body := make([]byte, resp.ContentLength)
	if _, err := io.ReadFull(resp.Body, body); err != nil {
		return err
	}
	if !gjson.ValidBytes(body) {
		return errors.New("not JSON")
	}
	for len(body) > 0 {
		n := copy(l.buf, body)
		if _, err := l.w.Write(l.buf[:n]); err != nil {
			return err
		}
		body = body[n:]
	}
	return nil
}

// pageBodies are pages as large as the connector asks for: of recorded records, over and over, where there are any, else of
// the simulated org.
func pageBodies(recordings string) (all []pageBody, recorded bool, err error) {
	users, err := recordedRecords(filepath.Join(recordings, "api_v1_users.jsonl"))
	if err == nil {
		var groups, events []string
		groups, err = recordedRecords(filepath.Join(recordings, "api_v1_groups.jsonl"))
		if err == nil {
			events, err = recordedRecords(filepath.Join(recordings, "system_log_events.jsonl"))
		}
		all = []pageBody{fill("users", users, 200), fill("groups", groups, 200), fill("log events", events, 1000)}
		return all, true, err
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, false, err
	}
	org := oktasim.New(oktasim.Config{Seed: 1, Users: 200, Groups: 200, Events: 1000})
	for _, list := range []struct {
		name, stream string
		size         int
	}{{"users", "users", 200}, {"groups", "groups", 200}, {"log events", "logs", 1000}} {
		var records []string
		for r := range org.Records(list.stream, "") {
			records = append(records, string(r.JSON))
		}
		all = append(all, fill(list.name, records, list.size))
	}
	return all, false, nil
}

// recordedRecords are the records of a file of recorded answers or events, one a line.
func recordedRecords(file string) ([]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var records []string
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		answer := gjson.ParseBytes(lines.Bytes())
		list := answer.Get("body").Array()
		if event := answer.Get("event"); event.Exists() {
			list = []gjson.Result{event}
		} else if answer.Get("status").Int() != http.StatusOK || !answer.Get("body").IsArray() {
			continue
		}
		for _, record := range list {
			var compact bytes.Buffer
			if err := json.Compact(&compact, []byte(record.Raw)); err != nil {
				return nil, fmt.Errorf("%s: %w", filepath.Base(file), err)
			}
			records = append(records, compact.String())
		}
	}
	if len(records) == 0 && lines.Err() == nil {
		return nil, fmt.Errorf("%s holds no records", filepath.Base(file))
	}
	return records, lines.Err()
}

// fill repeats records until a page is full.
func fill(name string, records []string, size int) pageBody {
	page := make([]string, size)
	for i := range page {
		page[i] = records[i%len(records)]
	}
	return pageBody{name: name, body: "[" + strings.Join(page, ",") + "]", records: size}
}
