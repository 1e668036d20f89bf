package source

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"time"

	"source-okta/internal/okta"
	"source-okta/streams"
)

// readRoot reads a list of its own to its end, in the way that its stream names.
func (n *node) readRoot(ctx context.Context) {
	if n.s.Human && n.r.cfg.credentials.kind == authPrivateKey {
		n.notice("the credentials are a service app's, and there is no user behind them")
		return
	}
	if n.r.refused[n.s.Scope] {
		n.fail(&okta.Error{Class: okta.Forbidden, Code: "insufficient_scope", Scope: n.s.Scope, Path: n.s.Path}, true)
		return
	}
	if n.tracker != nil && n.tracker.frozen {
		n.r.log.Warn(fmt.Sprintf("the state's cursor, %s, lies more than a day ahead of Okta's clock: nothing is read until then", n.tracker.cursor), "stream", n.s.Name)
		if len(n.feeds) == 0 {
			return
		}
	}
	var err error
	switch {
	case n.s.Strategy == streams.SystemLog:
		err = n.readLog(ctx)
	case len(n.s.Slices) > 0:
		err = n.readSlices(ctx)
	case n.s.Cursor != nil:
		err = n.readByCursor(ctx)
	default:
		_, err = n.walk(ctx, n.list(), job{})
	}
	if err == nil && !n.isStopped() {
		err = n.probeEmpty(ctx)
	}
	if err != nil {
		n.rootError(err)
	}
}

func (n *node) rootError(err error) {
	if class(err) == okta.FeatureOff {
		n.mu.Lock()
		n.stopped = true
		n.mu.Unlock()
		n.notice("Okta says that this organization does not have the feature: " + err.Error())
		return
	}
	n.fail(err, true)
}

// readSlices reads one list per slice. A slice that Okta refuses is one that the org lacks, as long as another answers.
func (n *node) readSlices(ctx context.Context) error {
	var wg sync.WaitGroup
	errs := make([]error, len(n.s.Slices))
	for i, slice := range n.s.Slices {
		req := n.list()
		for k, vs := range slice {
			req.Query[k] = vs
		}
		wg.Add(1)
		n.r.spawn(func() {
			defer wg.Done()
			_, errs[i] = n.walk(ctx, req, job{})
		})
	}
	wg.Wait()
	var first error
	answered, absent := 0, ""
	for i, err := range errs {
		switch class(err) {
		case okta.FeatureOff, okta.BadRequest, okta.Forbidden, okta.Gone:
			if first == nil || class(err) == okta.Forbidden {
				first = err
			}
			absent += " " + n.s.Slices[i].Encode()
		default:
			if err != nil {
				return err
			}
			answered++
		}
	}
	if answered == 0 {
		return first
	}
	if absent != "" {
		n.notice("Okta does not offer these lists to this organization:" + absent)
	}
	return nil
}

// readByCursor reads a list that can be bounded by its cursor: whole where a child needs every parent, else from the
// cursor or start_date on.
func (n *node) readByCursor(ctx context.Context) error {
	c := n.s.Cursor
	var from, alsoFrom stamp
	if n.tracker != nil && len(n.feeds) == 0 {
		from, alsoFrom = n.tracker.from, n.tracker.alsoFrom
	}
	if !c.Ordered {
		req := n.list()
		if from > 0 {
			req.Query.Set("search", bound(c.Field, c.Operator, from-1))
		}
		_, err := n.walk(ctx, req, job{})
		return err
	}
	a := &ascent{
		n: n, lo: from,
		end: stampOf(n.r.client.Now()) - overlap,
		list: func(lo, hi stamp) okta.Request {
			req := n.list()
			req.Query.Set("sortBy", c.Field)
			req.Query.Set("sortOrder", "asc")
			search := bound(c.Field, c.Operator, lo)
			if c.Also != "" && from > 0 {
				search += " or " + bound(c.Also, c.Operator, alsoFrom)
			}
			if hi > 0 {
				search += " and " + bound(c.Field, "lt", hi)
			}
			req.Query.Set("search", search)
			return req
		},
		// Records that another watermark brings lie before the window: such a list cannot be cut.
		whole: c.Also != "" && from > 0,
		open:  true,
	}
	return a.read(ctx)
}

func bound(field, operator string, at stamp) string {
	return field + " " + operator + ` "` + at.String() + `"`
}

// probeEmpty tells an empty answer from an empty org. Okta answers 200 [] to a service app without an admin role, so
// where a list brought nothing, and either no org has it empty or a service app asked, one unbounded request decides.
func (n *node) probeEmpty(ctx context.Context) error {
	n.mu.Lock()
	rows := n.rows
	n.mu.Unlock()
	if rows > 0 || n.tracker != nil && n.tracker.base.cursor != 0 {
		return nil
	}
	if n.s.SilentlyEmpty {
		if empty, err := n.r.isEmpty(ctx, n.s); err != nil || !empty {
			return err
		}
		return silentlyEmpty(n.s)
	}
	if n.r.cfg.credentials.kind == authPrivateKey && n.r.roleless(ctx) {
		return silentlyEmpty(n.s)
	}
	return nil
}

