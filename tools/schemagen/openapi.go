package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// document is the part of an OpenAPI 3.0 description that schemas are made from.
type document struct {
	Paths      map[string]map[string]pathEntry `yaml:"paths"`
	Components struct {
		Schemas   map[string]*schema  `yaml:"schemas"`
		Responses map[string]response `yaml:"responses"`
	} `yaml:"components"`
}

// pathEntry is an operation, or one of the other things a path item holds (parameters, servers), which leave it empty.
type pathEntry struct {
	OperationID string              `yaml:"operationId"`
	Responses   map[string]response `yaml:"responses"`
}

func (p *pathEntry) UnmarshalYAML(value *yaml.Node) error {
	if value.Kind != yaml.MappingNode {
		return nil
	}
	type plain pathEntry
	return value.Decode((*plain)(p))
}

type response struct {
	Ref     string `yaml:"$ref"`
	Content map[string]struct {
		Schema *schema `yaml:"schema"`
	} `yaml:"content"`
}

// schema is an OpenAPI 3.0 schema object without what does not survive into a stream's schema.
type schema struct {
	Ref                  string             `yaml:"$ref"`
	Type                 string             `yaml:"type"`
	Format               string             `yaml:"format"`
	Enum                 []yaml.Node        `yaml:"enum"`
	Items                *schema            `yaml:"items"`
	Properties           map[string]*schema `yaml:"properties"`
	AdditionalProperties additional         `yaml:"additionalProperties"`
	AllOf                []*schema          `yaml:"allOf"`
	OneOf                []*schema          `yaml:"oneOf"`
	AnyOf                []*schema          `yaml:"anyOf"`
	Discriminator        struct {
		Mapping map[string]string `yaml:"mapping"`
	} `yaml:"discriminator"`
	WriteOnly bool `yaml:"writeOnly"`
	// Extensible marks profiles that take custom properties, an extension of Okta's.
	Extensible bool `yaml:"x-okta-extensible"`
}

// additional tells whether further properties are announced: true or a schema for them.
type additional bool

func (a *additional) UnmarshalYAML(value *yaml.Node) error {
	*a = additional(value.Kind != yaml.ScalarNode || value.Value == "true")
	return nil
}

func loadDocument(path string) (*document, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var doc document
	if err := yaml.Load(text, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &doc, nil
}

const schemaPrefix = "#/components/schemas/"

func (d *document) component(ref string) (string, *schema, error) {
	name := strings.TrimPrefix(ref, schemaPrefix)
	s := d.Components.Schemas[name]
	if s == nil {
		return "", nil, fmt.Errorf("no schema %s", ref)
	}
	return name, s, nil
}

// answer finds the schema of the body that an operation's 200 carries.
func (d *document) answer(operation string) (*schema, error) {
	for _, entries := range d.Paths {
		for _, entry := range entries {
			if entry.OperationID != operation {
				continue
			}
			r := entry.Responses["200"]
			if name, ok := strings.CutPrefix(r.Ref, "#/components/responses/"); ok {
				r = d.Components.Responses[name]
			}
			var types []string
			for contentType := range r.Content {
				if strings.HasPrefix(contentType, "application/json") {
					types = append(types, contentType)
				}
			}
			if len(types) == 0 {
				return nil, fmt.Errorf("operation %s answers no JSON", operation)
			}
			return r.Content[slices.Min(types)].Schema, nil
		}
	}
	return nil, fmt.Errorf("no operation %s", operation)
}

// record finds the schema of one record in an answer: the answer itself, its elements, or the elements of its member.
func (d *document) record(answer *schema, member string) (*schema, error) {
	body, err := d.deref(answer)
	if err != nil {
		return nil, err
	}
	if member != "" {
		list := body.Properties[member]
		for _, part := range body.AllOf {
			if part, err = d.deref(part); err != nil {
				return nil, err
			} else if list == nil {
				list = part.Properties[member]
			}
		}
		if list == nil {
			return nil, fmt.Errorf("the answer has no member %q", member)
		}
		if body, err = d.deref(list); err != nil {
			return nil, err
		}
	}
	if body.Items != nil {
		return body.Items, nil
	}
	if member != "" {
		return nil, fmt.Errorf("member %q is no list", member)
	}
	return answer, nil
}

func (d *document) deref(s *schema) (*schema, error) {
	for s.Ref != "" {
		var err error
		if _, s, err = d.component(s.Ref); err != nil {
			return nil, err
		}
	}
	return s, nil
}
