package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"
)

// catalogue is streams.yaml.
type catalogue struct {
	Descriptions map[string]string `yaml:"descriptions"` // name to file
	Streams      map[string]stream `yaml:"streams"`
}

type stream struct {
	// API is the name of a description; the management API's where it is empty.
	API       string   `yaml:"api"`
	Operation string   `yaml:"operation"`
	Records   string   `yaml:"records"`
	Parents   []string `yaml:"parents"`
}

func loadCatalogue(path string) (*catalogue, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var c catalogue
	if err := yaml.Load(text, &c, yaml.WithKnownFields()); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for name, s := range c.Streams {
		if s.API == "" {
			s.API = "management"
			c.Streams[name] = s
		}
	}
	return &c, nil
}

// maxDepth and maxSize bound a schema (levels; properties and items): beyond them objects are open instead of spelled out.
// Destinations make columns of the top level only, and the catalog with all schemas travels with every job.
const (
	maxDepth = 8
	maxSize  = 500
)

// generated is the schema of one stream.
type generated struct {
	tree   *node
	text   []byte // the file
	levels int    // how deep it is spelled out at most
}

// generate makes the schemas of all streams from the descriptions in dir.
func (c *catalogue) generate(dir string, cs *corrections) (map[string]generated, error) {
	documents := map[string]*document{}
	schemas := map[string]generated{}
	var failures []error
	for _, name := range slices.Sorted(maps.Keys(c.Streams)) {
		s := c.Streams[name]
		doc := documents[s.API]
		if doc == nil {
			file, ok := c.Descriptions[s.API]
			if !ok {
				return nil, fmt.Errorf("stream %s: no description of api %q is listed", name, s.API)
			}
			var err error
			if doc, err = loadDocument(filepath.Join(dir, file)); err != nil {
				return nil, err
			}
			documents[s.API] = doc
		}
		g, err := s.generate(name, doc, cs)
		if err != nil {
			failures = append(failures, fmt.Errorf("stream %s: %w", name, err))
			continue
		}
		schemas[name] = g
	}
	if len(failures) > 0 {
		return nil, errors.Join(failures...)
	}
	if idle := cs.idle(); len(idle) > 0 {
		return nil, fmt.Errorf("corrections that correct nothing any more: %s", strings.Join(idle, ", "))
	}
	return schemas, nil
}

func (s stream) generate(name string, doc *document, cs *corrections) (generated, error) {
	answer, err := doc.answer(s.Operation)
	if err != nil {
		return generated{}, err
	}
	record, err := doc.record(answer, s.Records)
	if err != nil {
		return generated{}, err
	}
	for levels := maxDepth; ; levels-- {
		f := &flattener{document: doc, corrections: cs, maxDepth: levels}
		tree, err := f.flatten(record, place{})
		if err != nil {
			return generated{}, err
		}
		if err := cs.apply(forStream(name), tree, f); err != nil {
			return generated{}, err
		}
		if tree.size() > maxSize && levels > 1 {
			continue
		}
		if !tree.kinds.has(object) || len(tree.properties) == 0 {
			return generated{}, fmt.Errorf("its records are no objects with properties")
		}
		for _, parent := range s.Parents {
			tree.properties[parent] = &node{kinds: str, description: parentDescription(parent)}
		}
		return generated{tree: tree, text: tree.draft07(s.Parents), levels: levels}, nil
	}
}

// parentDescription makes "Id of the resource set, part of the primary key." of resourceSetId.
func parentDescription(property string) string {
	var words strings.Builder
	for _, r := range strings.TrimSuffix(property, "Id") {
		if unicode.IsUpper(r) {
			words.WriteByte(' ')
		}
		words.WriteRune(unicode.ToLower(r))
	}
	return "Id of the " + words.String() + ", part of the primary key."
}
