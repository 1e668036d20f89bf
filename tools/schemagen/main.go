// Command schemagen writes schemas/*.json, the JSON Schemas of the connector's streams, from Okta's API description
// (OpenAPI, https://github.com/okta/okta-management-openapi-spec), the list of streams in streams.yaml and the corrections of the
// description in corrections.yaml. Where recorded answers of Okta are at hand, no schema is written that refuses one of them.
//
//	go -C tools run ./schemagen
package main

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

func main() {
	root := flag.String("root", "..", "the repository's `directory`")
	openapi := flag.String("openapi", "", "`directory` of the API descriptions (default ROOT/../shared/okta-openapi)")
	recordings := flag.String("recordings", "", "`directory` of recorded answers (default ROOT/../shared/recordings, unless it is missing)")
	flag.Parse()
	if err := run(*root, *openapi, *recordings, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "schemagen:", err)
		os.Exit(1)
	}
}

func run(root, openapi, recordings string, out io.Writer) error {
	if openapi == "" {
		openapi = filepath.Join(root, "..", "shared", "okta-openapi")
	}
	if recordings == "" {
		if found := filepath.Join(root, "..", "shared", "recordings"); isDir(found) {
			recordings = found
		}
	}
	here := filepath.Join(root, "tools", "schemagen")
	streams, err := loadCatalogue(filepath.Join(here, "streams.yaml"))
	if err != nil {
		return err
	}
	mended, err := loadCorrections(filepath.Join(here, "corrections.yaml"))
	if err != nil {
		return err
	}
	schemas, err := streams.generate(openapi, mended)
	if err != nil {
		return err
	}
	records := map[string][]any{}
	if recordings != "" {
		if records, err = readRecordings(recordings, streams); err != nil {
			return err
		}
	}
	if err := report(out, schemas, records); err != nil {
		return err
	}
	for name, g := range schemas {
		if err := os.WriteFile(filepath.Join(root, "schemas", name+".json"), g.text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// report prints a line for each schema and then what the records say that the schemas do not.
// It fails where a record does not validate.
func report(out io.Writer, schemas map[string]generated, records map[string][]any) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	var notes, invalid []string
	fmt.Fprintln(table, "stream\tbytes\tproperties\tall levels\tlevels\trecords\tinvalid")
	for _, name := range slices.Sorted(maps.Keys(schemas)) {
		g := schemas[name]
		v, err := g.check(records[name])
		if err != nil {
			return fmt.Errorf("stream %s: %w", name, err)
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%d\n", name, len(g.text), len(g.tree.properties), g.tree.size(), g.levels, v.records, len(v.invalid))
		g.tree.walk("", func(path string, n *node) {
			if n.kinds.count() != 1 {
				notes = append(notes, fmt.Sprintf("%s: %s may be %s", name, path, strings.Join(n.kinds.names(), " or ")))
			}
		})
		for _, path := range v.timestamps {
			notes = append(notes, fmt.Sprintf("%s: %s held date-times only", name, path))
		}
		for _, found := range v.undeclared {
			notes = append(notes, fmt.Sprintf("%s: not in the schema: %s", name, found))
		}
		for _, failure := range v.invalid {
			invalid = append(invalid, name+"."+failure)
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if len(notes) > 0 {
		fmt.Fprintln(out, "\n"+strings.Join(notes, "\n"))
	}
	if len(invalid) > 0 {
		return fmt.Errorf("recorded answers do not validate; correct the description in corrections.yaml:\n%s", strings.Join(invalid, "\n"))
	}
	return nil
}
