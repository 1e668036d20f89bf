package oktasim

import (
	"math"
	"slices"
	"sort"
)

// head is what the tables need of a record: its number (below the size of the base: its index there), its id and the
// instants it can be ordered by, in ms since the epoch.
type head struct {
	n          int
	id         ident
	updated    int64
	membership int64 // lastMembershipUpdated; groups only
}

func (h *head) hd() *head { return h }

type order int

const (
	byID order = iota
	byUpdated
	byMembership
	orders
)

// place is where a record stands in an order: first by at (0 in the order of ids), then by id.
type place struct {
	at int64
	id ident
}

func (p place) compare(q place) int {
	switch {
	case p.at < q.at:
		return -1
	case p.at > q.at:
		return 1
	}
	return p.id.compare(q.id)
}

func (o order) place(h *head) place {
	switch o {
	case byUpdated:
		return place{h.updated, h.id}
	case byMembership:
		return place{h.membership, h.id}
	default:
		return place{0, h.id}
	}
}

type record[R any] interface {
	*R
	hd() *head
}

// table is one view of a kind of records: a procedural base, and an overlay that hides and adds to it. Records in the
// overlay are never changed in place, so a reader may keep them.
type table[R any, P record[R]] struct {
	axis *axis         // nil: no base
	fill func(int, *R) // sets r to base record i
	kind idKind
	over map[int]*R // by number; nil: deleted
	rows [orders][]*R
}

func newTable[R any, P record[R]](a *axis, kind idKind, fill func(int, *R)) *table[R, P] {
	return &table[R, P]{axis: a, kind: kind, fill: fill, over: map[int]*R{}}
}

func (t *table[R, P]) base() int {
	if t.axis == nil {
		return 0
	}
	return t.axis.n
}

// get is the record with number n, or nil. A base record is built in scratch.
func (t *table[R, P]) get(n int, scratch *R) *R {
	if r, ok := t.over[n]; ok {
		return r
	}
	if n < 0 || n >= t.base() {
		return nil
	}
	t.fill(n, scratch)
	return scratch
}

// put stores r under its number; r must not change afterwards.
func (t *table[R, P]) put(r *R) {
	t.drop(P(r).hd().n)
	t.over[P(r).hd().n] = r
	for o := range t.rows {
		i, _ := t.find(order(o), order(o).place(P(r).hd()))
		t.rows[o] = slices.Insert(t.rows[o], i, r)
	}
}

// load fills an empty table with many records.
func (t *table[R, P]) load(rs []*R) {
	for _, r := range rs {
		t.over[P(r).hd().n] = r
	}
	for o := range t.rows {
		t.rows[o] = slices.Clone(rs)
		slices.SortFunc(t.rows[o], func(a, b *R) int {
			return order(o).place(P(a).hd()).compare(order(o).place(P(b).hd()))
		})
	}
}

// del forgets the record with number n.
func (t *table[R, P]) del(n int) {
	t.drop(n)
	t.over[n] = nil
}

func (t *table[R, P]) drop(n int) {
	r := t.over[n]
	if r == nil {
		return
	}
	for o := range t.rows {
		i, _ := t.find(order(o), order(o).place(P(r).hd()))
		t.rows[o] = slices.Delete(t.rows[o], i, i+1)
	}
}

func (t *table[R, P]) find(o order, p place) (int, bool) {
	return slices.BinarySearchFunc(t.rows[o], p, func(r *R, p place) int { return o.place(P(r).hd()).compare(p) })
}

// scope says which records a scan visits: in an order, after a place, with lastUpdated from lo to hi inclusive. The
// bounds are a promise that no other record is wanted, not a filter: records outside may be visited too.
type scope struct {
	order  order
	desc   bool
	after  *place
	lo, hi int64
}

// before tells whether a scan visits a sooner than b.
func (s scope) before(a, b *head) bool {
	return (s.order.place(a).compare(s.order.place(b)) < 0) != s.desc
}

func everything(o order) scope { return scope{order: o, lo: math.MinInt64, hi: math.MaxInt64} }