func (r *reading) isEmpty(ctx context.Context, s *streams.Stream) (bool, error) {
	page, err := r.client.Get(ctx, okta.Request{Bucket: s.Bucket, Path: s.Path, Query: url.Values{"limit": {"1"}}, Items: s.Records})
	return err == nil && len(page.Items) == 0, err
}

// roleless says whether a service app is answered with an empty list where no org has one: it has no admin role. It asks
// once, and does not know where it may not ask.
func (r *reading) roleless(ctx context.Context) bool {
	r.probe.Do(func() {
		for _, s := range streams.All() {
			if s.SilentlyEmpty && !r.refused[s.Scope] {
				empty, err := r.isEmpty(ctx, s)
				r.noRole = err == nil && empty
			}
		}
	})
	return r.noRole
}

func silentlyEmpty(s *streams.Stream) error {
	return configError("Okta answers %s with an empty list, which no organization has: the app has no admin role. Give it one, such as Read-only Administrator (Applications, your app, Admin roles).", s.Name)
}

// ascent reads a list that is sorted by its cursor: one chain of pages, or several side by side, each over a window of
// time, while the rate limit has room for more than one chain. A window is cut where another takes over, at the cost of
// at most one page.
//
// A record that changes during the read leaves a window in which it was not read yet. A single chain meets it again at
// its open end. Windows end at `end`, and what lies after is read when they are done.
type ascent struct {
	n    *node
	list func(lo, hi stamp) okta.Request
	lo   stamp
	// end is where windows stop: 5 minutes before the read began, or where the polling of the System Log takes over.
	end stamp
	// open lists go on past end; others stop there.
	open bool
	// whole lists are never cut.
	whole bool
	// admit, if set, drops records.
	admit func(record string) bool
	// perPage guesses how much time a page spans, in milliseconds; 0 is no guess.
	perPage stamp

	mu      sync.Mutex
	windows []*window
	split   bool
	last    bool // the windows are done, and what lies after them is read
	duds    int
	pages   int
	wg      sync.WaitGroup
	err     error
}

// maxInHand bounds the pages that the chains of one list have in hand, in bytes: more would not be faster, since handing
// them on is the processor's work.
const maxInHand = 20 << 20

// maxWindow is how many records one search is paged through: Okta's searches have ended at 50,000.
const maxWindow = 40_000

// window is a span of time, [lo, hi), that one chain reads.
type window struct {
	lo, hi stamp // hi 0: open
	// claimed is the last cursor value of the page in hand, pos that of the last page delivered.
	claimed, pos stamp
	// perPage is how much time a page spans, in milliseconds.
	perPage stamp
	records int
	fresh   bool // has read a page since it was last split
	done    bool
	// rest, once the window has grown to maxWindow, is what the chain goes on with.
	rest *window
}

func (a *ascent) read(ctx context.Context) error {
	if t := a.n.tracker; t != nil {
		t.sorts(true)
		defer t.sorts(false)
	}
	w := &window{lo: a.lo, claimed: a.lo, perPage: a.perPage, fresh: a.perPage > 0}
	if !a.open {
		w.hi = a.end
	}
	a.windows = []*window{w}
	if a.perPage > 0 {
		a.widen(ctx, 0)
	}
	a.walk(ctx, w)
	a.wg.Wait()
	if a.err != nil || !a.split || !a.open {
		return a.err
	}
	last := &window{lo: a.end, claimed: a.end}
	a.windows = append(a.windows, last)
	a.last = true
	a.walk(ctx, last)
	return a.err
}

func (a *ascent) walk(ctx context.Context, w *window) {
	if err := a.chain(ctx, w); err != nil {
		a.mu.Lock()
		a.err = errors.Join(a.err, err)
		a.mu.Unlock()
	}
}

