package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// verdict is what the recorded bodies of a stream say about its schema.
type verdict struct {
	records    int
	invalid    []string // what does not validate, with the path
	undeclared []string // paths in records that the schema does not declare, with one value each
	timestamps []string // declared plain strings that held an RFC 3339 date-time every time
}

// recording is one line of a file of recordings: an answer of an operation, or one system log event.
type recording struct {
	Operation string          `json:"operationId"`
	Body      json.RawMessage `json:"body"`
	Event     json.RawMessage `json:"event"`
	Kind      string          `json:"kind"`
}

// readRecordings collects the recorded records of each stream from the *.jsonl files in dir.
func readRecordings(dir string, c *catalogue) (map[string][]any, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil {
		return nil, err
	}
	records := map[string][]any{}
	for _, file := range files {
		if filepath.Base(file) == "errors.jsonl" {
			continue
		}
		if err := readRecordingsFile(file, c, records); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return records, nil
}

func readRecordingsFile(path string, c *catalogue, records map[string][]any) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var line recording
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return err
		}
		if line.Kind == "documentation" { // examples out of manuals: they have numbers where Okta sends strings
			continue
		}
		if line.Event != nil {
			line.Operation, line.Body = "listLogEvents", line.Event
		}
		for name, s := range c.Streams {
			if s.Operation != line.Operation {
				continue
			}
			body, err := jsonschema.UnmarshalJSON(bytes.NewReader(line.Body))
			if err != nil {
				return err
			}
			if wrapper, ok := body.(map[string]any); ok && s.Records != "" {
				body = wrapper[s.Records]
			}
			if list, ok := body.([]any); ok {
				records[name] = append(records[name], list...)
			} else {
				records[name] = append(records[name], body)
			}
		}
	}
	return lines.Err()
}

// check validates records as the strictest reader does: draft-07 with formats, and 1.0 is no integer.
func (g generated) check(records []any) (verdict, error) {
	v := verdict{records: len(records)}
	resource, err := jsonschema.UnmarshalJSON(bytes.NewReader(g.text))
	if err != nil {
		return v, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("stream.json", resource); err != nil {
		return v, err
	}
	compiled, err := compiler.Compile("stream.json")
	if err != nil {
		return v, err
	}
	seen := &observations{undeclared: map[string]string{}, plain: map[string]bool{}}
	for _, record := range records {
		if err := compiled.Validate(record); err != nil {
			var invalid *jsonschema.ValidationError
			if !errors.As(err, &invalid) {
				return v, err
			}
			v.invalid = append(v.invalid, causes(invalid)...)
		}
		seen.compare("", record, g.tree)
	}
	v.invalid = append(v.invalid, seen.fractions...)
	slices.Sort(v.invalid)
	v.invalid = slices.Compact(v.invalid)
	for _, path := range slices.Sorted(maps.Keys(seen.undeclared)) {
		v.undeclared = append(v.undeclared, path+" "+seen.undeclared[path])
	}
	for _, path := range slices.Sorted(maps.Keys(seen.plain)) {
		if seen.plain[path] {
			v.timestamps = append(v.timestamps, path)
		}
	}
	return v, nil
}

func causes(e *jsonschema.ValidationError) []string {
	if len(e.Causes) == 0 {
		return []string{strings.Join(e.InstanceLocation, ".") + ": " + strings.TrimSpace(e.BasicOutput().Error.String())}
	}
	var all []string
	for _, cause := range e.Causes {
		all = append(all, causes(cause)...)
	}
	return all
}

type observations struct {
	fractions  []string
	undeclared map[string]string // path to a value
	plain      map[string]bool   // path of a string without format to whether every value was a date-time
}

func (o *observations) compare(path string, value any, n *node) {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			below := strings.TrimPrefix(path+"."+name, ".")
			property := n.properties[name]
			switch {
			case property != nil:
				o.compare(below, member, property)
			case n.kinds.has(object) && len(n.properties) > 0 && member != nil && name != "_embedded":
				shown, _ := json.Marshal(member)
				o.undeclared[below] = string(shown[:min(len(shown), 80)])
			}
		}
	case []any:
		if n.items != nil {
			for _, element := range value {
				o.compare(path+"[]", element, n.items)
			}
		}
	case json.Number:
		if n.kinds.has(integer) && strings.ContainsAny(value.String(), ".eE") {
			o.fractions = append(o.fractions, path+": "+value.String()+" is no integer")
		}
	case string:
		if n.kinds == str && n.format == "" {
			_, err := time.Parse(time.RFC3339Nano, value)
			before, known := o.plain[path]
			o.plain[path] = err == nil && (before || !known)
		}
	}
}
