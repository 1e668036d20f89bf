package source

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidwall/gjson"

	"source-okta/internal/airbyte"
	"source-okta/internal/okta"
	"source-okta/streams"
)

const (
	// childWorkers is how many lists of one child stream are walked at a time. More would not be sent anyway: the client
	// has at most ten requests in flight.
	childWorkers = 10
	// childQueue bounds the parents that wait for a worker; a full queue holds the parent's walk.
	childQueue = 64
)

// node is one stream of a read, selected or only read for others. A parent's node is walked once and feeds its children.
type node struct {
	r        *reading
	s        *streams.Stream
	children []*node
	// union, on the parent of roles and members, asks for their lists in its own order.
	union *union
	// feeds are the nodes whose lists this one asks for; informs are those that lack something where this one failed.
	feeds, informs []*node
	// out is nil for a stream that is not selected.
	out     *airbyte.Out
	proj    projection
	splices map[string]bool
	tracker *tracker

	jobs      chan job
	producers atomic.Int32

	mu       sync.Mutex
	started  bool
	running  bool
	finished bool
	lastSent time.Time
	err      error
	stopped  bool
	notices  []string
	asked    int // lists that answered
	skipped  int // parents that were not asked
	gone     int // parents that were gone when asked
	rows     int64
	promised int64 // rows that parents' records announce
}

// job is one list of a child stream.
type job struct {
	params []param
	link   string
	// each sees every record of the list.
	each func(ctx context.Context, record string)
	// then runs once after the list.
	then func(ctx context.Context, rows int, err error)
}

func (r *reading) newNode(s *streams.Stream) *node {
	n := &node{r: r, s: s, jobs: make(chan job, childQueue)}
	if cs := r.wanted[s]; cs != nil {
		n.out = r.c.em.Stream(s.Name)
		n.proj = newProjection(s, r.cfg.set, cs)
		n.splices = map[string]bool{}
		schema := gjson.ParseBytes(s.Schema(r.cfg.set)).Get("properties")
		for _, p := range s.Params() {
			n.splices[p.Name] = schema.Get(gjson.Escape(p.Name)).Exists()
		}
		if s.Cursor != nil {
			n.tracker = newTracker(n, cs.SyncMode == airbyte.SyncModeIncremental)
		}
	}
	r.mu.Lock()
	r.nodes[s] = n
	r.mu.Unlock()
	return n
}

// begin tells that the stream's read has begun.
func (n *node) begin() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.started {
		return
	}
	n.started = true
	n.lastSent = time.Now()
	if n.out != nil {
		n.r.c.em.StreamStatus(n.s.Name, airbyte.Started, time.Time{})
	}
}

// run marks the stream as running, once, before its first record.
func (n *node) run() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.running && n.out != nil {
		n.r.c.em.StreamStatus(n.s.Name, airbyte.Running, time.Time{})
	}
	n.running = true
}

func (n *node) rateLimited(until time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.out != nil && n.started && !n.finished {
		n.r.c.em.StreamStatus(n.s.Name, airbyte.Running, until)
	}
}

// beat repeats the last safe state where none was sent for long.
func (n *node) beat() {
	n.mu.Lock()
	due := n.out != nil && n.started && !n.finished && time.Since(n.lastSent) >= heartbeat
	n.mu.Unlock()
	if due {
		n.sendState()
	}
}

