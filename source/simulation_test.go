package source_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidwall/gjson"

	"source-okta/internal/oktasim"
	"source-okta/source"
	"source-okta/streams"
)

var seeds = flag.Int("seeds", 30, "seeded simulations to run")

// TestSimulation lets an org change, answer late and fail while it is read, cuts reads off between any two lines, goes on
// from the states that got out, and then asks: of every record that existed when the last read began, less the lag of
// Okta's index, has its latest version come out? All in virtual time; a failure names its seed.
func TestSimulation(t *testing.T) {
	n := *seeds
	if raceEnabled || testing.Short() {
		n = min(n, 12)
	}
	for seed := range n {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { simulate(t, uint64(seed)) })
		})
	}
}

// seenRecords is the union of what every read so far has emitted.
type seenRecords struct {
	mu     sync.Mutex
	latest map[string]map[string][2]string // stream, key: lastUpdated and lastMembershipUpdated
}

func (s *seenRecords) add(line []byte) {
	m := gjson.ParseBytes(line)
	if m.Get("type").Str != "RECORD" {
		return
	}
	name, data := m.Get("record.stream").Str, m.Get("record.data")
	key := data.Get("id").Str
	if name == "logs" {
		key = data.Get("uuid").Str
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.latest[name] == nil {
		s.latest[name] = map[string][2]string{}
	}
	old := s.latest[name][key]
	s.latest[name][key] = [2]string{max(old[0], data.Get("lastUpdated").Str), max(old[1], data.Get("lastMembershipUpdated").Str)}
}

const lag = 20 * time.Second

func simulate(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	cfg := oktasim.Config{
		Seed: seed, Users: 200 + r.IntN(2_000), Groups: 10 + r.IntN(300), Events: r.IntN(6_000), Devices: r.IntN(300),
		Latency: time.Duration(r.IntN(300)) * time.Millisecond, LatencyJitter: 50 * time.Millisecond,
		IndexLag: time.Duration(r.IntN(int(lag / 2))), IndexLagJitter: time.Duration(r.IntN(int(lag / 2))),
		Late: 0.05 * r.Float64(), LogDelay: time.Duration(r.IntN(int(5 * time.Second))),
	}
	if r.IntN(2) == 0 {
		cfg.BulkUsers, cfg.BulkEvents = r.IntN(cfg.Users), r.IntN(cfg.Events+1)
	}
	if r.IntN(2) == 0 {
		cfg.Limits, cfg.Window = map[string]int{}, time.Duration(5+r.IntN(60))*time.Second
		for bucket, limit := range oktasim.DefaultLimits() {
			cfg.Limits[bucket] = max(2, limit/(1+r.IntN(20)))
		}
		cfg.OtherShare = r.IntN(60)
	}
	if r.IntN(3) == 0 {
		// Large and slow enough for windows side by side, and for a state between two of their pages.
		cfg.Users, cfg.Events = 6_000+r.IntN(6_000), 10_000+r.IntN(20_000)
		cfg.Limits, cfg.Latency = nil, 300*time.Millisecond
	}
	for range r.IntN(4) {
		kinds := []oktasim.FaultKind{oktasim.FaultDrop, oktasim.FaultTruncate, oktasim.FaultHTML, oktasim.FaultEmpty, oktasim.FaultStatus}
		cfg.Faults = append(cfg.Faults, oktasim.Fault{Kind: kinds[r.IntN(len(kinds))], Path: "/api/v1/*", Probability: 0.05, Status: 502})
	}
	org := oktasim.New(cfg)
	list := only(streams.Users, streams.Groups, streams.Logs, streams.Devices)
	if r.IntN(2) == 0 {
		list = append(list, streams.GroupMembers)
	}

	for range r.IntN(5) {
		time.Sleep(time.Duration(r.IntN(int(3 * time.Minute))))
		org.Mutate(r.IntN(50))
	}
	seen := &seenRecords{latest: map[string]map[string][2]string{}}
	state := "[]"
	for sync := range 3 {
		for attempt := 0; ; attempt++ {
			began := time.Now().Add(-lag)
			users, groups, devices, events := snapshot(org, began)
			kill := 0
			if attempt < 4 && r.IntN(3) > 0 {
				kill = 1 + r.IntN(cfg.Users+cfg.Events)
			}
			code, states := readWhileTheWorldMoves(t, org, list, state, kill, r, seen)
			if len(states) > 0 {
				state = merge(state, states)
			}
			if code != 0 {
				if attempt > 12 {
					t.Fatalf("sync %d does not end", sync)
				}
				continue
			}
			verify(t, org, seen, users, groups, devices, events)
			break
		}
		time.Sleep(time.Duration(r.IntN(7200)) * time.Second)
		org.Mutate(r.IntN(100))
	}
}

// readWhileTheWorldMoves reads once, cut off after kill lines (0: never), and returns the states that got out.
func readWhileTheWorldMoves(t *testing.T, org *oktasim.Org, list []*streams.Stream, state string, kill int, r *rand.Rand, seen *seenRecords) (int, map[string]string) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	pace := time.Duration(50+r.IntN(200)*r.IntN(10)) * time.Millisecond
	burst := 1 + r.IntN(5)
	moving := make(chan struct{})
	go func() {
		defer close(moving)
		for range 300 {
			select {
			case <-ctx.Done():
				return
			case <-time.After(pace):
				org.Mutate(burst)
			}
		}
	}()
	lines := 0
	states := map[string]string{}
	p := newTape(t)
	p.onLine = func(line []byte) {
		lines++
		if kill > 0 && lines > kill {
			cancel()
			return
		}
		seen.add(line)
		if m := gjson.ParseBytes(line); m.Get("type").Str == "STATE" {
			states[m.Get("state.stream.stream_descriptor.name").Str] = m.Get("state").Raw
		}
	}
	files := map[string]string{
		"c.json": `{"domain":"acme.okta.com","stream_set":"core","rate_limit_share":100,"credentials":{"auth_type":"api_token","api_token":"` + oktasim.DefaultToken + `"}}`,
		"k.json": configuredCatalog("incremental", list...),
		"s.json": state,
	}
	code := source.Run(ctx, source.Env{
		Args: []string{"read", "--config", "c.json", "--catalog", "k.json", "--state", "s.json"}, Stdout: p, Stderr: new(bytes.Buffer),
		Transport: org, Getenv: func(string) string { return "" },
		ReadFile: func(name string) ([]byte, error) {
			if b, ok := files[name]; ok {
				return []byte(b), nil
			}
			return nil, fs.ErrNotExist
		},
	})
	cancel()
	<-moving
	if code == 0 {
		requireGood(t, p)
	}
	return code, states
}

