package source

import (
	"container/heap"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/tidwall/gjson"

	"source-okta/streams"
)

// stamp is a point in time as cursors know it: milliseconds since 1970, UTC. Zero is none.
type stamp int64

const (
	// overlap is how far before its cursor an incremental read begins: Okta's index lags behind its writes.
	overlap = stamp(5 * time.Minute / time.Millisecond)
	// maxRecent bounds the records that a state remembers, so that the overlap does not repeat them.
	maxRecent = 1000
)

func stampOf(t time.Time) stamp { return stamp(t.UnixMilli()) }

// String is the form of Okta's own timestamps, which every version of airbyte/source-okta reads.
func (s stamp) String() string {
	return time.UnixMilli(int64(s)).UTC().Format("2006-01-02T15:04:05.000Z")
}

// parseStamp reads a timestamp of a record. Okta writes 2006-01-02T15:04:05.000Z; anything else goes the slow way.
func parseStamp(s string) (stamp, bool) {
	if len(s) == 24 && s[23] == 'Z' && s[10] == 'T' && s[19] == '.' && s[4] == '-' && s[7] == '-' && s[13] == ':' && s[16] == ':' {
		year, ok1 := digits(s[0:4])
		month, ok2 := digits(s[5:7])
		day, ok3 := digits(s[8:10])
		hour, ok4 := digits(s[11:13])
		minute, ok5 := digits(s[14:16])
		second, ok6 := digits(s[17:19])
		milli, ok7 := digits(s[20:23])
		if ok1 && ok2 && ok3 && ok4 && ok5 && ok6 && ok7 && month >= 1 && month <= 12 && day >= 1 && day <= 31 {
			return stampOf(time.Date(year, time.Month(month), day, hour, minute, second, milli*int(time.Millisecond), time.UTC)), true
		}
	}
	t, err := parseTime(s)
	if err != nil {
		return 0, false
	}
	return stampOf(t), true
}

func digits(s string) (n int, ok bool) {
	for i := range len(s) {
		d := s[i] - '0'
		if d > 9 {
			return 0, false
		}
		n = n*10 + int(d)
	}
	return n, true
}

// parseTime reads a timestamp as configs and states of any era hold it: RFC 3339 with any fraction and offset, the offset
// absent or without its colon, or a date.
func parseTime(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no timestamp", printable(s))
}

// noCursor is the state of a stream without a cursor, as the official connector writes it.
var noCursor = json.RawMessage(`{"__ab_no_cursor_state_message":true}`)

// ownState is the member of a state that holds what only this connector knows. airbyte/source-okta hands members that it
// does not know on unchanged while it moves the cursor; Cursor tells whether it did.
const ownState = "source_okta"

// bookmark is where a stream's next read begins.
type bookmark struct {
	cursor stamp
	// also is the watermark of Cursor.Also, 0 where unknown.
	also stamp
	// recent are hashes of records within the overlap, as emitted.
	recent map[uint64]struct{}
	// next is the polling link of the System Log, path and query.
	next string
	// until is the end of a backfill that has reached cursor; 0 when it is done.
	until stamp
	// incoming is the state as it came; nil when there was none.
	incoming json.RawMessage
}

type ownBlob struct {
	Cursor string   `json:"cursor"`
	Also   string   `json:"also,omitempty"`
	Next   string   `json:"next,omitempty"`
	Until  string   `json:"until,omitempty"`
	Recent []string `json:"recent,omitempty"`
}

