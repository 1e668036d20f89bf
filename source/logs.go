package source

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"source-okta/internal/okta"
)

// oldestLog is how far back logs are asked for: Okta refuses more than 180 days (and keeps 90).
const oldestLog = stamp(179 * 24 * time.Hour / time.Millisecond)

// readLog reads the System Log: from the polling link of the state where there is one; from the state's cursor by polling
// where there is none, as after a read by airbyte/source-okta; and else everything.
//
// Polling lists events in the order in which Okta stored them, and so lists late ones too. A backfill is bounded, may be
// split, and may lack late events: polling is opened before it and followed after it.
func (n *node) readLog(ctx context.Context) error {
	t := n.tracker
	if t == nil {
		return nil
	}
	oldest := t.began - oldestLog
	if t.next != "" {
		err := n.resumeLog(ctx)
		if class(err) != okta.BadRequest {
			return err
		}
		n.r.log.Info("Okta no longer takes the polling link of the state; polling again from its cursor", "stream", n.s.Name)
		t.backfilling(0)
	}
	if t.cursor != 0 {
		return n.poll(ctx, n.polling(max(t.cursor-overlap, t.from, oldest)), nil)
	}
	start := max(t.from, oldest)
	if t.from > 0 && start > t.from {
		n.r.log.Info("Okta keeps no older log events: start_date counts from "+start.String(), "stream", n.s.Name)
	}
	t.mu.Lock()
	t.from = start
	t.mu.Unlock()
	seam := max(start, t.began-overlap)
	t.backfilling(seam)
	late := lateEvents{uuids: map[string]bool{}}
	recent := stamp(0)
	if err := n.poll(ctx, n.polling(seam), func(event string) {
		recent++
		if at := t.at(event); at < seam {
			late.add(at, event)
		}
	}); err != nil {
		return err
	}
	perPage := stamp(0)
	if recent > 0 {
		// The density of the last minutes is the first guess at that of all.
		perPage = max(1, overlap*stamp(n.s.PageSize)/recent)
	}
	if err := n.backfill(ctx, start, seam, perPage, late); err != nil {
		return err
	}
	if !t.seenAny() {
		// The polling link needs a cursor to go with.
		t.advance(seam)
	}
	return nil
}

// lateEvents are events that polling has brought and a backfill may bring again.
type lateEvents struct {
	oldest stamp
	uuids  map[string]bool
}

func (l *lateEvents) add(at stamp, event string) {
	if len(l.uuids) == 0 || at < l.oldest {
		l.oldest = at
	}
	l.uuids[strings.Clone(gjson.Get(event, "uuid").Str)] = true
}

func (l *lateEvents) has(at stamp, event string) bool {
	return len(l.uuids) > 0 && at >= l.oldest && l.uuids[gjson.Get(event, "uuid").Str]
}

// resumeLog goes on where the state's read ended: with its backfill, if that was cut off, and then with the polling link.
func (n *node) resumeLog(ctx context.Context) error {
	t := n.tracker
	if t.until != 0 {
		return n.backfill(ctx, max(t.cursor-overlap, t.began-oldestLog), t.until, 0, lateEvents{})
	}
	return n.poll(ctx, n.follow(t.next), nil)
}

// backfill reads the events published in [from, to), whose polling link the tracker holds, and then follows that link.
func (n *node) backfill(ctx context.Context, from, to, perPage stamp, late lateEvents) error {
	t := n.tracker
	t.backfilling(to)
	a := &ascent{
		n: n, lo: from, end: to, perPage: perPage,
		list: func(lo, hi stamp) okta.Request {
			req := n.list()
			req.Verbatim = true
			// Whether Okta's bounds are inclusive is not documented: one millisecond more, and the window's own bounds decide.
			req.Query.Set("since", (lo - 1).String())
			req.Query.Set("until", (hi + 1).String())
			req.Query.Set("sortOrder", "ASCENDING")
			return req
		},
	}
	if len(late.uuids) > 0 {
		a.admit = func(event string) bool { return !late.has(t.at(event), event) }
	}
	if from < to {
		if err := a.read(ctx); err != nil {
			return err
		}
	}
	t.backfilling(0)
	return n.poll(ctx, n.follow(t.next), nil)
}

// polling is a request without end: by the time at which Okta stored events.
func (n *node) polling(since stamp) okta.Request {
	req := n.list()
	req.Verbatim = true
	req.Query.Set("since", since.String())
	req.Query.Set("sortOrder", "ASCENDING")
	return req
}

// follow is the request of a polling link: path and query as Okta wrote them.
func (n *node) follow(link string) okta.Request {
	return okta.Request{Bucket: n.s.Bucket, Path: link, Query: url.Values{}, Verbatim: true, Prefix: n.s.Path}
}

// poll follows a polling chain until it has caught up: a polling chain always has a next link. each sees every event.
func (n *node) poll(ctx context.Context, req okta.Request, each func(event string)) error {
	t := n.tracker
	for {
		page, err := n.r.client.Get(ctx, req)
		if err != nil {
			return err
		}
		if each != nil {
			for _, event := range page.Items {
				each(event)
			}
		}
		if err := n.deliver(ctx, page.Items, nil); err != nil {
			return err
		}
		caughtUp := page.Next == nil || len(page.Items) < page.Limit
		if k := len(page.Items); k > 0 && t.at(page.Items[k-1]) >= t.began {
			caughtUp = true
		}
		if page.Next != nil {
			t.polled(page.Next.Path)
			req = *page.Next
		}
		if caughtUp || n.isStopped() {
			return nil
		}
	}
}
