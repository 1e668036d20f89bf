package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/tidwall/gjson"

	"source-okta/internal/oktasim"
)

// official is the connector to race against, on PyPI.
const official = "airbyte-source-okta==0.3.26"

// raceResult is the same work done by this connector and by the official one.
type raceResult struct {
	Official              string
	Skipped               string // why the official one did not run; "" if it did
	Users, Groups, Events int
	Latency               time.Duration
	Heats                 []heat
	Ours, Theirs          []time.Duration // cold starts of spec
}

// heat is a set of streams, read by both.
type heat struct {
	Name         string
	Ours, Theirs *runner
	Gzip         *runner // ours, with compression
	Streams      []comparison
}

type runner struct {
	Usage    usage
	Runs     int
	Requests int
	InFlight int // at most
}

func (r runner) throughput() float64 { return float64(r.Usage.Records) / r.Usage.Wall.Seconds() }

// comparison is how many records of a stream both have, after the known differences are taken away.
type comparison struct {
	Stream               string
	Ours, Theirs         int
	Same, Reworded       int
	OnlyOurs, OnlyTheirs int
}

// race reads an org without rate limits with both connectors, through a proxy, since the official one's host cannot be
// chosen.
func (b *bench) race(ctx context.Context) (*raceResult, error) {
	world := oktasim.Config{Seed: 1, Users: 5_000, Groups: 250, Events: 50_000}
	switch {
	case b.quick:
		world = oktasim.Config{Seed: 1, Users: 500, Groups: 25, Events: 5_000}
	case b.big:
		world = oktasim.Config{Seed: 1, Users: 50_000, Groups: 2_500, Events: 500_000}
	}
	world.Latency = 50 * time.Millisecond
	world.Born = time.Now().UTC().Truncate(time.Second)
	r := &raceResult{Official: official, Users: world.Users, Groups: world.Groups, Events: world.Events, Latency: world.Latency}
	theirs, err := b.installOfficial(ctx)
	if err != nil {
		r.Skipped = err.Error()
		b.say("without the official connector: %v", err)
	}
	zipped, err := b.open(ctx, "race-gzip", world, true)
	if err != nil {
		return nil, err
	}
	defer zipped.close(ctx)
	world.NoGzip = true
	plain, err := b.open(ctx, "race", world, true)
	if err != nil {
		return nil, err
	}
	defer plain.close(ctx)
	if err := b.coldStarts(ctx, r, theirs); err != nil {
		return nil, err
	}
	for _, h := range []struct {
		name    string
		streams []string
		start   time.Time
	}{
		// One start_date cannot serve both: the official one reads no log event if it is more than 180 days ago, and no
		// user or group that last changed before it. Without one it reads the last 7 days.
		{"directory", directory, world.Born.AddDate(-20, 0, 0)},
		{"logs", []string{"logs"}, world.Born.AddDate(0, 0, -120)},
	} {
		o := options{"start_date": h.start.Format("2006-01-02T15:04:05Z")}
		heat, err := b.runHeat(ctx, h.name, h.streams, o, plain, zipped, theirs)
		if err != nil {
			return nil, err
		}
		r.Heats = append(r.Heats, *heat)
	}
	return r, nil
}

func (b *bench) runHeat(ctx context.Context, name string, streams []string, o options, plain, zipped *site, theirs string) (*heat, error) {
	times := 5
	if b.quick {
		times = 2
	}
	h := &heat{Name: name}
	read, err := plain.read(ctx, o, streams...)
	if err != nil {
		return nil, err
	}
	if h.Ours, err = plain.timed(ctx, read, times); err != nil {
		return nil, err
	}
	readZipped, err := zipped.read(ctx, o, streams...)
	if err != nil {
		return nil, err
	}
	if h.Gzip, err = zipped.timed(ctx, readZipped, times); err != nil {
		return nil, err
	}
	if err := b.profileRun(ctx, "race-"+name, read); err != nil {
		return nil, err
	}
	if err := b.profileRun(ctx, "race-"+name+"-gzip", readZipped); err != nil {
		return nil, err
	}
	b.say("%s, ours: %s", name, h.Ours.Usage.Wall.Round(time.Millisecond))
	if theirs == "" {
		return h, nil
	}
	files := [2]string{filepath.Join(b.dir, name+"-ours.jsonl"), filepath.Join(b.dir, name+"-theirs.jsonl")}
	if _, err := plain.kept(ctx, read, files[0]); err != nil {
		return nil, err
	}
	read.Program = theirs
	if h.Theirs, err = plain.kept(ctx, read, files[1]); err != nil {
		return nil, err
	}
	b.say("%s, official: %s", name, h.Theirs.Usage.Wall.Round(time.Millisecond))
	h.Streams, err = compare(files[0], files[1])
	return h, err
}

// timed measures a read several times; its output is read and forgotten.
func (s *site) timed(ctx context.Context, c command, times int) (*runner, error) {
	s.org.ResetStats()
	runs, err := s.b.quietly(ctx, times, c)
	if err != nil {
		return nil, err
	}
	s.org.ResetStats()
	last, err := measure(ctx, c) // for the number of requests of one run
	if err != nil {
		return nil, err
	}
	if last.Records != runs[0].Records {
		return nil, fmt.Errorf("one read had %d records, another %d", runs[0].Records, last.Records)
	}
	r := s.counted(median(runs))
	r.Runs = times
	return r, nil
}

