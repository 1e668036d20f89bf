package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"source-okta/internal/oktasim"
)

func TestTheBoundIsThatOfTheSlowestBucket(t *testing.T) {
	limits := map[string]int{"/a": 100, "/b": 10}
	for _, c := range []struct {
		requests map[string]int
		share    int
		want     time.Duration
		binding  string
	}{
		{map[string]int{"/a": 80, "/b": 8}, 80, 0, "/a"},
		{map[string]int{"/a": 81, "/b": 8}, 80, time.Minute, "/a"},
		{map[string]int{"/a": 81, "/b": 25}, 80, 3 * time.Minute, "/b"},
		{map[string]int{"/b": 3}, 1, 2 * time.Minute, "/b"},
	} {
		bound, binding := shortest(c.requests, limits, c.share, time.Minute)
		assert.Equal(t, c.want, bound, "%v", c)
		assert.Equal(t, c.binding, binding, "%v", c)
	}
}

func TestTheFewestRequestsAreFullPagesOfWhatExists(t *testing.T) {
	o := oktasim.New(oktasim.Config{Seed: 3, Users: 401, Groups: 199, Events: 1001, CustomRoles: 11, ResourceSets: 10})
	n := fewest(o)
	holders := map[string]bool{}
	for r := range o.Records("user_role_assignments", "") {
		holders[r.Parents[0][1]] = true
	}
	require.NotEmpty(t, holders)
	assert.Equal(t, 3+len(holders), n[oktasim.BucketUsers])
	assert.Equal(t, 2, n[oktasim.BucketLogs])
	// Two pages of roles, the permissions of each, a page of resource sets and one of assignees.
	assert.Equal(t, 2+11+1+1, n[oktasim.BucketIAM])
	assert.Equal(t, 1, n[oktasim.BucketWellKnown])
	assert.Greater(t, n[oktasim.BucketGroups], 1, "members are asked for group by group")
	assert.LessOrEqual(t, n[oktasim.BucketGroups], 1+2*200, "no group is asked for members and roles more than once")
}

func TestRecordsAreCountedWhereverAWriteEnds(t *testing.T) {
	stdout := `{"type":"LOG","log":{}}` + "\n" + `{"type":"RECORD","record":{"stream":"users"}}` + "\n" +
		`{"type":"RECORD","record":{"stream":"users","data":{"a":"{\"type\":\"RECORD\""}}}` + "\n" + `{"type":"STATE"}` + "\n"
	for size := 1; size <= len(stdout); size++ {
		c := &counter{}
		_, err := io.CopyBuffer(struct{ io.Writer }{c}, struct{ io.Reader }{strings.NewReader(stdout)}, make([]byte, size))
		require.NoError(t, err)
		assert.EqualValues(t, 2, c.records, "in pieces of %d", size)
		assert.EqualValues(t, len(stdout), c.bytes)
	}
}

func TestRecordsAreComparedByContentAndKnownDifferencesSetApart(t *testing.T) {
	record := func(stream, data string) string {
		return `{"type":"RECORD","record":{"stream":"` + stream + `","emitted_at":1,"data":` + data + `}}` + "\n"
	}
	write := func(name string, lines ...string) string {
		file := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(file, []byte(strings.Join(lines, "")), 0o600))
		return file
	}
	ours := write("ours",
		`{"type":"LOG","log":{"message":"RECORD"}}`+"\n",
		record("users", `{"id":"1","n":1.0}`), record("users", `{"id":"2","lastLogin":null}`), record("users", `{"id":"3"}`), record("users", `{"id":"3"}`),
		record("logs", `{"published":"2026-01-02T03:04:05.678Z"}`))
	theirs := write("theirs",
		record("users", `{"n":1,"id":"1"}`), record("users", `{"id":"2"}`), record("users", `{"id":"3"}`), record("users", `{"id":"4"}`),
		record("logs", `{"published":"2026-01-02T03:04:05Z"}`), record("groups", `{}`))
	all, err := compare(ours, theirs)
	require.NoError(t, err)
	assert.Equal(t, []comparison{
		{Stream: "logs", Ours: 1, Theirs: 1, Reworded: 1},
		{Stream: "users", Ours: 4, Theirs: 4, Same: 2, Reworded: 1, OnlyOurs: 1, OnlyTheirs: 1},
		{Stream: "groups", Theirs: 1, OnlyTheirs: 1},
	}, all)
}

func TestAMeasuredProcessHasTimeMemoryAndOutput(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("there is no /proc to measure memory with")
	}
	var kept bytes.Buffer
	u, err := measure(t.Context(), command{Program: "/bin/sh", Args: []string{"-c", `echo '{"type":"RECORD"}'; exec sleep 0.1`}, Keep: &kept})
	require.NoError(t, err)
	assert.EqualValues(t, 1, u.Records)
	assert.Equal(t, "{\"type\":\"RECORD\"}\n", kept.String())
	assert.GreaterOrEqual(t, u.Wall, 100*time.Millisecond)
	assert.Less(t, u.Peak, int64(16<<20), "the peak is the child's own, not this process's")
	assert.Positive(t, u.Peak)

	_, err = measure(t.Context(), command{Program: "/bin/sh", Args: []string{"-c", `echo '{"type":"TRACE"}'; echo oops >&2; exit 3`}})
	require.Error(t, err)
	assert.ErrorContains(t, err, `{"type":"TRACE"}`)
	assert.ErrorContains(t, err, "oops")
}