// chain reads a window, and what it leaves for a search of its own.
func (a *ascent) chain(ctx context.Context, w *window) error {
	for ; w != nil; w = w.rest {
		if err := a.search(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

func (a *ascent) search(ctx context.Context, w *window) error {
	req := a.list(w.lo, w.hi)
	for next := &req; next != nil; {
		if a.failed() || a.n.isStopped() {
			return nil
		}
		page, err := a.n.r.client.Get(ctx, *next)
		if err != nil {
			return err
		}
		items, cut := a.claim(w, page.Items)
		if err := a.n.deliver(ctx, items, nil); err != nil {
			return err
		}
		next = page.Next
		if cut {
			next = nil
		}
		a.delivered(w, next == nil)
		a.widen(ctx, page.Bytes)
	}
	return nil
}

func (a *ascent) failed() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err != nil
}

// claim takes the part of a page that lies in the window, so that nobody else cuts there. The page is sorted.
func (a *ascent) claim(w *window, page []string) (items []string, cut bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pages++
	w.fresh = true
	field := a.n.s.Cursor.Field
	items = page
	if w.hi != 0 && len(items) > 0 && fieldStamp(items[len(items)-1], field) >= w.hi {
		cut = true
		items = filter(items, func(record string) bool { return fieldStamp(record, field) < w.hi })
	}
	if !a.whole && len(items) > 0 && fieldStamp(items[0], field) < w.lo {
		items = filter(items, func(record string) bool { return fieldStamp(record, field) >= w.lo })
	}
	if a.admit != nil {
		items = filter(items, a.admit)
	}
	if kept, from := a.fill(w, items); !cut && from > 0 {
		w.rest = &window{lo: from, hi: w.hi, claimed: from, perPage: w.perPage}
		a.windows = slices.Insert(a.windows, slices.Index(a.windows, w)+1, w.rest)
		w.hi, items, cut = from, kept, true
	}
	w.records += len(items)
	if len(items) > 0 {
		first := fieldStamp(items[0], field)
		w.claimed = max(w.claimed, fieldStamp(items[len(items)-1], field))
		w.perPage = max(w.claimed-first, 1)
	}
	return items, cut
}

// fill ends a window that has grown to maxWindow before the last instant of the page, which the next window reads whole.
// A page that is one instant from end to end cannot be parted.
func (a *ascent) fill(w *window, items []string) (kept []string, from stamp) {
	if a.whole || !a.open || len(items) == 0 || w.records+len(items) < maxWindow {
		return items, 0
	}
	field := a.n.s.Cursor.Field
	last := fieldStamp(items[len(items)-1], field)
	kept = filter(items, func(record string) bool { return fieldStamp(record, field) < last })
	if len(kept) == 0 {
		return items, 0
	}
	return kept, last
}

// filter returns the records that keep admits; the page itself where it admits all.
func filter(page []string, keep func(string) bool) []string {
	for i, it := range page {
		if keep(it) {
			continue
		}
		kept := append([]string(nil), page[:i]...)
		for _, it := range page[i+1:] {
			if keep(it) {
				kept = append(kept, it)
			}
		}
		return kept
	}
	return page
}

// delivered moves the safe cursor: to where everything before has been read.
func (a *ascent) delivered(w *window, done bool) {
	a.mu.Lock()
	if w.records > 0 {
		w.pos = w.claimed
	}
	w.done = done
	if done && 2*w.records < a.n.s.PageSize && len(a.windows) > 1 {
		a.duds++
	}
	safe := stamp(0)
	for _, w := range a.windows {
		safe = max(safe, w.pos)
		if !w.done {
			break
		}
	}
	t := a.n.tracker
	a.mu.Unlock()
	if t != nil {
		t.advance(safe)
	}
}

// widen starts another chain while the bucket has room for more than those that run, and memory for their pages.
func (a *ascent) widen(ctx context.Context, pageBytes int) {
	for {
		a.mu.Lock()
		running := 0
		for _, w := range a.windows {
			if !w.done {
				running++
			}
		}
		a.mu.Unlock()
		if a.whole || a.last || running*pageBytes >= maxInHand || !a.n.r.client.Spare(a.n.s.Bucket, running) {
			return
		}
		w := a.cut()
		if w == nil {
			return
		}
		a.wg.Add(1)
		a.n.r.spawn(func() {
			defer a.wg.Done()
			a.walk(ctx, w)
		})
	}
}

// cut splits the window that has the most left to read and returns its later half; nil where none is worth it. What is
// left is guessed from how much time its last page spanned.
func (a *ascent) cut() *window {
	const least = stamp(2 * time.Second / time.Millisecond)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err != nil || a.duds > 3+a.pages/20 {
		return nil
	}
	var widest int
	var most stamp
	for i, w := range a.windows {
		hi := w.hi
		if hi == 0 {
			hi = a.end
		}
		if w.done || !w.fresh || w.perPage == 0 || hi-w.claimed < least {
			continue
		}
		if left := (hi - w.claimed) / w.perPage; left >= 2 && left > most {
			most, widest = left, i
		}
	}
	if most == 0 {
		return nil
	}
	w := a.windows[widest]
	hi := w.hi
	if hi == 0 {
		hi = a.end
	}
	middle := (w.claimed + (hi-w.claimed)/2) / 1000 * 1000
	if middle <= w.claimed {
		return nil
	}
	later := &window{lo: middle, hi: hi, claimed: middle, perPage: w.perPage}
	w.hi, w.fresh = middle, false
	a.split = true
	a.windows = slices.Insert(a.windows, widest+1, later)
	return later
}
