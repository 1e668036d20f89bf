package okta

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	maxInFlight    = 10               // in the whole process; Okta's own concurrency limits start at 35 for all clients together
	attemptTimeout = 60 * time.Second // one attempt with its body; Okta itself gives a log query up after 30 s
	maxWait        = 15 * time.Minute // for a window, then the request fails
	assumedWindow  = time.Minute      // of a limit that comes without a reset: Okta's windows are about this long
	sanestReset    = time.Hour        // a reset further ahead is a mistake
	maxLimit       = 1_000_000_000    // a limit above is a mistake
	capRegrowth    = 5 * time.Second  // one more request may be in flight after so long without a concurrency 429
	scoutLead      = 3 * time.Second  // how long before its window surely ends a scout is sent
	scoutPatience  = time.Second      // how long the last request of a budget is held to see whether it is the only one
	scoutMinLimit  = 20               // no scouts in windows so small that one request counts
	otherShare     = 95               // percent of a limit that we and the other clients together may take
	floorShare     = 10               // percent that is ours even where others take all they can …
	floorRemaining = 5                // … as long as more than this percent remains
)

// governor is the RoundTripper that decides when a request may go. It keeps one budget per rate-limit bucket, learned from
// the X-Rate-Limit headers of every answer, and bounds what is in flight in the whole process. A request waits in its
// bucket's line, first come first served; buckets take turns for the room that is left. An attempt's deadline starts when
// its permit is given, and the permit is returned when the body is read or closed.
//
// https://developer.okta.com/docs/reference/rl-best-practices/
type governor struct {
	next   http.RoundTripper
	share  int // percent
	clock  *serverClock
	onWait func(bucket string, until time.Time)
	log    *slog.Logger

	mu       sync.Mutex
	buckets  map[string]*bucket
	ring     []*bucket // buckets in the order of their first request
	turn     int       // index in ring of the bucket whose turn it is
	arrivals uint64
	inFlight int
	room     int       // how many may be in flight; concurrency 429s shrink it
	roomGen  uint64    // counts the shrinkings
	roomAt   time.Time // when room last changed
	unlocked []func()  // what to tell the world once mu is free
}

func newGovernor(next http.RoundTripper, share int, clock *serverClock, onWait func(string, time.Time), log *slog.Logger) *governor {
	return &governor{next: next, share: share, clock: clock, onWait: onWait, log: log, buckets: map[string]*bucket{}, room: maxInFlight}
}

// bucket is what is known of one of Okta's rate limits.
type bucket struct {
	name    string
	line    []*waiter
	pending int  // sent, and no headers yet
	strays  int  // of those, sent before the window began: their answers say whether they belong to it
	known   bool // headers came once; until then one request at a time
	limit   int  // the newest X-Rate-Limit-Limit; 0: none seen
	ceiling int  // what the token really owns where that is less; 0: nothing learned
	window  window
	last    window // the one before
	serial  uint64 // of window
	pause   time.Time
	granted time.Time     // when a permit was last given
	told    uint64        // serial + 1 of the window in which onWait heard of a wait
	toldEnd time.Time     // the end of that wait, as it was then
	latency time.Duration // moving average from permit to the body's end
	wake    *time.Timer
	wakeAt  time.Time

	stats            BucketStats
	spent, spendable int // in the whole windows so far
}

// window is one period of a rate limit, as far as answers have told of it. Windows are not aligned to any clock.
type window struct {
	start   time.Time
	reset   int64     // X-Rate-Limit-Reset, seconds since 1970; 0: no answer has named the window yet
	end     time.Time // local time by which it is surely over; zero: unknown
	whole   bool      // seen from its start
	limit   int
	before  int       // requests of others before our first, if the window is not whole
	low     int       // the lowest X-Rate-Limit-Remaining of an answer that was not refused; -1: none yet
	spent   int       // our requests that were answered in it
	seen    time.Time // when low was last heard
	refused bool      // a 429 came: nothing goes out before end
	early   bool      // that 429 came before the budget was spent, and others had left enough
}

// taken is what other clients have taken, in whole windows from the start, else since our first request; unanswered
// requests of ours may be in it or not.
func (w *window) taken(unanswered int) int {
	if w.low < 0 {
		return 0
	}
	return max(0, w.limit-w.low-w.spent-unanswered-w.before)
}

