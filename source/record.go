package source

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"source-okta/internal/airbyte"
	"source-okta/streams"
)

// projection is what a record loses on its way out: members that our schema declares and the configured one omits, and
// what was only asked for to steer the read. Members that no schema knows pass, so that nothing new at Okta is lost.
type projection struct{ drop map[string]bool }

func newProjection(s *streams.Stream, set streams.Set, cs *airbyte.ConfiguredStream) projection {
	configured := map[string]bool{}
	for _, name := range cs.Properties() {
		configured[name] = true
	}
	p := projection{drop: map[string]bool{}}
	if !configured["_embedded"] {
		p.drop["_embedded"] = true
	}
	if len(configured) == 0 {
		return p
	}
	keep := map[string]bool{}
	for _, k := range append(s.PrimaryKey(set), s.Key...) {
		keep[k] = true
	}
	for _, path := range cs.PrimaryKey {
		if len(path) > 0 {
			keep[path[0]] = true
		}
	}
	if s.Cursor != nil {
		keep[s.Cursor.Field] = true
	}
	gjson.GetBytes(s.Schema(set), "properties").ForEach(func(name, _ gjson.Result) bool {
		if !configured[name.Str] && !keep[name.Str] {
			p.drop[name.Str] = true
		}
		return true
	})
	return p
}

// apply returns the records without what is dropped. Where a page has nothing to drop it is returned as it is.
func (p projection) apply(items []string) []string {
	if !p.touches(items) {
		return items
	}
	size := 0
	for _, it := range items {
		size += len(it)
	}
	var b strings.Builder
	b.Grow(size)
	ends := make([]int, len(items))
	for i, it := range items {
		b.WriteByte('{')
		first := true
		gjson.Parse(it).ForEach(func(k, v gjson.Result) bool {
			if p.drop[k.Str] {
				return true
			}
			if !first {
				b.WriteByte(',')
			}
			first = false
			b.WriteString(k.Raw)
			b.WriteByte(':')
			b.WriteString(v.Raw)
			return true
		})
		b.WriteByte('}')
		ends[i] = b.Len()
	}
	all := b.String()
	out := make([]string, len(items))
	start := 0
	for i, end := range ends {
		out[i], start = all[start:end], end
	}
	return out
}

func (p projection) touches(items []string) bool {
	if len(p.drop) == 1 && p.drop["_embedded"] {
		return len(items) > 0 && strings.Contains(items[0], `"_embedded"`)
	}
	return len(p.drop) > 0
}

// param is a path variable with its value.
type param struct{ name, value string }

// splice is the text that puts the parents' ids in front of a record's members.
func splice(params []param) string {
	var b strings.Builder
	for _, p := range params {
		b.WriteString(strconv.Quote(p.name))
		b.WriteByte(':')
		b.Write(quoteJSON(p.value))
		b.WriteByte(',')
	}
	return b.String()
}

// spliceable leaves out the ids that the record has of its own: Okta's value is never written over.
func spliceable(params []param, record string) []param {
	var kept []param
	for _, p := range params {
		if !gjson.Get(record, gjson.Escape(p.name)).Exists() {
			kept = append(kept, p)
		}
	}
	return kept
}

func quoteJSON(s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return b
}
