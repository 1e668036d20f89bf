package airbyte

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	sdk "github.com/bitstrapped/airbyte"
)

// Catalog is the answer to discover.
type Catalog struct {
	Streams []Stream `json:"streams"`
}

// Stream describes one stream. SupportedSyncModes, SourceDefinedCursor, DefaultCursorField and SourceDefinedPrimaryKey are
// those of the embedded SDK type. The fields declared here take the place of the SDK's fields of the same name, on the wire
// and in Go.
type Stream struct {
	Name       string          `json:"name"`        // the SDK's, moved to the front of the object
	JSONSchema json.RawMessage `json:"json_schema"` // written byte for byte, less white space between tokens
	sdk.Stream
	Namespace   string `json:"namespace,omitempty"` // always empty in a source without namespaces
	IsResumable bool   `json:"is_resumable"`
	IsFileBased bool   `json:"is_file_based"`
}

// ConfiguredCatalog is what a read is asked for.
type ConfiguredCatalog struct {
	Streams []ConfiguredStream `json:"streams"`
}

// ConfiguredStream is one selected stream. SyncMode and DestinationSyncMode are those of the embedded SDK type.
type ConfiguredStream struct {
	Stream Stream `json:"stream"`
	sdk.ConfiguredStream
	CursorField []string   `json:"cursor_field,omitempty"`
	PrimaryKey  [][]string `json:"primary_key,omitempty"` // paths; none of them is empty after DecodeCatalog
}

// Name returns the stream's name.
func (s *ConfiguredStream) Name() string { return s.Stream.Name }

// Properties returns the sorted names of the selected top-level properties, that is the keys of json_schema.properties. It is
// nil when the schema has no object `properties`, and not nil but empty when that object is empty.
func (s *ConfiguredStream) Properties() []string {
	properties, ok := asObject(s.Stream.JSONSchema)
	if ok {
		properties, ok = asObject(properties["properties"])
	}
	if !ok {
		return nil
	}
	names := slices.AppendSeq(make([]string, 0, len(properties)), maps.Keys(properties))
	slices.Sort(names)
	return names
}

// DecodeCatalog decodes a configured catalog as the platform, PyAirbyte or a person writes it. Nulls stand for absent keys and
// unknown keys are passed over. What a source acts on must have its type: a name for each stream, sync_mode, cursor_field
// and primary_key; an unknown sync_mode is left to the caller, who can fail that stream alone. What is meant for destinations
// and forms is taken when it fits its type and left zero when not. Of several entries with one name the first counts: a
// stream is read once, and its records serve them all.
//
// An error is an *InputError.
func DecodeCatalog(b []byte) (*ConfiguredCatalog, error) {
	doc, err := document("catalog", b)
	if err != nil {
		return nil, err
	}
	top, ok := asObject(doc)
	if !ok {
		return nil, &InputError{Problem: "the catalog must be a JSON object"}
	}
	entries, ok := asArray(top["streams"])
	if !ok {
		return nil, &InputError{Field: "streams", Problem: "must be an array"}
	}
	catalog := &ConfiguredCatalog{Streams: make([]ConfiguredStream, 0, len(entries))}
	seen := make(map[string]bool, len(entries))
	for i, raw := range entries {
		stream, err := decodeConfiguredStream(fmt.Sprintf("streams[%d]", i), raw)
		if err != nil {
			return nil, err
		}
		if !seen[stream.Name()] {
			seen[stream.Name()] = true
			catalog.Streams = append(catalog.Streams, stream)
		}
	}
	return catalog, nil
}

func decodeConfiguredStream(path string, raw json.RawMessage) (c ConfiguredStream, err error) {
	entry, ok := asObject(raw)
	if !ok {
		return c, &InputError{Field: path, Problem: "must be an object"}
	}
	stream, ok := asObject(entry["stream"])
	if !ok {
		return c, &InputError{Field: path + ".stream", Problem: "must be an object"}
	}
	if !fits(stream["name"], &c.Stream.Name) || c.Stream.Name == "" {
		return c, &InputError{Field: path + ".stream.name", Problem: "must be a non-empty string"}
	}
	if !fits(entry["sync_mode"], &c.SyncMode) {
		return c, &InputError{Field: path + ".sync_mode", Problem: "must be a string"}
	}
	if !fits(entry["cursor_field"], &c.CursorField) {
		return c, &InputError{Field: path + ".cursor_field", Problem: "must be an array of strings"}
	}
	if !fits(entry["primary_key"], &c.PrimaryKey) {
		return c, &InputError{Field: path + ".primary_key", Problem: "must be an array of arrays of strings"}
	}
	c.PrimaryKey = slices.DeleteFunc(c.PrimaryKey, func(key []string) bool { return len(key) == 0 })
	if schema := stream["json_schema"]; !absent(schema) {
		c.Stream.JSONSchema = schema
	}

	fits(entry["destination_sync_mode"], &c.DestinationSyncMode)
	fits(stream["supported_sync_modes"], &c.Stream.SupportedSyncModes)
	fits(stream["source_defined_cursor"], &c.Stream.SourceDefinedCursor)
	fits(stream["default_cursor_field"], &c.Stream.DefaultCursorField)
	fits(stream["source_defined_primary_key"], &c.Stream.SourceDefinedPrimaryKey)
	fits(stream["namespace"], &c.Stream.Namespace)
	fits(stream["is_resumable"], &c.Stream.IsResumable)
	fits(stream["is_file_based"], &c.Stream.IsFileBased)
	return c, nil
}
