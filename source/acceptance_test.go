package source_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
	"go.yaml.in/yaml/v3"

	"source-okta/internal/oktasim"
	"source-okta/streams"
)

// acceptance is acceptance-test-config.yml, as far as these tests act on it.
type acceptance struct {
	Tests map[string]struct {
		Tests []struct {
			Spec    string `yaml:"spec_path"`
			Config  string `yaml:"config_path"`
			Catalog string `yaml:"configured_catalog_path"`
			Status  string `yaml:"status"`
			Future  struct {
				State string `yaml:"future_state_path"`
			} `yaml:"future_state"`
		} `yaml:"tests"`
	} `yaml:"acceptance_tests"`
}

// TestAcceptanceConfig executes acceptance-test-config.yml, every entry of every section, on a simulated org.
func TestAcceptanceConfig(t *testing.T) {
	raw, err := os.ReadFile("../acceptance-test-config.yml")
	require.NoError(t, err)
	var cfg acceptance
	require.NoError(t, yaml.Unmarshal(raw, &cfg))
	assert.ElementsMatch(t, []string{"spec", "connection", "discovery", "basic_read", "full_refresh", "incremental"}, slices.Collect(maps.Keys(cfg.Tests)))

	org := oktasim.New(oktasim.Config{Seed: 7, Users: 120, Groups: 20, Apps: 8, Devices: 25, Events: 1_500})
	abs := func(name string) string {
		path, err := filepath.Abs(filepath.Join("..", name))
		require.NoError(t, err)
		return path
	}
	run := func(t *testing.T, args ...string) result { return runWith(t, org, nil, nil, args...) }
	discovered := func(t *testing.T, config string) gjson.Result {
		r := run(t, "discover", "--config", abs(config))
		require.Zero(t, r.code)
		require.Len(t, r.of("CATALOG"), 1)
		return r.of("CATALOG")[0].Get("catalog.streams")
	}
	for section, entries := range cfg.Tests {
		require.NotEmpty(t, entries.Tests, section)
		for _, e := range entries.Tests {
			t.Run(section+" "+filepath.Base(e.Config), func(t *testing.T) {
				switch section {
				case "spec":
					want, err := os.ReadFile(abs(e.Spec))
					require.NoError(t, err)
					assert.JSONEq(t, string(want), run(t, "spec").lines[0].Get("spec").Raw)
				case "connection":
					r := run(t, "check", "--config", abs(e.Config))
					want := map[string]string{"succeed": "SUCCEEDED", "failed": "FAILED"}[e.Status]
					require.Len(t, r.of("CONNECTION_STATUS"), 1)
					assert.Equal(t, want, r.of("CONNECTION_STATUS")[0].Get("connectionStatus.status").Str)
					assert.Empty(t, r.errors())
					assert.Zero(t, r.code)
				case "discovery":
					names := map[string]bool{}
					for _, s := range discovered(t, e.Config).Array() {
						assert.False(t, names[s.Get("name").Str])
						names[s.Get("name").Str] = true
					}
					assert.GreaterOrEqual(t, len(names), 9)
				case "basic_read":
					readAll(t, run, abs(e.Config), discovered(t, e.Config))
				case "full_refresh":
					first := run(t, "read", "--config", abs(e.Config), "--catalog", abs(e.Catalog))
					second := run(t, "read", "--config", abs(e.Config), "--catalog", abs(e.Catalog))
					require.Zero(t, first.code)
					require.NotEmpty(t, first.of("RECORD"))
					assert.ElementsMatch(t, dataOf(first), dataOf(second))
				case "incremental":
					first := run(t, "read", "--config", abs(e.Config), "--catalog", abs(e.Catalog))
					require.Zero(t, first.code)
					require.NotEmpty(t, first.of("RECORD"))
					var states []json.RawMessage
					for _, s := range first.of("STATE") {
						states = append(states, json.RawMessage(s.Get("state").Raw))
					}
					b, err := json.Marshal(states)
					require.NoError(t, err)
					path := filepath.Join(t.TempDir(), "state.json")
					require.NoError(t, os.WriteFile(path, b, 0o600))
					assert.Empty(t, run(t, "read", "--config", abs(e.Config), "--catalog", abs(e.Catalog), "--state", path).of("RECORD"))
					assert.Empty(t, run(t, "read", "--config", abs(e.Config), "--catalog", abs(e.Catalog), "--state", abs(e.Future.State)).of("RECORD"))
				default:
					t.Errorf("nothing executes section %s", section)
				}
			})
		}
	}
}

// readAll reads every discovered stream: none is empty, and every record fits its schema.
func readAll(t *testing.T, run func(*testing.T, ...string) result, config string, discovered gjson.Result) {
	t.Helper()
	var list []*streams.Stream
	for _, d := range discovered.Array() {
		s, ok := streams.Named(d.Get("name").Str)
		require.True(t, ok)
		list = append(list, s)
	}
	path := filepath.Join(t.TempDir(), "catalog.json")
	require.NoError(t, os.WriteFile(path, []byte(configuredCatalog("full_refresh", list...)), 0o600))
	r := run(t, "read", "--config", config, "--catalog", path)
	require.Zero(t, r.code)
	for _, s := range list {
		assert.NotEmpty(t, recordsOf(r, s.Name), s.Name)
		checkRecords(t, s, r)
	}
}

func dataOf(r result) (out []string) {
	for _, l := range r.of("RECORD") {
		out = append(out, l.Get("record.stream").Str+l.Get("record.data").Raw)
	}
	return out
}
