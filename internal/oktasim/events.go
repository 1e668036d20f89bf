package oktasim

import (
	"math"
	"slices"
	"sort"
	"time"
)

// The System Log has two times for an event: when it happened (published) and when it was written (persisted). Most are
// written at once; a fraction comes minutes late. https://developer.okta.com/docs/reference/system-log-query/

type event struct {
	n                    int
	published, persisted int64
	kind                 *eventKind
	actor                int // user; -1: the system
	targets              []target
}

// target is what an event is about.
type target struct {
	kind, id, alternate, display string
}

type eventLog struct {
	axis        *axis
	delay       int64
	lateEvery   int // one base event in so many is late; 0: none
	lateRest    int
	lateBy      int64
	next        int
	byPublished []*event
	byPersisted []*event
}

const logHistory = 89 // days before the world was born

func (w *world) buildEvents() {
	l := &w.events
	l.axis = newAxis(w.seed, saltEvent, w.config.Events, w.config.BulkEvents, logHistory, w.config.Born, time.Millisecond)
	l.delay = w.config.LogDelay.Milliseconds()
	l.lateBy = w.config.LateBy.Milliseconds()
	if w.config.Late > 0 {
		l.lateEvery = max(1, int(math.Round(1/w.config.Late)))
		l.lateRest = below(w.seed.at(saltLate, 0), l.lateEvery)
	}
	l.next = w.config.Events
}

func (l *eventLog) isLate(i int) bool { return l.lateEvery > 0 && i%l.lateEvery == l.lateRest }

// lateness is how much later than the rest event n is written: from a tenth of lateBy to the whole.
func (w *world) lateness(n int) int64 {
	l := &w.events
	return l.lateBy/10 + int64(unit(w.seed.at(saltLate, n))*float64(l.lateBy-l.lateBy/10))
}

func (w *world) fillEvent(i int, e *event) {
	l := &w.events
	h := w.seed.at(saltEvent, i)
	at := l.axis.at(i)
	*e = event{n: i, published: at, persisted: at + l.delay, kind: pickEventKind(h), targets: e.targets[:0]}
	if l.isLate(i) {
		e.persisted += w.lateness(i)
	}
	e.actor = -1
	if users := w.config.Users; users > 0 && !e.kind.system {
		e.actor = below(h>>16, users)
	}
}

// A logKey orders events of one time by number.
type logKey struct {
	at int64
	n  int
}

func (k logKey) compare(o logKey) int {
	switch {
	case k.at < o.at:
		return -1
	case k.at > o.at:
		return 1
	case k.n < o.n:
		return -1
	case k.n > o.n:
		return 1
	}
	return 0
}

func persistedKey(e *event) logKey { return logKey{e.persisted, e.n} }
func publishedKey(e *event) logKey { return logKey{e.published, e.n} }

// addEvent writes an event of now or of the past; what is persisted can't change behind a reader.
func (w *world) addEvent(e event) {
	l := &w.events
	e.n = l.next
	l.next++
	p := &e
	for _, order := range []struct {
		rows *[]*event
		key  func(*event) logKey
	}{{&l.byPublished, publishedKey}, {&l.byPersisted, persistedKey}} {
		i, _ := slices.BinarySearchFunc(*order.rows, order.key(p), func(e *event, k logKey) int { return order.key(e).compare(k) })
		*order.rows = slices.Insert(*order.rows, i, p)
	}
}

// eachPersisted visits events in the order they were written, from the first written at from or later to the last
// written at to. The event is valid during the call only.
func (w *world) eachPersisted(from, to int64, visit func(*event) bool) {
	l := &w.events
	base := l.axis.n
	i := sort.Search(base, func(i int) bool { return l.axis.at(i)+l.delay >= from })
	late := lateCursor{w: w, from: from}
	j := sort.Search(len(l.byPersisted), func(j int) bool { return l.byPersisted[j].persisted >= from })
	var onTime, scratch event
	haveOnTime := false
	for {
		for !haveOnTime && i < base {
			if !l.isLate(i) {
				w.fillEvent(i, &onTime)
				haveOnTime = true
			}
			i++
		}
		var e *event
		if haveOnTime {
			e = &onTime
		}
		if k, ok := late.peek(to); ok && (e == nil || k.compare(persistedKey(e)) < 0) {
			w.fillEvent(k.n, &scratch)
			e = &scratch
		}
		if j < len(l.byPersisted) && (e == nil || persistedKey(l.byPersisted[j]).compare(persistedKey(e)) < 0) {
			e = l.byPersisted[j]
		}
		if e == nil || e.persisted > to || !visit(e) {
			return
		}
		switch {
		case e == &onTime:
			haveOnTime = false
		case e == &scratch:
			late.queue = late.queue[1:]
		default:
			j++
		}
	}
}

// lateCursor walks the late base events in the order they were written. It gathers them in stretches: all that were
// published up to some instant, of which those written before that instant are complete.
type lateCursor struct {
	w     *world
	from  int64
	queue []logKey
	done  bool
}

const lateStretch = 256

func (c *lateCursor) peek(to int64) (logKey, bool) {
	l := &c.w.events
	if l.lateEvery == 0 {
		return logKey{}, false
	}
	for len(c.queue) == 0 && !c.done {
		if c.from > to {
			c.done = true
			break
		}
		first := l.axis.search(c.from - l.delay - l.lateBy)
		i := first + ((l.lateRest-first)%l.lateEvery+l.lateEvery)%l.lateEvery
		complete := int64(math.MaxInt64)
		for count := 0; i < l.axis.n; i += l.lateEvery {
			published := l.axis.at(i)
			if count++; count > lateStretch && published > c.from+l.lateBy {
				complete = published + l.delay
				break
			}
			if at := published + l.delay + c.w.lateness(i); at >= c.from {
				c.queue = append(c.queue, logKey{at, i})
			}
		}
		slices.SortFunc(c.queue, logKey.compare)
		if complete == math.MaxInt64 {
			c.done = true
			break
		}
		keep := sort.Search(len(c.queue), func(k int) bool { return c.queue[k].at >= complete })
		c.queue = c.queue[:keep]
		c.from = complete
	}
	if len(c.queue) == 0 {
		return logKey{}, false
	}
	return c.queue[0], true
}

// eachPublished visits events in the order they happened, from ≤ published < to, or the other way round. Events that
// aren't written by now are left out.
func (w *world) eachPublished(from, to, now int64, desc bool, visit func(*event) bool) {
	l := &w.events
	rows := l.byPublished
	first := l.axis.search(from)
	past := l.axis.search(to)
	lo := sort.Search(len(rows), func(j int) bool { return rows[j].published >= from })
	hi := sort.Search(len(rows), func(j int) bool { return rows[j].published >= to })
	i, j, step, iEnd, jEnd := first, lo, 1, past, hi
	if desc {
		i, j, step, iEnd, jEnd = past-1, hi-1, -1, first-1, lo-1
	}
	var scratch event
	have := false
	for {
		if !have && i != iEnd {
			w.fillEvent(i, &scratch)
			have = true
		}
		var e *event
		if have {
			e = &scratch
		}
		if j != jEnd && (e == nil || (publishedKey(rows[j]).compare(publishedKey(e)) < 0) != desc) {
			e = rows[j]
		}
		if e == nil {
			return
		}
		if e.persisted <= now && !visit(e) {
			return
		}
		if e == &scratch {
			have = false
			i += step
		} else {
			j += step
		}
	}
}
