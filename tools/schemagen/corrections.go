package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"go.yaml.in/yaml/v4"
)

// correction mends one statement of Okta's description. Either Schema (a name in components.schemas: mended wherever it is used) or Stream
// says whose, Property which ("request.ipChain[].ip"; empty: the whole). Exactly one of the others says how: Type is the only type it has,
// Add are properties it also has, As is what it is instead. Schemas in As and Add are written as in the description and may refer to it.
type correction struct {
	Schema   string             `yaml:"schema"`
	Stream   string             `yaml:"stream"`
	Property string             `yaml:"property"`
	Type     string             `yaml:"type"`
	Add      map[string]*schema `yaml:"add"`
	As       *schema            `yaml:"as"`
	Reason   string             `yaml:"reason"`
	Source   string             `yaml:"source"`

	effective bool // it changed something in this run
}

// subject names what corrections are for.
type subject struct{ schema, stream string }

func forSchema(name string) subject { return subject{schema: name} }
func forStream(name string) subject { return subject{stream: name} }

func (c *correction) subject() subject { return subject{schema: c.Schema, stream: c.Stream} }

func (c *correction) String() string {
	return strings.TrimSuffix(c.Schema+c.Stream+"."+c.Property, ".")
}

type corrections struct {
	all []*correction
}

func loadCorrections(path string) (*corrections, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var cs corrections
	if err := yaml.Load(text, &cs.all, yaml.WithKnownFields()); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, c := range cs.all {
		if (c.Schema == "") == (c.Stream == "") {
			return nil, fmt.Errorf("%s: correction %s: give a schema or a stream", path, c)
		}
		ways := 0
		for _, given := range []bool{c.Type != "", c.Add != nil, c.As != nil} {
			if given {
				ways++
			}
		}
		if ways != 1 {
			return nil, fmt.Errorf("%s: correction %s: give one of type, add and as", path, c)
		}
		if c.Type != "" && kindOf(c.Type) == 0 {
			return nil, fmt.Errorf("%s: correction %s: %q is no type", path, c, c.Type)
		}
		if c.Reason == "" || c.Source == "" {
			return nil, fmt.Errorf("%s: correction %s: give the reason and its source", path, c)
		}
	}
	return &cs, nil
}

// idle lists the corrections that changed nothing: the description has been mended, or no stream uses what they are for.
func (cs *corrections) idle() []string {
	var idle []string
	for _, c := range cs.all {
		if !c.effective {
			idle = append(idle, c.String())
		}
	}
	return idle
}

func (cs *corrections) apply(to subject, n *node, f *flattener) error {
	for _, c := range cs.all {
		if c.subject() != to {
			continue
		}
		if err := c.apply(n, f); err != nil {
			return fmt.Errorf("correction %s: %w", c, err)
		}
	}
	return nil
}

func (c *correction) apply(n *node, f *flattener) error {
	target := n.at(c.Property)
	if target == nil || target.cut {
		if n.shortened() {
			return nil
		}
		return errors.New("there is no such property")
	}
	before := target.text()
	switch {
	case c.Type != "":
		target.restrict(kindOf(c.Type))
	case c.As != nil:
		replacement, err := f.flatten(c.As, place{})
		if err != nil {
			return err
		}
		*target = *replacement
	default:
		if target.properties == nil {
			target.properties = map[string]*node{}
		}
		for name, s := range c.Add {
			if target.properties[name] != nil {
				return fmt.Errorf("%s is described already", name)
			}
			added, err := f.flatten(s, place{})
			if err != nil {
				return err
			}
			target.properties[name] = added
		}
	}
	c.effective = c.effective || target.text() != before
	return nil
}