// others is what a window that is over says that other clients want of the next.
func (w *window) others(unanswered int) int {
	taken := w.taken(unanswered)
	switch {
	case !w.refused || w.early:
		return taken
	case w.low < 0 && w.whole:
		return w.limit
	case w.low < 0:
		return 0
	}
	// They wanted more than we left them: as much as they would have taken had they gone on as they began, or as is ours
	// with a quarter to a half less.
	ours := min(max(w.limit-w.before-w.goingOn(taken, w.end), w.spent/2), w.spent*3/4)
	return max(0, w.limit-w.before-ours)
}

// goingOn is what others will have taken at a time after the last answer if they go on as they did until then.
func (w *window) goingOn(taken int, at time.Time) int {
	span := w.seen.Sub(w.start)
	if span <= 0 || !at.After(w.seen) {
		return taken
	}
	return taken + int(float64(taken)*float64(at.Sub(w.seen))/float64(span))
}

// budget is how many requests may be ours in this window:
//
//	max(1, floor(limit · min(share, 0.95 − o)))
//
// where o is what others took of the last window, or of this one if that is already more. While more than 5 % of the limit
// remains it is at least a tenth of it (less if the share is less), so that two clients that give way to each other both
// go on.
func (b *bucket) budget(share int) int {
	if b.limit == 0 {
		return math.MaxInt
	}
	others := max(b.last.others(b.strays), b.window.taken(b.pending)+b.window.before)
	n := min(share*b.limit, otherShare*b.limit-100*others) / 100
	if 100*b.window.low > floorRemaining*b.limit {
		n = max(n, min(share, floorShare)*b.limit/100)
	}
	if b.ceiling > 0 {
		n = min(n, b.ceiling)
	}
	return max(1, n)
}

// roll starts a fresh window, with the limit of the old one, when that is over.
func (b *bucket) roll(now time.Time, share int) {
	if !b.window.end.IsZero() && !now.Before(b.window.end) {
		b.turnOver(now, share)
	}
}

func (b *bucket) turnOver(now time.Time, share int) {
	w := b.window
	if w.whole && w.spent > 0 {
		b.spent += w.spent
		b.spendable += max(b.budget(share), w.spent)
	}
	if w.spent > 0 || w.refused {
		b.last = w
	}
	b.window = window{start: now, whole: w.reset != 0 || w.whole, low: -1, limit: b.limit}
	b.strays = b.pending
	b.serial++
}

type verdict int

const (
	goes  verdict = iota
	held          // the last permit of the window is kept for a scout
	full          // until the window is over
	blind         // until an answer comes
)

// check says whether the bucket's next request may go, and if not, until when at the latest.
func (b *bucket) check(now time.Time, share int) (verdict, time.Time) {
	if !b.known {
		if now.Before(b.pause) {
			return full, b.pause
		}
		if b.pending > 0 {
			return blind, time.Time{}
		}
		return goes, time.Time{}
	}
	b.roll(now, share)
	w := &b.window
	if now.Before(b.pause) {
		return full, b.pause
	}
	if w.refused {
		return full, w.end
	}
	left := b.budget(share) - w.spent - b.pending
	exhausted := w.low >= 0 && w.low-b.pending <= 0
	switch {
	case w.low < 0 && b.pending+w.spent >= b.welcome():
		return blind, w.end
	case w.end.IsZero():
		if left <= 0 {
			return blind, time.Time{}
		}
	case left <= 0:
		return full, w.end
	case exhausted && b.pending > 0:
		return blind, w.end
	case exhausted:
		return full, w.end
	case left == 1 && w.reset != 0 && b.limit >= scoutMinLimit && !b.line[0].call.req.NoWait:
		if at := b.scout(); now.Before(at) {
			return held, at
		}
	}
	return goes, time.Time{}
}

// scout is when the last request of a window's budget should go. A burst at a window's start sees little of what other
// clients take of it; the last one, if held back until shortly before the end, sees it all. Nobody loses by that as long as
// others want to go too, who cannot before the next window anyway. One that seems to be alone is held only for as long as it
// takes to be sure, or where there are other clients to look out for.
func (b *bucket) scout() time.Time {
	at := b.window.end.Add(-scoutLead - b.latency)
	wanted := len(b.line) > 1 || b.pending > 0 || b.last.others(b.strays) > 0 || b.window.taken(b.pending) > 0
	if sure := b.line[0].since.Add(scoutPatience); !wanted && sure.Before(at) {
		return sure
	}
	return at
}

