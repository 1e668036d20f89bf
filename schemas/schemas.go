// Package schemas holds one JSON Schema per stream, in two sets.
//
// The core schemas, NAME.json, are ours: written by tools/schemagen from Okta's API description with its errors corrected,
// never by hand. They are draft-07 and plain enough for every destination: each type is a list with null, there is no $ref,
// no combination of schemas and nothing that forbids a property, because Okta adds properties without notice. Ids of parents that
// the connector puts in front of a record are declared first. _embedded is in none of them, and neither is a property whose
// name a platform could take for a keyword ($schema in user schemas).
//
// The compatible schemas, compatible/NAME.json, are those of the official source-okta, byte for byte when compact, with their
// faults: a connection that changes to this connector must find no difference in its catalog.
package schemas

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
)

//go:generate go -C ../tools run ./schemagen

//go:embed *.json compatible/*.json
var files embed.FS

var (
	core       = sync.OnceValue(func() map[string]func() json.RawMessage { return open(".") })
	compatible = sync.OnceValue(func() map[string]func() json.RawMessage { return open("compatible") })
)

// Core returns our schema of the stream, on one line; nil if there is none. Callers must not change it.
func Core(name string) json.RawMessage { return find(core(), name) }

// Compatible returns the official connector's schema of the stream, on one line; nil if it has no such stream.
// Callers must not change it.
func Compatible(name string) json.RawMessage { return find(compatible(), name) }

func find(set map[string]func() json.RawMessage, name string) json.RawMessage {
	schema, ok := set[name]
	if !ok {
		return nil
	}
	return schema()
}

// open lists the schemas in dir. Each is compacted when it is first asked for: most processes need few of them.
func open(dir string) map[string]func() json.RawMessage {
	entries, err := files.ReadDir(dir)
	if err != nil {
		panic(fmt.Sprintf("schemas: %v", err)) // embedded above
	}
	set := map[string]func() json.RawMessage{}
	for _, entry := range entries {
		name, ok := strings.CutSuffix(entry.Name(), ".json")
		if !ok {
			continue
		}
		set[name] = sync.OnceValue(func() json.RawMessage {
			var compact bytes.Buffer
			text, err := files.ReadFile(strings.TrimPrefix(dir+"/"+entry.Name(), "./"))
			if err == nil {
				err = json.Compact(&compact, text)
			}
			if err != nil {
				panic(fmt.Sprintf("schemas: %s: %v", entry.Name(), err)) // tests read every file
			}
			return compact.Bytes()
		})
	}
	return set
}
