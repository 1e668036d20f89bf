package oktasim

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// The rate-limit buckets of the endpoints there are, by the path that names them in Okta's tables.
const (
	BucketUsers     = "/api/v1/users"
	BucketUser      = "/api/v1/users/{id}"
	BucketMe        = "/api/v1/users/me"
	BucketGroups    = "/api/v1/groups"
	BucketGroup     = "/api/v1/groups/{id}"
	BucketApps      = "/api/v1/apps"
	BucketApp       = "/api/v1/apps/{id}"
	BucketLogs      = "/api/v1/logs"
	BucketDevices   = "/api/v1/devices"
	BucketIAM       = "/api/v1/iam"
	BucketCatchAll  = "/api/v1"
	BucketWellKnown = "/"
	BucketOAuth     = "/oauth2/v1"
)

// DefaultLimits are the requests per window of a workforce org, as last published.
func DefaultLimits() map[string]int {
	return map[string]int{
		BucketUsers: 600, BucketUser: 2000, BucketMe: 2000, BucketGroups: 500, BucketGroup: 1000, BucketApps: 100,
		BucketApp: 500, BucketLogs: 120, BucketDevices: 100, BucketIAM: 100, BucketCatchAll: 1200, BucketWellKnown: 1200,
		BucketOAuth: 1200,
	}
}

// unlimited is what headers show of a bucket without a limit.
const unlimited = 1_000_000

// BucketStats is what happened in a rate-limit bucket.
type BucketStats struct {
	Requests       int // all, refused ones too
	Window429      int
	Concurrency429 int
	MaxInFlight    int
	First, Last    time.Time // when requests arrived, by the org's clock
	Windows        []WindowStats
}

// WindowStats is what one rate-limit window saw; windows without a request are left out.
type WindowStats struct {
	Start     time.Time
	Limit     int
	Used      int // by us
	Window429 int
}

type bucket struct {
	mu       sync.Mutex
	limit    int // 0: none
	mine     int // what one token may use of limit
	other    int // percentage another client eats
	window   int64
	phase    int64 // ms
	current  int64 // number of the window that used counts
	used     int
	inFlight int
	stats    BucketStats
}

type quota struct {
	limit, remaining int
	reset            int64 // whole seconds since the epoch
}

func (o *Org) newBuckets() map[string]*bucket {
	out := map[string]*bucket{}
	for i, name := range slices.Sorted(maps.Keys(DefaultLimits())) {
		b := &bucket{
			limit: o.config.Limits[name], other: o.config.OtherShare, window: o.config.Window.Milliseconds(), current: -1,
		}
		b.mine = b.limit * o.config.TokenPercent / 100
		b.phase = int64(o.world.seed.at(saltWindow, i) % uint64(b.window))
		out[name] = b
	}
	return out
}

func (b *bucket) arrive(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.inFlight++
	b.stats.Requests++
	b.stats.MaxInFlight = max(b.stats.MaxInFlight, b.inFlight)
	if b.stats.First.IsZero() {
		b.stats.First = now
	}
	b.stats.Last = now
}

func (b *bucket) leave() {
	b.mu.Lock()
	b.inFlight--
	b.mu.Unlock()
}

func (b *bucket) refuseConcurrency() {
	b.mu.Lock()
	b.stats.Concurrency429++
	b.mu.Unlock()
}

// take spends one request of the window that ms is in; false if there is none left.
func (b *bucket) take(ms int64) (quota, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	number := floorDiv(ms-b.phase, b.window)
	begin := number*b.window + b.phase
	// Reset has whole seconds, so a window that ends within a second seems to end before it does.
	q := quota{limit: b.limit, reset: floorDiv(begin+b.window, 1000)}
	if b.limit == 0 {
		q.limit = unlimited
	}
	if number != b.current {
		b.current, b.used = number, 0
		b.stats.Windows = append(b.stats.Windows, WindowStats{Start: instant(begin), Limit: q.limit})
	}
	w := &b.stats.Windows[len(b.stats.Windows)-1]
	eaten := int(int64(q.limit) * int64(b.other) * (ms - begin) / b.window / 100)
	if b.limit > 0 && (b.used+eaten >= b.limit || b.used >= b.mine) {
		b.stats.Window429++
		w.Window429++
		return q, false
	}
	b.used++
	w.Used++
	q.remaining = max(0, q.limit-b.used-eaten)
	return q, true
}

func (b *bucket) snapshot() BucketStats {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.stats
	s.Windows = slices.Clone(s.Windows)
	return s
}

func (q quota) write(h http.Header) {
	h.Set("X-Rate-Limit-Limit", strconv.Itoa(q.limit))
	h.Set("X-Rate-Limit-Remaining", strconv.Itoa(q.remaining))
	h.Set("X-Rate-Limit-Reset", strconv.FormatInt(q.reset, 10))
}

// Stats is what happened so far, by bucket; buckets without a request are left out.
func (o *Org) Stats() map[string]BucketStats {
	out := map[string]BucketStats{}
	for name, b := range o.buckets {
		if s := b.snapshot(); s.Requests > 0 {
			out[name] = s
		}
	}
	return out
}

// ResetStats forgets statistics and the request log, not what the current windows have spent.
func (o *Org) ResetStats() {
	for _, b := range o.buckets {
		b.mu.Lock()
		b.stats = BucketStats{}
		if b.current >= 0 {
			b.stats.Windows = []WindowStats{{Start: instant(b.current*b.window + b.phase), Limit: b.limit, Used: b.used}}
		}
		b.mu.Unlock()
	}
	o.log.Lock()
	o.log.records = nil
	o.log.Unlock()
}
