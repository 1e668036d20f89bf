package oktasim

import (
	"slices"
	"strings"
)

// listing is a paged list of a table's records.
type listing[R any, P record[R]] struct {
	table *table[R, P]
	want  criteria[R]
	write func([]byte, *R) []byte
	// sortBy is what the list may be sorted by; nil: it comes in the order of ids.
	sortBy         vocabulary[R]
	def, low, high int
	whole          bool // one page, without a way on
}

func (l *listing[R, P]) page(c *call) *apiError {
	limit, e := c.limit(l.def, l.low, l.high)
	if e != nil {
		return e
	}
	s := scope{order: byID, lo: l.want.lo, hi: l.want.hi}
	if name := c.query.Get("sortBy"); name != "" && l.sortBy != nil {
		s.desc = strings.EqualFold(c.query.Get("sortOrder"), "desc") || strings.EqualFold(c.query.Get("sortOrder"), "descending")
		switch name {
		case "lastUpdated":
			s.order = byUpdated
		case "lastMembershipUpdated":
			s.order = byMembership
		case "id":
		default:
			return l.sorted(c, name, s.desc, limit)
		}
		if _, ok := l.sortBy(name); !ok {
			return badSearch("The list can't be sorted by '" + name + "'.")
		}
	}
	if s.after, e = c.afterPlace(); e != nil {
		return e
	}
	c.selfLink(limit)
	c.b = append(c.b, '[')
	written, more := 0, false
	var last place
	l.table.scan(s, func(r *R) bool {
		if !l.want.match(r) {
			return true
		}
		if written == limit {
			more = true
			return false
		}
		if written > 0 {
			c.b = append(c.b, ',')
		}
		c.b = l.write(c.b, r)
		last = s.order.place(P(r).hd())
		written++
		return true
	})
	c.b = append(c.b, ']')
	if more && !l.whole {
		c.nextLink(c.sealPlace(last), limit)
	}
	return nil
}

// sorted is the page of a list sorted by an attribute that has no order of its own here: it gathers the whole list.
func (l *listing[R, P]) sorted(c *call, name string, desc bool, limit int) *apiError {
	attr, ok := l.sortBy(name)
	if !ok {
		return badSearch("The list can't be sorted by '" + name + "'.")
	}
	skip, e := c.afterPosition()
	if e != nil {
		return e
	}
	type row struct {
		n    int
		id   ident
		at   int64
		text string
	}
	var rows []row
	l.table.scan(scope{order: byID, lo: l.want.lo, hi: l.want.hi}, func(r *R) bool {
		if l.want.match(r) {
			x := row{n: P(r).hd().n, id: P(r).hd().id}
			if attr.at != nil {
				x.at = attr.at(r)
			} else {
				x.text = strings.ToLower(attr.text(r))
			}
			rows = append(rows, x)
		}
		return true
	})
	slices.SortFunc(rows, func(a, b row) int {
		d := strings.Compare(a.text, b.text)
		if a.at != b.at {
			d = 1
			if a.at < b.at {
				d = -1
			}
		}
		if d == 0 {
			d = a.id.compare(b.id)
		}
		if desc {
			return -d
		}
		return d
	})
	c.selfLink(limit)
	c.b = append(c.b, '[')
	rows = rows[min(skip, len(rows)):]
	var scratch R
	for i, x := range rows[:min(limit, len(rows))] {
		if i > 0 {
			c.b = append(c.b, ',')
		}
		c.b = l.write(c.b, l.table.get(x.n, &scratch))
	}
	c.b = append(c.b, ']')
	if len(rows) > limit {
		c.nextLink(c.sealPosition(skip+limit), limit)
	}
	return nil
}