// welcome is how many may go in a window of which nothing is known but the one before: as many as would have had room in
// that, whoever took the rest.
func (b *bucket) welcome() int {
	if b.last.low < 0 {
		return math.MaxInt
	}
	return max(1, b.limit-max(b.last.taken(b.strays)+b.last.before, b.last.others(b.strays)))
}

// quota is what an answer's headers say, with what is missing or absurd as -1.
type quota struct {
	limit, remaining int
	reset            int64         // 0: none
	wait             time.Duration // until reset is surely past; not positive if that is so already, or if there is none
}

// readQuota computes the wait as Reset − Date + 1 in the server's clock, so that ours may be off. Both headers have whole
// seconds; the one second more covers what they cut off. orgNow is the Date header, or the next best.
func readQuota(h http.Header, orgNow time.Time) quota {
	q := quota{limit: int(headerNumber(h, "X-Rate-Limit-Limit")), remaining: int(headerNumber(h, "X-Rate-Limit-Remaining"))}
	if reset := headerNumber(h, "X-Rate-Limit-Reset"); reset > 0 {
		ahead := reset - orgNow.Unix()
		if sane := int64(sanestReset / time.Second); ahead >= -sane && ahead <= sane {
			q.reset, q.wait = reset, time.Duration(ahead+1)*time.Second
		}
	}
	return q
}

// headerNumber is the smallest of a header's numbers, or -1 if there is none or one is no number within reason.
func headerNumber(h http.Header, name string) int64 {
	smallest := int64(-1)
	for _, v := range h.Values(name) {
		for field := range strings.SplitSeq(v, ",") {
			n, err := strconv.ParseInt(strings.TrimSpace(field), 10, 64)
			if err != nil || n < 0 || (n > maxLimit && name != "X-Rate-Limit-Reset") {
				return -1
			}
			if smallest < 0 || n < smallest {
				smallest = n
			}
		}
	}
	return smallest
}

func headerDate(h http.Header) (time.Time, bool) {
	t, err := http.ParseTime(h.Get("Date"))
	return t, err == nil
}

// place finds the window that an answer belongs to: the one that its Reset names, whenever it was sent.
func (b *bucket) place(q quota, orgNow, now time.Time, share int) *window {
	b.roll(now, share)
	w := &b.window
	end := now.Add(q.wait)
	switch {
	case q.reset != 0 && near(q.reset, b.last.reset):
		return &b.last
	case w.reset != 0 && near(q.reset, w.reset):
		// The answer whose Date had just ticked gives the tightest bound.
		if end = end.Add(time.Duration(w.reset-q.reset) * time.Second); end.Before(w.end) {
			w.end = end
		}
	case q.wait <= 0:
		if w.end.IsZero() && b.limit > 0 {
			w.end = now.Add(assumedWindow)
		}
	case w.reset == 0, q.reset < w.reset:
		// Of two that are both still to come the nearer is right, or the bucket is really two.
		w.reset, w.end = q.reset, end
	case orgNow.Unix()+1 >= w.reset:
		b.turnOver(now, share)
		w.reset, w.end = q.reset, end
	}
	return w
}

// near lets Reset waver by a second.
func near(a, b int64) bool { return a-b >= -1 && a-b <= 1 }

// permit is the right to have one request in flight.
type permit struct {
	bucket  *bucket
	serial  uint64 // of the window it was given in
	roomGen uint64
	at      time.Time
}

// waiter is a request in its bucket's line.
type waiter struct {
	call    *call
	arrival uint64
	since   time.Time
	grant   *permit
	ready   chan error // buffered; nil: grant is set
}

// overdue is when the waiter gives up: its bucket has let nobody through for maxWait, or its own page was refused for as
// long.
func (w *waiter) overdue(b *bucket) time.Time {
	since := w.since
	if b.granted.After(since) {
		since = b.granted
	}
	if refused := w.call.refusedSince; !refused.IsZero() && refused.Before(since) {
		since = refused
	}
	return since.Add(maxWait)
}