func (n *node) sendState() {
	blob := noCursor
	if n.tracker != nil {
		n.tracker.mu.Lock()
		defer n.tracker.mu.Unlock()
		blob = n.tracker.state()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.out == nil || n.finished {
		return
	}
	n.r.c.em.State(n.out, blob)
	n.lastSent = time.Now()
}

// deliver hands one page on: its records to the output, and each to the children.
func (n *node) deliver(ctx context.Context, items []string, params []param) error {
	if len(items) > 0 {
		if err := n.emit(items, params); err != nil {
			return err
		}
	}
	n.mu.Lock()
	n.rows += int64(len(items))
	n.mu.Unlock()
	for _, item := range items {
		if err := ctx.Err(); err != nil {
			return err
		}
		for _, c := range n.children {
			c.request(ctx, item, params)
		}
		if n.union != nil {
			n.union.request(ctx, item, params)
		}
	}
	return nil
}

func (n *node) emit(items []string, params []param) error {
	if n.out == nil {
		return nil
	}
	if n.tracker != nil {
		return n.tracker.emit(items)
	}
	n.run()
	var kept []param
	for _, p := range params {
		if n.splices[p.name] {
			kept = append(kept, p)
		}
	}
	return n.write(n.proj.apply(items), kept)
}

// write puts records on stdout with the parents' ids in front.
func (n *node) write(records []string, params []param) (err error) {
	front := splice(params)
	n.out.Begin()
	defer func() { err = n.out.End() }()
	for _, rec := range records {
		n.out.Record(frontOf(rec, front, params), rec)
	}
	return nil
}

// frontOf is what goes in front of a record: never an id that Okta sent itself.
func frontOf(record, front string, params []param) string {
	for _, p := range params {
		if strings.Contains(record, `"`+p.name+`"`) {
			return splice(spliceable(params, record))
		}
	}
	return front
}

// request asks for the child list of one parent's record, unless the record says that there is nothing.
func (n *node) request(ctx context.Context, parent string, inherited []param) {
	j, ok := n.jobFor(parent, inherited)
	if ok {
		n.enqueue(ctx, j)
	}
}

func (n *node) jobFor(parent string, inherited []param) (job, bool) {
	p := n.s.Parent
	if skips(p.Skip, parent) {
		n.mu.Lock()
		n.skipped++
		n.mu.Unlock()
		return job{}, false
	}
	if p.Count != "" {
		n.mu.Lock()
		n.promised += gjson.Get(parent, p.Count).Int()
		n.mu.Unlock()
	}
	j := job{params: make([]param, len(inherited), len(inherited)+len(p.Params))}
	copy(j.params, inherited)
	for _, v := range p.Params {
		// The value outlives the page that it was cut from.
		j.params = append(j.params, param{v.Name, strings.Clone(gjson.Get(parent, v.From).String())})
	}
	if p.Link != "" {
		j.link = strings.Clone(gjson.Get(parent, p.Link).Str)
	}
	return j, true
}

func (n *node) enqueue(ctx context.Context, j job) {
	select {
	case n.jobs <- j:
	case <-ctx.Done():
	}
}

// work walks child lists until there are no more.
func (n *node) work(ctx context.Context) {
	for j := range n.jobs {
		rows, err := 0, error(nil)
		if ctx.Err() == nil && !n.isStopped() {
			n.begin()
			rows, err = n.walk(ctx, n.listOf(j), j)
			n.childResult(err)
		}
		if j.then != nil {
			j.then(ctx, rows, err)
		}
	}
}

// listOf is the request for a child list.
func (n *node) listOf(j job) okta.Request {
	values := make(map[string]string, len(j.params))
	for _, p := range j.params {
		values[p.name] = p.value
	}
	req := n.list()
	req.Path = n.s.Expand(values)
	if j.link != "" {
		req.Path = linkPath(j.link, n.s.Path)
	}
	return req
}

// list is the stream's list without bounds, with what its children need to see in its records.
func (n *node) list() okta.Request {
	q := url.Values{}
	add := func(more url.Values) {
		for k, vs := range more {
			for _, v := range vs {
				if !slices.Contains(q[k], v) {
					q.Add(k, v)
				}
			}
		}
	}
	add(n.s.Query)
	for _, c := range n.feeds {
		if c.s.Parent.Stream == n.s {
			add(c.s.Parent.Expand)
		}
	}
	return okta.Request{
		Bucket: n.s.Bucket, Path: n.s.Path, Query: q, PageSize: n.s.PageSize, Items: n.s.Records,
		Single: n.s.Paginator == streams.SingleObject,
	}
}

// linkPath is the path of an address that Okta wrote into a record: never its host. An address outside the stream's own
// path is not followed.
func linkPath(link, template string) string {
	prefix, _, _ := strings.Cut(template, "{")
	u, err := url.Parse(link)
	if err != nil || !strings.HasPrefix(u.Path, prefix) {
		return ""
	}
	return u.EscapedPath()
}

// walk reads one list to its end, page by page.
func (n *node) walk(ctx context.Context, req okta.Request, j job) (rows int, err error) {
	if req.Path == "" {
		return 0, &failure{kind: airbyte.SystemError, message: "Okta's record does not say where " + n.s.Name + " is.", internal: "link " + printable(j.link)}
	}
	for next := &req; next != nil && !n.isStopped(); {
		page, err := n.r.client.Get(ctx, *next)
		if err != nil {
			return rows, err
		}
		rows += len(page.Items)
		if err := n.deliver(ctx, page.Items, j.params); err != nil {
			return rows, err
		}
		if j.each != nil {
			for _, item := range page.Items {
				j.each(ctx, item)
			}
		}
		next = page.Next
	}
	return rows, nil
}

// childResult decides what one list's end means for the stream: a parent that is gone is passed over, a fault of one
// parent fails the stream but not the other parents' lists, and what concerns all of them stops it.
func (n *node) childResult(err error) {
	if err == nil {
		n.mu.Lock()
		n.asked++
		n.mu.Unlock()
		return
	}
	switch class(err) {
	case okta.Gone:
		n.mu.Lock()
		n.gone++
		n.mu.Unlock()
	case okta.FeatureOff:
		n.mu.Lock()
		first := n.asked == 0
		n.stopped = n.stopped || first
		n.mu.Unlock()
		n.notice("Okta says that the feature is absent: " + err.Error())
	case okta.Forbidden, okta.BadRequest:
		n.mu.Lock()
		first := n.asked == 0
		n.mu.Unlock()
		n.fail(err, first)
	default:
		n.fail(err, true)
	}
}

// fail records the stream's first failure. With stop, it asks Okta nothing more.
func (n *node) fail(err error, stop bool) {
	if class(err) == okta.Unauthorized || isAuthError(err) {
		n.r.abort(err)
	}
	if class(err) == okta.Forbidden && n.r.cfg.skipOnForbidden {
		n.notice("not permitted, and on_forbidden is skip: " + explain(err, n.s).message)
		err = nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.err == nil {
		n.err = err
	}
	n.stopped = n.stopped || stop
}

func (n *node) isStopped() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.stopped
}

// notice is something that the user should know of a stream that completes all the same. It is logged once, at the end.
func (n *node) notice(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.notices) < 10 {
		n.notices = append(n.notices, text)
	}
}