func merge(state string, newer map[string]string) string {
	all := map[string]string{}
	for _, m := range gjson.Parse(state).Array() {
		all[m.Get("stream.stream_descriptor.name").Str] = m.Raw
	}
	for name, raw := range newer {
		all[name] = raw
	}
	p := &tape{states: all}
	return p.stateFile()
}

type version struct{ updated, membership string }

func snapshot(org *oktasim.Org, before time.Time) (users, groups, devices map[string]version, events map[string]bool) {
	take := func(seq func(func(oktasim.Entity) bool)) map[string]version {
		m := map[string]version{}
		for e := range seq {
			v := version{}
			if !e.LastUpdated.After(before) {
				v.updated = e.LastUpdated.UTC().Format("2006-01-02T15:04:05.000Z")
			}
			if !e.LastMembershipUpdated.IsZero() && !e.LastMembershipUpdated.After(before) {
				v.membership = e.LastMembershipUpdated.UTC().Format("2006-01-02T15:04:05.000Z")
			}
			m[e.ID] = v
		}
		return m
	}
	events = map[string]bool{}
	for e := range org.Events() {
		if !e.Persisted.After(before) {
			events[e.UUID] = true
		}
	}
	return take(org.Users()), take(org.Groups()), take(org.Devices()), events
}

// verify asks that what existed when the read began, and still exists, has come out in its version of then or a later
// one.
func verify(t *testing.T, org *oktasim.Org, seen *seenRecords, users, groups, devices map[string]version, events map[string]bool) {
	t.Helper()
	nowUsers, nowGroups, nowDevices, _ := snapshot(org, time.Now())
	for stream, m := range map[string][2]map[string]version{"users": {users, nowUsers}, "groups": {groups, nowGroups}, "devices": {devices, nowDevices}} {
		lost := 0
		for id, want := range m[0] {
			if _, exists := m[1][id]; !exists {
				continue
			}
			if got := seen.latest[stream][id]; got[0] < want.updated || got[1] < want.membership {
				if lost++; lost <= 3 {
					t.Errorf("%s %s: has %v, wants %v", stream, id, got, want)
				}
			}
		}
		if lost > 0 {
			t.Errorf("%s: %d of %d are lost or old", stream, lost, len(m[0]))
		}
	}
	lost := 0
	for uuid := range events {
		if _, ok := seen.latest["logs"][uuid]; !ok {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("logs: %d of %d are lost", lost, len(events))
	}
}