func TestEmitPathWritesEveryRecordOfAPage(t *testing.T) {
	bodies, recorded, err := pageBodies(filepath.Join(t.TempDir(), "none"))
	require.NoError(t, err)
	assert.False(t, recorded)
	for _, page := range bodies {
		var out bytes.Buffer
		loop, err := newEmitLoop(t.Context(), page.body, &out)
		require.NoError(t, err)
		require.NoError(t, loop.page())
		require.NoError(t, loop.page())
		assert.EqualValues(t, 2*page.records, loop.out.Count(), page.name)
		require.NoError(t, newBoundLoop(page.body, io.Discard).page())
	}
}

// sample has every section, with goals held and missed.
func sample() map[string]any {
	u := usage{Wall: 2 * time.Second, CPU: time.Second, Peak: 20_000_000, Records: 10_000, Bytes: 1e7}
	slow := u
	slow.Wall, slow.CPU, slow.Peak = time.Minute, 20*time.Second, 50_000_000
	u.Others = 0.5
	windows := []rateWindow{{-3, 40, false}, {12, 96, true}, {27, 90, true}, {42, 6, false}}
	return map[string]any{
		"emit": emitResult{Recorded: true, Rounds: 1, Paths: []emitPath{{
			Page: "users", Writer: "pipe", Records: 200, Bytes: 300_000, Bound: pace{Page: time.Millisecond}, Emit: pace{Page: 1400 * time.Microsecond, Allocs: 90},
		}}},
		"rate": []rateResult{{
			Users: 100_000, Groups: 5_000, Events: 1_000_000, Window: 15 * time.Second, Share: 80, Run: u, Bound: 1950 * time.Millisecond, Binding: "/api/v1/logs",
			Buckets: []rateBucket{{Name: "/api/v1/logs", Rate: 96, Fewest: 200, Made: 232, Windows: windows}},
		}},
		"race": raceResult{
			Official: official, Ours: []time.Duration{5 * time.Millisecond}, Theirs: []time.Duration{3 * time.Second},
			Heats: []heat{{Name: "logs", Ours: &runner{Usage: u, Runs: 5}, Theirs: &runner{Usage: slow}, Streams: []comparison{{Stream: "logs", Ours: 2, Theirs: 2, Reworded: 2}}}},
		},
		"memory": memoryResult{Points: []memoryPoint{
			{Users: 100_000, Peaks: []int64{30_000_000, 31_000_000, 32_000_000}}, {Users: 1_000_000, Peaks: []int64{60_000_000}},
		}},
		"image": imageResult{Binary: 8e6, BinaryGzip: 3e6, Skipped: "no Docker engine answered"},
	}
}

func TestTheReportHoldsEachFigureAgainstItsGoal(t *testing.T) {
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "docs")
	for name, result := range sample() {
		require.NoError(t, save(filepath.Join(from, name+".json"), result))
	}
	var printed bytes.Buffer
	require.NoError(t, writeReport(from, to, &printed))
	text, err := os.ReadFile(filepath.Join(to, "performance.md"))
	require.NoError(t, err)
	assert.Equal(t, string(text), printed.String())
	for _, line := range []string{
		"| emit path to a pipe, the slowest kind of page | 1.40 × the bound | ≤ 1.6 | yes |",
		"| sync of the reference org, alone | 1.026 T* | ≤ 1.05 T* | yes |",
		"| logs, throughput against the official connector | 30 × | ≥ 30 × | yes |",
		"| logs, CPU per record | 1/20 | ≤ 1/50 | **no** |",
		"| logs, peak resident memory | 1/2.5 | ≤ 1/3 | **no** |",
		"| `spec`, cold | 600 × | ≥ 100 × | yes |",
		"| resident memory at 1 M users | 60.0 MB | ≤ 42.8 MB (1.25 × that of 100 k, + 4 MB) | **no** |",
		"| `/api/v1/logs` (binds) | 96 | 200 | 232 | 96.9 % | 0 | 0 |",
		"| `logs` | 2 | 2 | 0 | 2 | 0 | 0 |",
		"* **logs, CPU per record**: 1.0 KB of JSON a record",
		"Other programs took 50 % of the machine meanwhile.",
		"The image was not measured: no Docker engine answered.",
	} {
		assert.Contains(t, string(text), line)
	}
	assert.NotContains(t, string(text), "NaN")
	for _, name := range []string{"emit.svg", "rate-alone.svg", "race.svg", "memory.svg"} {
		assert.Contains(t, string(text), "]("+name+")")
		picture, err := os.ReadFile(filepath.Join(to, name))
		require.NoError(t, err)
		assertXML(t, picture)
	}
}

func assertXML(t *testing.T, text []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(text))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err)
	}
}
