package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// flattener turns a description's schemas, which refer to each other, into trees.
type flattener struct {
	document    *document
	corrections *corrections
	maxDepth    int
}

// place is where in a record the flattener stands.
type place struct {
	depth int
	// above are the components being expanded at enclosing places: one of them again is recursion.
	above []string
	// here are the components being composed at this very place. One of them again adds nothing:
	// Okta's sub-types hold their base type in allOf, and the base type's discriminator leads back to them.
	here []string
}

func (p place) composing(name string) place {
	p.here = append(slices.Clone(p.here), name)
	return p
}

func (p place) below() place {
	return place{depth: p.depth + 1, above: append(slices.Clone(p.above), p.here...)}
}

func (f *flattener) flatten(s *schema, at place) (*node, error) {
	if s.Ref != "" {
		name, target, err := f.document.component(s.Ref)
		if err != nil {
			return nil, err
		}
		if slices.Contains(at.here, name) {
			return &node{kinds: object}, nil
		}
		if slices.Contains(at.above, name) {
			at.depth = f.maxDepth
		}
		n, err := f.flatten(target, at.composing(name))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return n, f.corrections.apply(forSchema(name), n, f)
	}
	n, err := f.own(s, at)
	if err != nil {
		return nil, err
	}
	for _, part := range s.AllOf {
		m, err := f.flatten(part, at)
		if err != nil {
			return nil, err
		}
		n.merge(m, both)
	}
	var union *node
	alternatives := f.alternatives(s, at)
	for _, alternative := range alternatives {
		m, err := f.flatten(alternative, at)
		if err != nil {
			return nil, err
		}
		if union == nil {
			union = m
		} else {
			union.merge(m, either)
		}
	}
	if union != nil {
		union.open = union.open || len(alternatives) > 1
		n.merge(union, both)
	}
	return n, nil
}

// alternatives lists the schemas of which a value of s satisfies one. A discriminator counts where a base type is asked for,
// not where the base type is part of one of its own sub-types.
func (f *flattener) alternatives(s *schema, at place) []*schema {
	if listed := slices.Concat(s.OneOf, s.AnyOf); len(listed) > 0 {
		return listed
	}
	refs := slices.Compact(slices.Sorted(maps.Values(s.Discriminator.Mapping)))
	var alternatives []*schema
	for _, ref := range refs {
		name := strings.TrimPrefix(ref, schemaPrefix)
		if i := slices.Index(at.here, name); i >= 0 && i < len(at.here)-1 {
			return nil
		}
		alternatives = append(alternatives, &schema{Ref: schemaPrefix + name})
	}
	return alternatives
}

var scalarKinds = map[string]kinds{"!!str": str, "!!int": integer, "!!float": number, "!!bool": boolean}

// own reads what a schema says itself, without its compositions.
func (f *flattener) own(s *schema, at place) (*node, error) {
	n := &node{kinds: kindOf(s.Type), open: bool(s.AdditionalProperties) || s.Extensible}
	if s.Type == "" {
		for _, value := range s.Enum {
			n.kinds |= scalarKinds[value.ShortTag()]
		}
		if s.Items != nil {
			n.kinds |= array
		}
		if len(s.Properties) > 0 || n.open {
			n.kinds |= object
		}
	}
	if n.kinds.has(str) && (s.Format == "date-time" || s.Format == "date") {
		n.format = s.Format
	}
	if s.Items == nil && len(s.Properties) == 0 {
		return n, nil
	}
	if at.depth >= f.maxDepth {
		n.cut = true
		return n, nil
	}
	var err error
	if s.Items != nil {
		if n.items, err = f.flatten(s.Items, at.below()); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		property := s.Properties[name]
		if hidden, err := f.hidden(name, property); err != nil {
			return nil, err
		} else if hidden {
			continue
		}
		p := &node{kinds: object, open: true}
		if name != "_links" {
			if p, err = f.flatten(property, at.below()); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
		if n.properties == nil {
			n.properties = map[string]*node{}
		}
		n.properties[name] = p
	}
	return n, nil
}

// hidden tells which properties no schema declares: those that no read returns, those that are only there when asked for,
// and names that a platform, looking for keywords at any depth, would take for one (user schemas have a $schema and an allOf).
func (f *flattener) hidden(name string, s *schema) (bool, error) {
	if name == "_embedded" || name == "allOf" || name == "not" || strings.HasPrefix(name, "$") {
		return true, nil
	}
	for _, part := range append([]*schema{s}, s.AllOf...) {
		target, err := f.document.deref(part)
		if err != nil {
			return false, err
		}
		if part.WriteOnly || target.WriteOnly {
			return true, nil
		}
	}
	return false, nil
}