// RoundTrip sends req when its call's bucket has room for it.
func (g *governor) RoundTrip(req *http.Request) (*http.Response, error) {
	c := callFrom(req.Context())
	c.status = 0
	p, err := g.acquire(req.Context(), c)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(req.Context(), attemptTimeout)
	resp, err := g.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		cancel()
		g.lost(p)
		g.release(p)
		return nil, err
	}
	g.learn(p, c, resp)
	resp.Body = &meteredBody{ReadCloser: resp.Body, done: sync.OnceFunc(func() { cancel(); g.release(p) })}
	return resp, nil
}

// meteredBody returns its request's permit at the body's end.
type meteredBody struct {
	io.ReadCloser
	done func()
}

func (b *meteredBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.done()
	}
	return n, err
}

func (b *meteredBody) Close() error {
	defer b.done()
	return b.ReadCloser.Close()
}

// acquire waits for a permit.
func (g *governor) acquire(ctx context.Context, c *call) (*permit, error) {
	if err := c.standBack(ctx); err != nil {
		return nil, err
	}
	w := &waiter{call: c, since: time.Now(), ready: make(chan error, 1)}
	g.mu.Lock()
	b := g.bucket(c.req.Bucket)
	if c.arrival == 0 {
		g.arrivals++
		c.arrival = g.arrivals
	}
	w.arrival = c.arrival
	// A page that comes again keeps its place.
	at, _ := slices.BinarySearchFunc(b.line, w, func(a, b *waiter) int {
		if a.arrival < b.arrival {
			return -1
		}
		return 1
	})
	b.line = slices.Insert(b.line, at, w)
	g.dispatch()

	select {
	case err := <-w.ready:
		return w.grant, err
	case <-ctx.Done():
	}
	g.mu.Lock()
	if p := w.grant; p != nil {
		g.settle(p)
		g.inFlight--
		b.stats.Requests--
	} else if i := slices.Index(b.line, w); i >= 0 {
		b.line = slices.Delete(b.line, i, i+1)
	}
	g.dispatch()
	return nil, ctx.Err()
}

// bucket must be called with the lock held.
func (g *governor) bucket(name string) *bucket {
	b := g.buckets[name]
	if b == nil {
		b = &bucket{name: name}
		b.window.low, b.last.low = -1, -1
		g.buckets[name] = b
		g.ring = append(g.ring, b)
	}
	return b
}

// dispatch gives out what permits there are, lets go those who wait in vain, and sees to it that it is called again when
// time alone changes something. It must be called with the lock held, and returns without it.
func (g *governor) dispatch() {
	now := time.Now()
	for idle := 0; g.inFlight < g.room && idle < len(g.ring); g.turn = (g.turn + 1) % len(g.ring) {
		b := g.ring[g.turn]
		idle++
		if len(b.line) == 0 {
			continue
		}
		if v, _ := b.check(now, g.share); v == goes {
			g.grant(b, now)
			idle = 0
		}
	}
	for _, b := range g.ring {
		g.attend(b, now)
	}
	news := g.unlocked
	g.unlocked = nil
	g.mu.Unlock()
	for _, tell := range news {
		tell()
	}
}

func (g *governor) tell(f func()) { g.unlocked = append(g.unlocked, f) }

func (g *governor) grant(b *bucket, now time.Time) {
	w := b.line[0]
	b.line = slices.Delete(b.line, 0, 1)
	b.pending++
	b.granted = now
	b.stats.Requests++
	g.inFlight++
	w.grant = &permit{bucket: b, serial: b.serial, roomGen: g.roomGen, at: now}
	w.ready <- nil
}