// decodeBookmark reads a stream's state of any era. A state without a cursor is none.
func decodeBookmark(blob json.RawMessage, s *streams.Stream) (bookmark, error) {
	b := bookmark{}
	if s.Cursor == nil || len(blob) == 0 {
		return b, nil
	}
	doc := gjson.ParseBytes(blob)
	v := doc.Get(s.Cursor.Field)
	if !v.Exists() && doc.Get("state_type").Str == "date-range" {
		v = oldestSlice(doc.Get("slices"))
	}
	if v.Type == gjson.Null || v.Type == gjson.String && v.Str == "" {
		return b, nil
	}
	cursor, ok := parseStamp(v.Str)
	if v.Type != gjson.String || !ok {
		return b, configError("The state of %s is not valid: %s must be a timestamp like 2022-07-22T00:00:00.000Z, not %s.", s.Name, s.Cursor.Field, printable(v.Raw))
	}
	b.cursor, b.incoming = cursor, blob
	var own ownBlob
	if raw := doc.Get(ownState); raw.IsObject() && json.Unmarshal([]byte(raw.Raw), &own) == nil {
		if at, ok := parseStamp(own.Cursor); !ok || at != cursor {
			return b, nil
		}
		b.also, _ = parseStamp(own.Also)
		b.next = own.Next
		b.until, _ = parseStamp(own.Until)
		b.recent = make(map[uint64]struct{}, len(own.Recent))
		for _, h := range own.Recent {
			if n, err := strconv.ParseUint(h, 36, 64); err == nil {
				b.recent[n] = struct{}{}
			}
		}
	}
	return b, nil
}

// oldestSlice finds the cursor in a state of the CDK's concurrent form: what its oldest slice has read without a gap.
func oldestSlice(slices gjson.Result) (cursor gjson.Result) {
	var oldest stamp
	for _, s := range slices.Array() {
		start, ok := parseStamp(s.Get("start").Str)
		if !ok || cursor.Exists() && start >= oldest {
			continue
		}
		oldest = start
		if cursor = s.Get("most_recent_cursor_value"); cursor.Type != gjson.String {
			cursor = s.Get("end")
		}
	}
	return cursor
}

// encode writes the state of a stream that has read up to b.cursor.
func (b *bookmark) encode(field string, recent []uint64) json.RawMessage {
	own := ownBlob{Cursor: b.cursor.String(), Next: b.next}
	if b.also != 0 {
		own.Also = b.also.String()
	}
	if b.until != 0 {
		own.Until = b.until.String()
	}
	for _, h := range recent {
		own.Recent = append(own.Recent, strconv.FormatUint(h, 36))
	}
	blob, err := json.Marshal(map[string]any{field: own.Cursor, ownState: own})
	if err != nil {
		panic(err)
	}
	return blob
}

// recentRecords remembers the newest records by one timestamp, at most maxRecent.
type recentRecords struct{ h seenHeap }

type seen struct {
	at   stamp
	hash uint64
}

type seenHeap []seen

func (h seenHeap) Len() int           { return len(h) }
func (h seenHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h seenHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *seenHeap) Push(x any)        { *h = append(*h, x.(seen)) }
func (h *seenHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

func (r *recentRecords) add(at stamp, hash uint64) {
	switch {
	case len(r.h) < maxRecent:
		heap.Push(&r.h, seen{at, hash})
	case at >= r.h[0].at:
		r.h[0] = seen{at, hash}
		heap.Fix(&r.h, 0)
	}
}

// since lists what is remembered of the records at or after a time.
func (r *recentRecords) since(from stamp) []seen {
	var out []seen
	for _, s := range r.h {
		if s.at >= from {
			out = append(out, s)
		}
	}
	return out
}

// newest merges lists of records into the hashes of the newest, at most maxRecent.
func newest(lists ...[]seen) []uint64 {
	all := slices.Concat(lists...)
	slices.SortStableFunc(all, func(a, b seen) int { return int(min(1, max(-1, b.at-a.at))) })
	var hashes []uint64
	known := make(map[uint64]struct{}, len(all))
	for _, s := range all {
		if _, twice := known[s.hash]; twice {
			continue
		}
		if len(hashes) == maxRecent {
			break
		}
		known[s.hash] = struct{}{}
		hashes = append(hashes, s.hash)
	}
	slices.Sort(hashes)
	return hashes
}

// hashRecord identifies a record as emitted.
func hashRecord(raw string) uint64 { return xxhash.Sum64String(raw) }
