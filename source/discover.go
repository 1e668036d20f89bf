package source

import (
	"source-okta/internal/airbyte"
	"source-okta/streams"
)

// discover answers the catalog. It asks Okta nothing: what a stream is does not depend on the org.
func discover(cfg *config) airbyte.Catalog {
	var catalog airbyte.Catalog
	for _, s := range cfg.streams() {
		catalog.Streams = append(catalog.Streams, describe(s, cfg.set))
	}
	return catalog
}

func describe(s *streams.Stream, set streams.Set) airbyte.Stream {
	var d airbyte.Stream
	d.Name = s.Name
	d.JSONSchema = s.Schema(set)
	d.SupportedSyncModes = []airbyte.SyncMode{airbyte.SyncModeFullRefresh}
	for _, k := range s.PrimaryKey(set) {
		d.SourceDefinedPrimaryKey = append(d.SourceDefinedPrimaryKey, []string{k})
	}
	if s.Cursor != nil {
		d.SupportedSyncModes = append(d.SupportedSyncModes, airbyte.SyncModeIncremental)
		d.SourceDefinedCursor = true
		d.DefaultCursorField = []string{s.Cursor.Field}
		d.IsResumable = true
	}
	return d
}