// scan visits records until visit returns false. The record is valid during the call only.
func (t *table[R, P]) scan(s scope, visit func(*R) bool) {
	b := t.baseCursor(s)
	rows := t.rows[s.order]
	j, step, end := 0, 1, len(rows)
	if s.desc {
		j, step, end = len(rows)-1, -1, -1
	}
	if s.after != nil {
		i, found := t.find(s.order, *s.after)
		switch {
		case !s.desc && found:
			j = i + 1
		case !s.desc:
			j = i
		default:
			j = i - 1
		}
	}
	var scratch R
	base := b.next(&scratch)
	for base != nil || j != end {
		r := base
		if base == nil || (j != end && s.before(P(rows[j]).hd(), P(base).hd())) {
			r = rows[j]
		}
		if !visit(r) {
			return
		}
		if r == base {
			base = b.next(&scratch)
		} else {
			j += step
		}
	}
}

// baseCursor walks the base in an order; positions are indices in the order of time and sequence numbers in that of ids.
type baseCursor[R any, P record[R]] struct {
	t        *table[R, P]
	s        scope
	pos, end int
	step     int
	// The day that pos is in, for the order of ids.
	slotFirst, slotPast int
	slot                int
}

func (t *table[R, P]) baseCursor(s scope) *baseCursor[R, P] {
	c := &baseCursor[R, P]{t: t, s: s, step: 1, end: t.base(), slot: -1}
	if s.desc {
		c.step, c.pos, c.end = -1, t.base()-1, -1
	}
	if t.base() == 0 || s.order == byMembership {
		c.pos = c.end
		return c
	}
	if s.order == byUpdated {
		if !s.desc && s.lo > math.MinInt64 {
			c.pos = t.axis.search(s.lo)
		}
		if s.desc && s.hi < math.MaxInt64 {
			c.pos = t.axis.search(s.hi+1) - 1
		}
	}
	if s.after != nil {
		// The first position whose place is behind after, in the direction of the walk.
		first := sort.Search(t.base(), func(i int) bool { return c.place(i).compare(*s.after) > 0 })
		if s.desc {
			if first > 0 && c.place(first-1) == *s.after {
				first--
			}
			c.pos = min(c.pos, first-1)
		} else {
			c.pos = max(c.pos, first)
		}
	}
	return c
}

func (c *baseCursor[R, P]) place(pos int) place {
	a := c.t.axis
	if c.s.order == byID {
		return place{0, a.seed.id(c.t.kind, pos)}
	}
	at, seq := a.locate(pos)
	return place{at, a.seed.id(c.t.kind, seq)}
}

func (c *baseCursor[R, P]) next(scratch *R) *R {
	a := c.t.axis
	for c.pos != c.end {
		i := c.pos
		if c.s.order == byID {
			if c.slot < 0 || c.pos < c.slotFirst || c.pos >= c.slotPast {
				_, c.slot = a.indexOf(c.pos)
				begin, end, first, past := a.span(c.slot)
				c.slotFirst, c.slotPast = first, past
				if end <= c.s.lo || begin > c.s.hi {
					c.pos = past
					if c.step < 0 {
						c.pos = first - 1
					}
					continue
				}
			}
			i = a.cum[a.order[c.slot]] + c.pos - c.slotFirst
		}
		c.pos += c.step
		if len(c.t.over) > 0 {
			if _, hidden := c.t.over[i]; hidden {
				continue
			}
		}
		c.t.fill(i, scratch)
		if c.s.order == byUpdated {
			if at := P(scratch).hd().updated; (c.step > 0 && at > c.s.hi) || (c.step < 0 && at < c.s.lo) {
				c.pos = c.end
				return nil
			}
		}
		return scratch
	}
	return nil
}

// view is a table as the API's plain reads see it, and as its search index does: the index learns of a change later.
type view[R any, P record[R]] struct {
	live, index *table[R, P]
}

func newView[R any, P record[R]](a *axis, kind idKind, fill func(int, *R)) view[R, P] {
	return view[R, P]{newTable[R, P](a, kind, fill), newTable[R, P](a, kind, fill)}
}
