package main

import (
	"bytes"
	"encoding/json"
	"math/bits"
	"regexp"
	"slices"
	"strings"
)

// kinds is a set of JSON types. null is not in it: every property of a stream may be null.
type kinds uint8

const (
	array kinds = 1 << iota
	boolean
	integer
	number
	object
	str

	anything = array | boolean | number | object | str
)

var kindNames = []string{"array", "boolean", "integer", "number", "object", "string"}

func kindOf(name string) kinds {
	if i := slices.Index(kindNames, name); i >= 0 {
		return 1 << i
	}
	return 0
}

func (k kinds) has(other kinds) bool { return k&other != 0 }

func (k kinds) count() int { return bits.OnesCount8(uint8(k)) }

func (k kinds) names() []string {
	var names []string
	for i, name := range kindNames {
		if k.has(1 << i) {
			names = append(names, name)
		}
	}
	return names
}

// node is one place in a stream's records: all that Okta's composed schemas say about it, merged.
type node struct {
	kinds       kinds // none: nothing is known yet
	format      string
	items       *node // nil: elements of any kind
	properties  map[string]*node
	open        bool // more properties than the listed ones are to be expected
	cut         bool // not followed further: recursion or too deep
	description string
}

// mode says how two schemas for one place relate.
type mode int

const (
	both   mode = iota // allOf: a value satisfies the two of them
	either             // oneOf, anyOf, discriminator: a value satisfies one of them
)

// merge widens n so that it admits what n and other admit together under m.
// Where two schemas contradict each other, also under both, the result admits either.
// A schema that knows nothing says nothing: Okta repeats a property in a sub-type just to give it an example.
func (n *node) merge(other *node, m mode) {
	if other.kinds == 0 {
		return
	}
	if n.kinds == 0 {
		*n = *other
		return
	}
	switch {
	case !other.kinds.has(str):
	case !n.kinds.has(str), n.format == "" && m == both:
		n.format = other.format
	case n.format != other.format && (other.format != "" || m == either):
		n.format = ""
	}
	switch {
	case !other.kinds.has(array):
	case !n.kinds.has(array), n.items == nil && m == both:
		n.items = other.items
	case n.items != nil && other.items != nil:
		n.items.merge(other.items, m)
	case m == either:
		n.items = nil
	}
	if n.kinds.has(object) && other.kinds.has(object) && m == either {
		n.open = true
	}
	n.open = n.open || other.open
	n.cut = n.cut || other.cut
	for name, property := range other.properties {
		if mine := n.properties[name]; mine != nil {
			mine.merge(property, m)
			continue
		}
		if n.properties == nil {
			n.properties = map[string]*node{}
		}
		n.properties[name] = property
	}
	n.kinds |= other.kinds
	if n.kinds.has(number) {
		n.kinds &^= integer
	}
}

// restrict leaves n one type and forgets what does not belong to it.
func (n *node) restrict(k kinds) {
	n.kinds = k
	if !k.has(str) {
		n.format = ""
	}
	if !k.has(array) {
		n.items = nil
	}
	if !k.has(object) {
		n.properties, n.open = nil, false
	}
}

// at finds the place with a path as walk makes them; nil if there is none, or none that is spelled out.
func (n *node) at(path string) *node {
	for _, step := range strings.Split(strings.ReplaceAll(path, "[]", ".[]"), ".") {
		switch {
		case n == nil:
			return nil
		case step == "[]":
			n = n.items
		case step != "":
			n = n.properties[step]
		}
	}
	return n
}

// walk calls visit for n and everything below it in the order of the output; paths look like "request.ipChain[].ip".
func (n *node) walk(path string, visit func(path string, n *node)) {
	visit(path, n)
	if n.items != nil {
		n.items.walk(path+"[]", visit)
	}
	for _, name := range n.names(nil) {
		below := name
		if path != "" {
			below = path + "." + name
		}
		n.properties[name].walk(below, visit)
	}
}

// shortened tells whether something in n is not followed to its end.
func (n *node) shortened() bool {
	var cut bool
	n.walk("", func(_ string, below *node) { cut = cut || below.cut })
	return cut
}

func (n *node) size() int {
	count := -1
	n.walk("", func(string, *node) { count++ })
	return count
}

// names lists the properties: those of first, then the others in alphabetical order.
func (n *node) names(first []string) []string {
	names := make([]string, 0, len(n.properties))
	for name := range n.properties {
		if !slices.Contains(first, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return append(slices.Clone(first), names...)
}

// draft07 renders n as the schema of a stream, pretty, with the properties of first in front.
func (n *node) draft07(first []string) []byte {
	var out bytes.Buffer
	out.WriteString(`{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","properties":`)
	n.writeProperties(&out, first)
	out.WriteString(`,"additionalProperties":true}`)
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, out.Bytes(), "", "  "); err != nil {
		panic(err) // written above
	}
	pretty.WriteByte('\n')
	return spreadTypes.ReplaceAllFunc(pretty.Bytes(), func(types []byte) []byte {
		return bytes.ReplaceAll(bytes.Join(bytes.Fields(types), nil), []byte(","), []byte(", "))
	})
}

// spreadTypes finds arrays of type names that json.Indent has spread over lines.
var spreadTypes = regexp.MustCompile(`\[\s+"null"(,\s+"[a-z]+")*\s+\]`)

// text is n as JSON.
func (n *node) text() string {
	var out bytes.Buffer
	n.write(&out)
	return out.String()
}

func (n *node) write(out *bytes.Buffer) {
	kinds := n.kinds
	if kinds == 0 {
		kinds = anything
	}
	out.WriteByte('{')
	if n.description != "" {
		out.WriteString(`"description":`)
		writeString(out, n.description)
		out.WriteByte(',')
	}
	out.WriteString(`"type":["null"`)
	for _, name := range kinds.names() {
		out.WriteByte(',')
		writeString(out, name)
	}
	out.WriteByte(']')
	if n.format != "" {
		out.WriteString(`,"format":`)
		writeString(out, n.format)
	}
	if n.items != nil {
		out.WriteString(`,"items":`)
		n.items.write(out)
	}
	if len(n.properties) > 0 {
		out.WriteString(`,"properties":`)
		n.writeProperties(out, nil)
	}
	if kinds.has(object) && (n.open || len(n.properties) == 0) {
		out.WriteString(`,"additionalProperties":true`)
	}
	out.WriteByte('}')
}

func (n *node) writeProperties(out *bytes.Buffer, first []string) {
	out.WriteByte('{')
	for i, name := range n.names(first) {
		if i > 0 {
			out.WriteByte(',')
		}
		writeString(out, name)
		out.WriteByte(':')
		n.properties[name].write(out)
	}
	out.WriteByte('}')
}

func writeString(out *bytes.Buffer, s string) {
	quoted, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always encodes
	}
	out.Write(quoted)
}
