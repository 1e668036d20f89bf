package oktasim

import (
	"math"
	"sort"
	"time"
)

// axis spreads n base records over a span of time that ends when the world is born: index → instant, never falling, and
// index ↔ sequence number, a permutation. Days differ as they do in an org that grows: more lately, less on week-ends,
// now and then a rush; within a day most happens in working hours. Because records of one day keep their order in the
// permutation, equal instants are ordered by id, and because days are shuffled, the order of ids is not that of time.
type axis struct {
	n          int
	start      int64 // ms since the epoch at which day 0 begins
	unit       int64 // resolution in ms
	seed       seed
	salt       salt
	cum        []int // first index of each day, and n
	rank       []int // first sequence number of each day
	order      []int // days by their first sequence number
	bulkDay    int
	bulkAt     int // index within bulkDay at which the bulk begins
	bulkLen    int
	bulkOffset int64
}

const day = 24 * time.Hour

// newAxis spreads n records over days that end at end. bulk of them share one instant.
func newAxis(s seed, k salt, n, bulk, days int, end time.Time, resolution time.Duration) *axis {
	a := &axis{
		n: n, seed: s, salt: k, unit: resolution.Milliseconds(), bulkDay: -1,
		start: end.Add(-time.Duration(days) * day).Truncate(resolution).UnixMilli(),
	}
	bulk = min(bulk, n)
	weights := make([]float64, days)
	total := 0.0
	for d := range weights {
		h := s.at(saltAxis+k<<8, d)
		w := 0.3 + math.Exp(3*(float64(d+1)/float64(days)-1))
		if d%7 > 4 {
			w *= 0.2
		}
		if u := unit(h); u < 0.03 {
			w *= 12
		} else {
			w *= 0.5 + u
		}
		weights[d] = w
		total += w
	}
	if bulk > 0 {
		a.bulkDay = days * 2 / 3
		a.bulkLen = bulk
	}
	a.cum = make([]int, days+1)
	seen, given := 0.0, 0
	for d, w := range weights {
		a.cum[d] = given
		seen += w
		upTo := int(math.Round(seen / total * float64(n-bulk)))
		if a.bulkDay >= 0 && d >= a.bulkDay {
			upTo += bulk
		}
		if d == days-1 {
			upTo = n
		}
		if d == a.bulkDay {
			a.bulkAt = (upTo - given - bulk) / 2
		}
		given = upTo
	}
	a.cum[days] = n
	if a.bulkDay >= 0 {
		a.bulkOffset = day.Milliseconds() / 2 / a.unit * a.unit
	}
	a.shuffle(days)
	return a
}

func (a *axis) shuffle(days int) {
	a.order = make([]int, days)
	for d := range a.order {
		a.order[d] = d
	}
	sort.Slice(a.order, func(i, j int) bool {
		return a.seed.at(saltAxis+a.salt<<8, a.order[i]+1<<20) < a.seed.at(saltAxis+a.salt<<8, a.order[j]+1<<20)
	})
	a.rank = make([]int, days)
	next := 0
	for _, d := range a.order {
		a.rank[d] = next
		next += a.cum[d+1] - a.cum[d]
	}
}

// dayOf is the day that holds index i.
func (a *axis) dayOf(i int) int {
	return sort.Search(len(a.cum)-1, func(d int) bool { return a.cum[d+1] > i })
}

// at is the instant of index i in ms since the epoch.
func (a *axis) at(i int) int64 { return a.instant(i, a.dayOf(i)) }

// locate is both the instant and the sequence number of index i.
func (a *axis) locate(i int) (at int64, seq int) {
	d := a.dayOf(i)
	return a.instant(i, d), a.rank[d] + i - a.cum[d]
}

func (a *axis) instant(i, d int) int64 {
	k, count := i-a.cum[d], a.cum[d+1]-a.cum[d]
	begin := a.start + int64(d)*day.Milliseconds()
	if d == a.bulkDay {
		switch {
		case k < a.bulkAt:
			return begin + a.within(i, k, a.bulkAt, 0, a.bulkOffset)
		case k < a.bulkAt+a.bulkLen:
			return begin + a.bulkOffset
		}
		k -= a.bulkAt + a.bulkLen
		count -= a.bulkAt + a.bulkLen
		return begin + a.within(i, k, count, a.bulkOffset, day.Milliseconds())
	}
	return begin + a.within(i, k, count, 0, day.Milliseconds())
}

// within is the offset of the k-th of count records between from and to: a slot each, a seeded place in the slot, and
// the working day's bend.
func (a *axis) within(i, k, count int, from, to int64) int64 {
	f := (float64(k) + unit(a.seed.at(a.salt, i))) / float64(count)
	// A third of the day's records fall into its middle quarter.
	f += 0.05 * math.Sin(2*math.Pi*f)
	at := from + int64(f*float64(to-from))
	return min(at/a.unit*a.unit, (to-1)/a.unit*a.unit)
}

// search is the first index whose instant is t or later.
func (a *axis) search(t int64) int {
	return sort.Search(a.n, func(i int) bool { return a.at(i) >= t })
}

// seqOf is the sequence number of index i.
func (a *axis) seqOf(i int) int {
	d := a.dayOf(i)
	return a.rank[d] + i - a.cum[d]
}

// indexOf is the index with sequence number seq, and slot the place of its day in the order of sequence numbers.
func (a *axis) indexOf(seq int) (index, slot int) {
	slot = sort.Search(len(a.order), func(k int) bool { return a.rank[a.order[k]] > seq }) - 1
	d := a.order[slot]
	return a.cum[d] + seq - a.rank[d], slot
}

// span is the time a day covers, and the sequence numbers of its records.
func (a *axis) span(slot int) (begin, end int64, first, past int) {
	d := a.order[slot]
	begin = a.start + int64(d)*day.Milliseconds()
	return begin, begin + day.Milliseconds(), a.rank[d], a.rank[d] + a.cum[d+1] - a.cum[d]
}