// attend looks after those who still stand in the bucket's line.
func (g *governor) attend(b *bucket, now time.Time) {
	v, until := goes, time.Time{}
	if len(b.line) > 0 {
		v, until = b.check(now, g.share)
	}
	if v != goes {
		b.line = slices.DeleteFunc(b.line, func(w *waiter) bool {
			switch {
			case !w.overdue(b).After(now):
				w.ready <- w.call.limited(fmt.Sprintf("waited %v for the rate limit of %s", maxWait, b.name))
			case w.call.req.NoWait && v != blind:
				w.ready <- w.call.limited(fmt.Sprintf("the rate limit of %s has no room for another %v", b.name, until.Sub(now).Round(time.Second)))
			default:
				return false
			}
			return true
		})
	}
	if v == goes || len(b.line) == 0 {
		// Nobody waits, or they wait for room in the process, and a release will come.
		b.alarm(g, time.Time{}, now)
		return
	}
	next := until
	for _, w := range b.line {
		if at := w.overdue(b); next.IsZero() || at.Before(next) {
			next = at
		}
	}
	b.alarm(g, next, now)

	wait := until.Sub(now)
	if v == blind || wait < time.Second || (v == held && wait <= scoutPatience) {
		return
	}
	quotaReset := until
	if v == held {
		quotaReset = b.window.end
	}
	if b.told == b.serial+1 && now.Before(b.toldEnd) {
		return
	}
	b.told, b.toldEnd = b.serial+1, quotaReset
	b.stats.Waits++
	g.tell(func() { g.onWait(b.name, quotaReset) })
}

// alarm sees to it that dispatch is called at the given time, or not at all if that is zero.
func (b *bucket) alarm(g *governor, at, now time.Time) {
	if at.Equal(b.wakeAt) && b.wakeAt.After(now) {
		return
	}
	if b.wake != nil {
		b.wake.Stop()
		b.wake = nil
	}
	b.wakeAt = at
	if !at.IsZero() {
		b.wake = time.AfterFunc(at.Sub(now), func() {
			g.mu.Lock()
			g.dispatch()
		})
	}
}

// settle ends the time in which nobody knows which window the request counts in.
func (g *governor) settle(p *permit) {
	b := p.bucket
	b.pending--
	if p.serial != b.serial {
		b.strays--
	}
}

// lost counts a request that was answered by nobody as spent: Okta may have seen it.
func (g *governor) lost(p *permit) {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := p.bucket
	now := time.Now()
	b.roll(now, g.share)
	g.settle(p)
	if b.limit == 0 {
		return
	}
	if p.serial == b.serial {
		b.window.spent++
	}
	if b.window.end.IsZero() {
		b.window.end = now.Add(assumedWindow)
	}
}

func (g *governor) release(p *permit) {
	g.mu.Lock()
	b := p.bucket
	took := time.Since(p.at)
	if b.latency == 0 {
		b.latency = took
	}
	b.latency += (took - b.latency) / 5
	g.inFlight--
	g.dispatch()
}

// learn takes in an answer's headers.
func (g *governor) learn(p *permit, c *call, resp *http.Response) {
	g.mu.Lock()
	now := time.Now()
	orgNow := g.clock.now()
	if date, ok := headerDate(resp.Header); ok {
		orgNow = date
	}
	q := readQuota(resp.Header, orgNow)
	b := p.bucket
	refused := resp.StatusCode == http.StatusTooManyRequests
	if !refused {
		c.refusedSince, c.refusals, c.crowded = time.Time{}, 0, 0
	} else if c.refusedSince.IsZero() {
		c.refusedSince = now
	}

	if refused && q.limit == 0 && q.remaining == 0 {
		// https://developer.okta.com/docs/reference/rl2-concurrency/: the Reset of such an answer means nothing.
		g.settle(p)
		b.stats.ConcurrencyLimited++
		c.backOff()
		if p.roomGen == g.roomGen {
			g.room, g.roomAt = max(1, g.room/2), now
			g.roomGen++
			room := g.room
			g.tell(func() { g.log.Info("Okta refuses so many requests at once", "allowed_now", room) })
		}
		g.dispatch()
		return
	}
	if g.room < maxInFlight && now.Sub(g.roomAt) >= capRegrowth {
		g.room++
		g.roomAt = now
	}

	b.roll(now, g.share)
	if q.limit == 0 && !refused {
		q.limit, q.remaining = -1, -1
	}
	if q.limit > 0 {
		b.limit = q.limit
	}
	if q.limit > 0 || q.remaining >= 0 || q.reset > 0 || (!refused && resp.StatusCode < 500) {
		b.known = true
	}
	w := b.place(q, orgNow, now, g.share)
	g.settle(p)
	if w.limit == 0 {
		w.limit = b.limit
	}
	if refused {
		g.refuse(b, w, c, q, resp.Header, now)
	} else {
		w.spent++
		if q.remaining >= 0 {
			if w.low < 0 {
				w.low = q.remaining
				if !w.whole {
					w.before, w.start = max(0, w.limit-q.remaining-w.spent-b.pending), now
				}
			}
			w.low, w.seen = min(w.low, q.remaining), now
		}
		g.learnCeiling(b, w)
	}
	g.dispatch()
}

