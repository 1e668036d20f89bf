package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"source-okta/internal/oktasim"
)

// rateResult is a full sync of an org with Okta's default rate limits.
type rateResult struct {
	Users, Groups, Events int
	Window                time.Duration
	Latency               time.Duration
	Share, Other          int // percent of each limit: what is ours, and what another client takes
	Run                   usage
	Bound                 time.Duration
	Binding               string // the bucket that bounds
	Buckets               []rateBucket
}

type rateBucket struct {
	Name           string
	Rate           int // requests per window that are ours
	Fewest, Made   int
	Window429      int
	Concurrency429 int
	Windows        []rateWindow
}

// rateWindow is one window of a bucket, Start seconds after the org heard of the connector.
type rateWindow struct {
	Start float64
	Used  int
	Full  bool // neither the first nor the last
}

// utilisation of the full windows; -1 if there is none.
func (b rateBucket) utilisation() float64 {
	used, windows := 0, 0
	for _, w := range b.Windows {
		if w.Full {
			used += w.Used
			windows++
		}
	}
	if windows == 0 {
		return -1
	}
	return float64(used) / float64(windows*b.Rate)
}

func (r rateResult) ratio() float64 { return float64(r.Run.Wall) / float64(r.Bound) }

func (r rateResult) window429s() (n int) {
	for _, b := range r.Buckets {
		n += b.Window429
	}
	return n
}

// rateLimits reads the reference org, alone and beside another client.
func (b *bench) rateLimits(ctx context.Context) ([]rateResult, error) {
	world := oktasim.Config{Seed: 1, Users: 100_000, Groups: 5_000, Events: 1_000_000}
	if b.quick {
		world = oktasim.Config{Seed: 1, Users: 10_000, Groups: 500, Events: 180_000}
	}
	world.Limits, world.Window, world.Latency = oktasim.DefaultLimits(), 15*time.Second, 50*time.Millisecond
	var all []rateResult
	for _, beside := range []struct{ share, other int }{{80, 0}, {60, 30}} {
		if b.quick && beside.other > 0 {
			continue
		}
		c := world
		c.OtherShare = beside.other
		r, err := b.rateRun(ctx, c, beside.share)
		if err != nil {
			return nil, err
		}
		b.say("share %d %%, other clients %d %%: %s, bound %s", beside.share, beside.other, r.Run.Wall.Round(time.Millisecond), r.Bound)
		all = append(all, r)
	}
	return all, nil
}

func (b *bench) rateRun(ctx context.Context, c oktasim.Config, share int) (rateResult, error) {
	r := rateResult{
		Users: c.Users, Groups: c.Groups, Events: c.Events,
		Window: c.Window, Latency: c.Latency, Share: share, Other: c.OtherShare,
	}
	s, err := b.open(ctx, fmt.Sprintf("rate-%d", share), c, false)
	if err != nil {
		return r, err
	}
	defer s.close(ctx)
	requests := fewest(s.org)
	r.Bound, r.Binding = shortest(requests, c.Limits, share, c.Window)
	read, err := s.read(ctx, options{"rate_limit_share": share}, dropIn...)
	if err != nil {
		return r, err
	}
	if err := s.atWindowStart(ctx, r.Binding, c.Window); err != nil {
		return r, err
	}
	if r.Run, err = measure(ctx, read); err != nil {
		return r, err
	}
	stats := s.org.Stats()
	began := time.Time{}
	for _, st := range stats {
		if began.IsZero() || st.First.Before(began) {
			began = st.First
		}
	}
	for _, name := range []string{oktasim.BucketUsers, oktasim.BucketGroups, oktasim.BucketLogs, oktasim.BucketIAM} {
		st := stats[name]
		bucket := rateBucket{
			Name: name, Rate: c.Limits[name] * share / 100, Fewest: requests[name], Made: st.Requests,
			Window429: st.Window429, Concurrency429: st.Concurrency429,
		}
		st.Windows = slices.DeleteFunc(st.Windows, func(w oktasim.WindowStats) bool { return !w.Start.Add(c.Window).After(began) })
		for i, w := range st.Windows {
			bucket.Windows = append(bucket.Windows, rateWindow{
				Start: w.Start.Sub(began).Seconds(), Used: w.Used, Full: i > 0 && i < len(st.Windows)-1,
			})
		}
		r.Buckets = append(r.Buckets, bucket)
	}
	return r, nil
}

// atWindowStart returns when a window of the bucket has just begun. The bound counts whole windows from there; a sync that
// begins later in a window could be up to one window shorter.
func (s *site) atWindowStart(ctx context.Context, bucket string, window time.Duration) error {
	probe, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://acme.okta.com"+bucket+"?limit=1", http.NoBody)
	if err != nil {
		return err
	}
	probe.Header.Set("Authorization", "SSWS "+oktasim.DefaultToken)
	resp, err := s.org.RoundTrip(probe)
	if err != nil {
		return err
	}
	resp.Body.Close()
	windows := s.org.Stats()[bucket].Windows
	if len(windows) == 0 {
		return fmt.Errorf("bucket %s is not that of its path", bucket)
	}
	select {
	case <-time.After(time.Until(windows[0].Start.Add(window))):
		s.org.ResetStats()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