// release ends one producer of a child's lists; after the last, the workers drain the queue and end.
func (n *node) release() {
	if n.producers.Add(-1) == 0 {
		close(n.jobs)
	}
}

// finish ends the stream: its last state, its status, and what it has to say.
func (n *node) finish(ctx context.Context) {
	n.begin()
	for _, c := range n.informs {
		c.inherit(n)
	}
	for _, c := range n.feeds {
		c.estimate()
	}
	if n.out != nil && ctx.Err() == nil {
		n.run()
		if n.tracker != nil && n.failure() == nil {
			n.tracker.complete()
		}
		n.sendState()
		status := airbyte.Complete
		err := n.failure()
		if err != nil {
			status = airbyte.Incomplete
			n.r.failed(n.s.Name, err)
		}
		n.mu.Lock()
		n.finished = true
		n.mu.Unlock()
		n.logEnd()
		n.r.c.em.StreamStatus(n.s.Name, status, time.Time{})
	}
	for _, c := range n.feeds {
		c.release()
	}
}

func (n *node) failure() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.err
}

// inherit takes over what its parent could not read: the child lacks those parents' lists.
func (n *node) inherit(parent *node) {
	parent.mu.Lock()
	err, stopped, notices, asked := parent.err, parent.stopped, parent.notices, parent.asked
	parent.mu.Unlock()
	switch {
	case err != nil:
		n.fail(fmt.Errorf("%s is read for each of %s, which could not be read: %w", n.s.Name, parent.s.Name, err), false)
	case stopped && asked == 0 && len(notices) > 0:
		n.notice("nothing to read, since there is nothing in " + parent.s.Name + ": " + notices[0])
	}
}

// estimate tells how many records the parents' records announce, once all parents are read.
func (n *node) estimate() {
	n.mu.Lock()
	rows := n.promised
	n.promised = 0
	n.mu.Unlock()
	if n.out == nil || rows == 0 {
		return
	}
	bytes := int64(0)
	if count := n.out.Count(); count > 0 {
		bytes = n.out.Bytes() / count * rows
	}
	n.begin()
	n.r.c.em.Estimate(n.s.Name, rows, bytes)
}

func (n *node) logEnd() {
	n.mu.Lock()
	defer n.mu.Unlock()
	log := n.r.log.With("stream", n.s.Name)
	for _, text := range n.notices {
		log.Warn(text)
	}
	if p := n.s.Parent; p != nil && n.skipped > 0 {
		log.Info(fmt.Sprintf("%d of %s were not asked: %s", n.skipped, p.Stream.Name, p.Skip.Reason))
	}
	if n.gone > 0 {
		log.Info(fmt.Sprintf("%d of %s were gone when asked", n.gone, n.s.Parent.Stream.Name))
	}
	log.Info("read", "records", n.out.Count())
}

// launch starts the workers of a child. It ends when those who ask for its lists have, and its queue is empty.
func (n *node) launch(ctx context.Context) {
	var workers sync.WaitGroup
	workers.Add(childWorkers)
	for range childWorkers {
		n.r.spawn(func() {
			defer workers.Done()
			n.work(ctx)
		})
	}
	if n.r.refused[n.s.Scope] {
		n.fail(&okta.Error{Class: okta.Forbidden, Code: "insufficient_scope", Scope: n.s.Scope, Path: n.s.Path}, true)
	}
	n.r.spawn(func() {
		workers.Wait()
		n.finish(ctx)
	})
}

func isAuthError(err error) bool {
	var auth *okta.AuthError
	return errors.As(err, &auth)
}

// skips says whether a parent's record shows that there is nothing to list.
func skips(s *streams.Skip, parent string) bool {
	if s == nil {
		return false
	}
	for _, path := range s.Paths {
		if v := gjson.Get(parent, path); v.Exists() {
			return v.Raw == s.Value
		}
	}
	return false
}