// refuse takes in a 429 of a window: the whole bucket waits for that window's end.
func (g *governor) refuse(b *bucket, w *window, c *call, q quota, h http.Header, now time.Time) {
	b.stats.WindowLimited++
	unsaid := q.wait <= 0
	if unsaid {
		c.refusals++
		q.wait = blindWait(h, c.refusals)
	}
	if unsaid || w != &b.window || !w.end.After(now) {
		if until := now.Add(q.wait); until.After(b.pause) {
			b.pause = until
		}
		return
	}
	// That more must have remained tells a token that owns less than the header says from a limit that others used up: by
	// an answer of just now, and if they went on as they did until then.
	taken := w.taken(b.pending)
	remains := w.low - b.pending - (w.goingOn(taken, now) - taken)
	justNow := now.Sub(w.seen) <= 2*b.latency+time.Second
	if w.spent < b.budget(g.share) && w.low >= 0 && justNow && 100*remains > floorRemaining*b.limit {
		w.early = true
		g.learnCeiling(b, w)
	}
	w.refused = true
}

// learnCeiling keeps the ceiling at what was ours in a window that was refused early, also as answers to requests sent
// before the refusal come in. What went before our first request may have been an earlier run with the same token.
//
// https://developer.okta.com/docs/reference/rl2-token-oauth/
func (g *governor) learnCeiling(b *bucket, w *window) {
	if !w.early || w.spent == 0 {
		return
	}
	if b.ceiling == 0 {
		name, limit := b.name, b.limit
		g.tell(func() {
			g.log.Warn("Okta refuses requests that its rate-limit headers allow: the token owns less than all of the limit", "bucket", name, "limit", limit)
		})
	}
	b.ceiling = w.spent + w.before
}

// blindWait is how long to wait after the nth 429 running that does not say how long.
func blindWait(h http.Header, n int) time.Duration {
	if s := headerNumber(h, "Retry-After"); s > 0 {
		return min(time.Duration(s)*time.Second, maxWait)
	}
	return jitter(time.Second, min(time.Minute, time.Second<<min(n, 6)))
}

// jitter is a random time between least and most.
func jitter(least, most time.Duration) time.Duration {
	if most <= least {
		return least
	}
	return least + rand.N(most-least)
}

// spare says whether one more chain than chains would find budget to spend.
func (g *governor) spare(name string, chains int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := g.buckets[name]
	if b == nil || !b.known || g.inFlight >= g.room || chains >= g.room {
		return false
	}
	now := time.Now()
	b.roll(now, g.share)
	if now.Before(b.pause) {
		return false
	}
	if b.limit == 0 {
		return true
	}
	w := &b.window
	left := b.budget(g.share) - w.spent - b.pending
	if w.low >= 0 {
		left = min(left, w.low-b.pending)
	}
	if left <= 0 || w.refused {
		return false
	}
	timeLeft := assumedWindow
	if !w.end.IsZero() {
		timeLeft = w.end.Sub(now)
	}
	return float64(left) > float64(chains)*float64(timeLeft)/float64(max(b.latency, time.Millisecond))
}

func (g *governor) bucketStats() map[string]BucketStats {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make(map[string]BucketStats, len(g.buckets))
	for name, b := range g.buckets {
		s := b.stats
		if b.spendable > 0 {
			s.Utilisation = float64(b.spent) / float64(b.spendable)
		}
		all[name] = s
	}
	return all
}

// BucketStats is what became of the requests of one rate-limit bucket.
type BucketStats struct {
	Requests           int     // attempts, retries included
	WindowLimited      int     // 429s of a spent window
	ConcurrencyLimited int     // 429s of too many requests at once
	Waits              int     // windows in which a request waited a second or more for the next
	Utilisation        float64 // of the budgets of whole windows; 0 if there was none
}
