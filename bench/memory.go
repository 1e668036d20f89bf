package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"source-okta/internal/oktasim"
)

// memoryResult is how much memory full syncs of orgs of growing size take.
type memoryResult struct {
	Latency time.Duration
	Points  []memoryPoint
}

type memoryPoint struct {
	Users, Groups, Events int
	Records               int64
	Peaks                 []int64 // resident memory at its highest, of each run, in bytes, in order
	Wall                  time.Duration
}

// peak is the median.
func (p memoryPoint) peak() int64 { return p.Peaks[len(p.Peaks)/2] }

// memory reads the nine streams of airbyte/source-okta of orgs without rate limits.
func (b *bench) memory(ctx context.Context) (*memoryResult, error) {
	r := &memoryResult{Latency: 5 * time.Millisecond}
	sizes := []struct{ users, runs int }{{1_000, 3}, {10_000, 3}, {100_000, 3}, {1_000_000, 1}}
	if b.quick {
		sizes = sizes[:2]
	}
	for _, size := range sizes {
		p, err := b.memoryAt(ctx, size.users, size.runs, r.Latency)
		if err != nil {
			return nil, err
		}
		b.say("%d users: %.1f MB", size.users, float64(p.peak())/1e6)
		r.Points = append(r.Points, p)
	}
	return r, nil
}

func (b *bench) memoryAt(ctx context.Context, users, runs int, latency time.Duration) (memoryPoint, error) {
	c := oktasim.Config{Seed: 1, Users: users, Groups: users / 20, Events: users, Latency: latency}
	p := memoryPoint{Users: c.Users, Groups: c.Groups, Events: c.Events}
	s, err := b.open(ctx, fmt.Sprintf("memory-%d", users), c, false)
	if err != nil {
		return p, err
	}
	defer s.close(ctx)
	read, err := s.read(ctx, nil, dropIn...)
	if err != nil {
		return p, err
	}
	for range runs {
		u, err := measure(ctx, read)
		if err != nil {
			return p, err
		}
		p.Records, p.Wall = u.Records, u.Wall
		p.Peaks = append(p.Peaks, u.Peak)
	}
	slices.Sort(p.Peaks)
	if users == 100_000 {
		err = b.profileRun(ctx, "memory", read)
	}
	return p, err
}
