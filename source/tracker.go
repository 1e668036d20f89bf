package source

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tidwall/gjson"

	"source-okta/streams"
)

const (
	// checkpointPages and checkpointEvery bound what an ordered read repeats after it was cut off.
	checkpointPages = 10
	checkpointEvery = 15 * time.Second
)

// tracker follows the cursor of one selected stream: what it admits, what it remembers, and what state is safe.
type tracker struct {
	n    *node
	mu   sync.Mutex
	base bookmark
	// began is the org's clock at the start of the read.
	began stamp
	// from admits records that changed at or after it, by either watermark; 0 admits all.
	from, alsoFrom stamp
	// frozen emits nothing and hands the state back as it came: the cursor lies in the future.
	frozen bool
	// cursor to until are the next state's; see bookmark.
	cursor stamp
	also   stamp
	next   string
	until  stamp
	// greatest is the greatest cursor value seen; unlike cursor, it may not be safe yet.
	greatest   stamp
	recent     recentRecords
	recentAlso recentRecords
	pages      int
	sorted     bool // pages are, as an ascent's
	sent       time.Time
}

func newTracker(n *node, incremental bool) *tracker {
	t := &tracker{n: n, began: stampOf(n.r.client.Now()), sent: time.Now()}
	if incremental {
		// read has decoded it before and refused what is wrong.
		t.base, _ = decodeBookmark(n.r.state[n.s.Name], n.s)
	}
	t.cursor, t.also, t.next, t.until = t.base.cursor, t.base.also, t.base.next, t.base.until
	t.frozen = t.cursor > t.began+futureCursor
	start := stamp(0)
	if !n.r.cfg.start.IsZero() {
		start = stampOf(n.r.cfg.start)
	}
	t.from = start
	if t.cursor != 0 && n.s.Strategy != streams.SystemLog {
		// Polling the System Log brings late events, which were published before the cursor: they are admitted.
		t.from = max(start, t.cursor-overlap)
	}
	if n.s.Cursor.Also != "" {
		switch {
		case t.cursor == 0:
			t.alsoFrom, t.also = start, t.began
		case t.also == 0:
			t.alsoFrom, t.also = t.from, t.cursor
		default:
			t.alsoFrom = max(start, t.also-overlap)
		}
	}
	return t
}

// at is a record's cursor value, 0 where it has none.
func (t *tracker) at(record string) stamp { return fieldStamp(record, t.n.s.Cursor.Field) }

func fieldStamp(record, field string) stamp {
	at, _ := parseStamp(gjson.Get(record, field).Str)
	return at
}

// emit writes the records of a page that are admitted and not remembered.
func (t *tracker) emit(items []string) error {
	if t.frozen {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.look(items)
	records := t.n.proj.apply(items)
	if old := t.settled(items); old > 0 {
		t.n.run()
		if err := t.n.write(records[:old], nil); err != nil {
			return err
		}
		items, records = items[old:], records[old:]
	}
	// The records to write move to the front of a slice of their own.
	fresh := make([]string, 0, len(items))
	for i, item := range items {
		if t.admits(item, records[i]) {
			fresh = append(fresh, records[i])
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	t.n.run()
	return t.n.write(fresh, nil)
}

// settled is how many records at the front of a sorted page need no look of their own: new ones, too old to be
// remembered.
func (t *tracker) settled(items []string) int {
	c := t.n.s.Cursor
	if !t.sorted || c.Also != "" || len(t.base.recent) > 0 {
		return 0
	}
	if first := t.at(items[0]); first < t.from || first == 0 {
		return 0
	}
	n := len(items)
	for n > 0 && t.at(items[n-1]) >= t.greatest-overlap {
		n--
	}
	return n
}

func (t *tracker) sorts(sorted bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sorted = sorted
}

// look finds the greatest cursor value of a page.
func (t *tracker) look(items []string) {
	if t.sorted {
		items = items[len(items)-1:]
	}
	for _, item := range items {
		t.greatest = max(t.greatest, t.at(item))
	}
}

// admits says whether a record, written as record, is new: within the bounds, and not remembered by the state.
func (t *tracker) admits(item, record string) bool {
	c := t.n.s.Cursor
	at := fieldStamp(item, c.Field)
	inside := at >= t.from || at == 0
	alsoAt := stamp(0)
	if c.Also != "" {
		alsoAt = fieldStamp(item, c.Also)
		inside = inside || alsoAt >= t.alsoFrom
	}
	if !inside {
		return false
	}
	// Only what lies within the overlap of a cursor, the last read's or the next one's, is worth a hash.
	t.greatest = max(t.greatest, at)
	if c.Also == "" && at < t.greatest-overlap && (at > t.base.cursor || len(t.base.recent) == 0) {
		return true
	}
	h := hashRecord(record)
	t.recent.add(at, h)
	if c.Also != "" {
		t.recentAlso.add(alsoAt, h)
	}
	_, known := t.base.recent[h]
	return !known
}

// advance says that everything up to at has been emitted, and sends a state now and then.
func (t *tracker) advance(at stamp) {
	t.mu.Lock()
	t.cursor = max(t.cursor, at)
	t.pages++
	due := t.pages >= checkpointPages || time.Since(t.sent) >= checkpointEvery
	if due {
		t.pages, t.sent = 0, time.Now()
	}
	t.mu.Unlock()
	if due && !t.frozen {
		t.n.sendState()
	}
}

// seenAny says whether any record has been seen.
func (t *tracker) seenAny() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.greatest > 0
}

// polled says that everything up to a polling link has been emitted. While a backfill is not done the cursor stays.
func (t *tracker) polled(link string) {
	t.mu.Lock()
	t.next = strings.Clone(link)
	at := stamp(0)
	if t.until == 0 {
		at = t.greatest
	}
	t.mu.Unlock()
	t.advance(at)
}

// backfilling says up to where a backfill is to be read before the polling link counts; 0 when it is done.
func (t *tracker) backfilling(until stamp) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.until = until
}

// complete says that the read has reached its end.
func (t *tracker) complete() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.frozen {
		return
	}
	greatest := t.greatest
	if !t.n.s.Cursor.Ordered {
		// A record that changed while an unordered list was read may have been passed before.
		greatest = min(greatest, t.began)
	}
	t.cursor = max(t.cursor, greatest)
	if t.n.s.Cursor.Also != "" {
		t.also = t.began
	}
	if t.cursor == 0 && !t.n.r.cfg.start.IsZero() {
		t.cursor = stampOf(t.n.r.cfg.start)
	}
	// From here on the state holds what this read saw.
	t.base.incoming = nil
}

// state is the last safe state. The caller holds mu.
func (t *tracker) state() json.RawMessage {
	unmoved := t.cursor == t.base.cursor && t.next == t.base.next && t.until == t.base.until
	switch {
	case t.base.incoming != nil && (t.frozen || unmoved):
		return t.base.incoming
	case t.cursor == 0:
		return noCursor
	}
	lists := [][]seen{t.recent.since(t.cursor - overlap)}
	if t.also != 0 {
		lists = append(lists, t.recentAlso.since(t.also-overlap))
	}
	hashes := newest(lists...)
	if t.cursor == t.base.cursor && t.next != "" {
		// A read that followed a polling link has not listed again what the state remembers.
		hashes = slices.AppendSeq(hashes, maps.Keys(t.base.recent))
		slices.Sort(hashes)
		hashes = slices.Compact(hashes)
		hashes = hashes[:min(len(hashes), maxRecent)]
	}
	mark := bookmark{cursor: t.cursor, also: t.also, next: t.next, until: t.until}
	return mark.encode(t.n.s.Cursor.Field, hashes)
}