// kept measures one read, whose output is kept in a file.
func (s *site) kept(ctx context.Context, c command, file string) (*runner, error) {
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	c.Keep = f
	s.org.ResetStats()
	u, err := measure(ctx, c)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return s.counted(u), nil
}

// counted adds the org's books since they were opened to a run.
func (s *site) counted(u usage) *runner {
	r := &runner{Usage: u, Runs: 1}
	for _, st := range s.org.Stats() {
		r.Requests += st.Requests
		r.InFlight = max(r.InFlight, st.MaxInFlight)
	}
	return r
}

// coldStarts measures how long both take to answer spec.
func (b *bench) coldStarts(ctx context.Context, r *raceResult, theirs string) error {
	for range 20 {
		u, err := measure(ctx, command{Program: b.binary, Args: []string{"spec"}})
		if err != nil {
			return err
		}
		r.Ours = append(r.Ours, u.Wall)
	}
	if theirs == "" {
		return nil
	}
	// Its first start compiles it, and is not counted.
	times := 4
	if b.quick {
		times = 2
	}
	for i := range times {
		u, err := measure(ctx, command{Program: theirs, Args: []string{"spec"}})
		if err != nil {
			return err
		}
		if i > 0 {
			r.Theirs = append(r.Theirs, u.Wall)
		}
	}
	return nil
}

// installOfficial returns the official connector's program, installed once and kept. A quick run does not install it.
func (b *bench) installOfficial(ctx context.Context) (string, error) {
	args := []string{filepath.Join(b.root, "bench", "official.sh"), official}
	if b.quick {
		args = append(args, "--installed")
	}
	c := exec.CommandContext(ctx, "sh", args...)
	c.Stderr = b.log
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("%s is not installed", official)
	}
	return strings.TrimSpace(string(out)), nil
}

// compare holds the records of two reads against each other, as multisets by stream.
//
// A record is reworded if it is the same but for what the official connector is known to take away: members that are null,
// and the milliseconds of an event's published.
func compare(ours, theirs string) ([]comparison, error) {
	us, err := recordsOf(ours)
	if err != nil {
		return nil, err
	}
	them, err := recordsOf(theirs)
	if err != nil {
		return nil, err
	}
	var all []comparison
	for _, stream := range slices.Sorted(maps.Keys(us)) {
		c := comparison{Stream: stream, Ours: us[stream].count, Theirs: them[stream].count}
		for exact, o := range us[stream].exact {
			c.Same += min(o, them[stream].exact[exact])
		}
		for plain, o := range us[stream].plain {
			c.Reworded += min(o, them[stream].plain[plain])
		}
		c.OnlyOurs, c.OnlyTheirs = c.Ours-c.Reworded, c.Theirs-c.Reworded
		c.Reworded -= c.Same
		all = append(all, c)
	}
	for _, stream := range slices.Sorted(maps.Keys(them)) {
		if _, known := us[stream]; !known {
			n := them[stream].count
			all = append(all, comparison{Stream: stream, Theirs: n, OnlyTheirs: n})
		}
	}
	return all, nil
}

// recordSet counts records by a hash of their canonical form; plain is without what is known to differ.
type recordSet struct {
	count        int
	exact, plain map[uint64]int
}

func recordsOf(file string) (map[string]recordSet, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sets := map[string]recordSet{}
	r := bufio.NewReaderSize(f, 1<<20)
	for {
		line, err := r.ReadBytes('\n')
		if gjson.GetBytes(line, "type").Str == "RECORD" {
			stream := gjson.GetBytes(line, "record.stream").Str
			set, ok := sets[stream]
			if !ok {
				set = recordSet{exact: map[uint64]int{}, plain: map[uint64]int{}}
			}
			exact, plain, err := canonical(gjson.GetBytes(line, "record.data").Raw)
			if err != nil {
				return nil, err
			}
			set.count++
			set.exact[exact]++
			set.plain[plain]++
			sets[stream] = set
		}
		if errors.Is(err, io.EOF) {
			return sets, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// canonical hashes a record with its members in order and its numbers by value: as it is, and as the official connector would have it.
func canonical(record string) (exact, plain uint64, err error) {
	var doc map[string]any
	if err := json.Unmarshal([]byte(record), &doc); err != nil {
		return 0, 0, err
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return 0, 0, err
	}
	exact = xxhash.Sum64(text)
	maps.DeleteFunc(doc, func(_ string, v any) bool { return v == nil })
	if at, ok := doc["published"].(string); ok {
		if whole, ms, found := strings.Cut(at, "."); found && strings.HasSuffix(ms, "Z") {
			doc["published"] = whole + "Z"
		}
	}
	if text, err = json.Marshal(doc); err != nil {
		return 0, 0, err
	}
	return exact, xxhash.Sum64(text), nil
}
