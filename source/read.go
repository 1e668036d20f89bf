package source

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"source-okta/internal/airbyte"
	"source-okta/internal/okta"
	"source-okta/streams"
)

const (
	// flushEvery bounds how long a record waits in the output buffer.
	flushEvery = time.Second
	// heartbeat is the greatest age of a running stream's last STATE: the platform's heartbeat hears only RECORD and STATE.
	heartbeat = 4 * time.Minute
	// futureCursor is how far ahead of the org's clock a cursor may be before it is believed to be wrong.
	futureCursor = stamp(24 * time.Hour / time.Millisecond)
)

// reading is one read: the selected streams as a graph of nodes, and what came of each.
type reading struct {
	c      *connector
	cfg    *config
	client *okta.Client
	log    *slog.Logger
	state  map[string]json.RawMessage
	// refused are the scopes that Okta did not grant; the streams that need them are not asked for.
	refused map[string]bool
	wanted  map[*streams.Stream]*airbyte.ConfiguredStream
	cancel  context.CancelCauseFunc
	wg      sync.WaitGroup
	probe   sync.Once // asks whether the app has an admin role
	noRole  bool

	mu       sync.Mutex
	nodes    map[*streams.Stream]*node
	failures []streamFailure
}

type streamFailure struct {
	stream string
	*failure
}

func (c *connector) read(ctx context.Context, cfg *config, in readInputs) error {
	r := &reading{
		c: c, cfg: cfg, log: c.log, state: in.state,
		wanted: map[*streams.Stream]*airbyte.ConfiguredStream{},
		nodes:  map[*streams.Stream]*node{},
	}
	for i := range in.catalog.Streams {
		cs := &in.catalog.Streams[i]
		s, ok := streams.Named(cs.Name())
		if !ok {
			r.unknown(cs.Name())
			continue
		}
		if _, err := decodeBookmark(r.state[s.Name], s); err != nil {
			return err
		}
		r.wanted[s] = cs
	}
	if len(r.wanted) > 0 {
		if err := r.readStreams(ctx); err != nil {
			return err
		}
	}
	return r.report()
}

func (r *reading) readStreams(ctx context.Context) error {
	session, err := r.c.connect(r.cfg, r.scopes(), r.waiting)
	if err != nil {
		return err
	}
	r.client = session.client
	if _, err := session.preflight(ctx, r.c); err != nil {
		return err
	}
	r.refused = session.refusedScopes()
	r.warnStartDate()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r.cancel = cancel
	beats := make(chan struct{})
	go func() {
		defer close(beats)
		r.beat(ctx)
	}()
	r.launch(ctx)
	r.wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	cancel(nil)
	<-beats
	r.logUsage()
	return nil
}

// unknown is a stream in the catalog that we do not have: the others go on.
func (r *reading) unknown(name string) {
	em := r.c.em
	em.StreamStatus(name, airbyte.Started, time.Time{})
	em.StreamStatus(name, airbyte.Incomplete, time.Time{})
	r.failed(name, configError("The catalog selects the stream %s, which this connector does not have. Refresh the source's schema, or leave the stream out.", printable(name)))
}

func (r *reading) failed(name string, err error) {
	s, _ := streams.Named(name)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, streamFailure{name, explain(err, s)})
}

// report writes the ERROR traces, transient before system before config: the platform decides on a retry by the earliest.
func (r *reading) report() error {
	if len(r.failures) == 0 {
		return nil
	}
	order := []airbyte.FailureType{airbyte.TransientError, airbyte.SystemError, airbyte.ConfigError}
	slices.SortStableFunc(r.failures, func(a, b streamFailure) int {
		if d := slices.Index(order, a.kind) - slices.Index(order, b.kind); d != 0 {
			return d
		}
		return strings.Compare(a.stream, b.stream)
	})
	for _, f := range r.failures {
		r.c.em.TraceError(airbyte.TraceError{Message: f.message, Internal: f.internal, Stack: f.stack, FailureType: f.kind, Stream: f.stream})
	}
	return errReported
}

// scopes are what the selected streams and what is read for them need, in a stable order.
func (r *reading) scopes() []string {
	need := map[string]bool{}
	for s := range r.wanted {
		for ; s != nil; s = parentOf(s) {
			need[s.Scope] = true
			if u := s.Union; u != nil {
				need[u.Roles.Scope], need[u.Members.Scope] = true, true
			}
		}
	}
	delete(need, "")
	return sortedKeys(need)
}

func parentOf(s *streams.Stream) *streams.Stream {
	if s.Parent == nil {
		return nil
	}
	return s.Parent.Stream
}

// waiting tells the platform which streams wait for a rate-limit window of a bucket.
func (r *reading) waiting(bucket string, until time.Time) {
	r.mu.Lock()
	nodes := make([]*node, 0, len(r.nodes))
	for _, n := range r.nodes {
		if n.s.Bucket == bucket {
			nodes = append(nodes, n)
		}
	}
	r.mu.Unlock()
	r.log.Info("waiting for Okta's rate limit", "bucket", bucket, "until", until.UTC().Format(time.RFC3339))
	for _, n := range nodes {
		n.rateLimited(until)
	}
}

// beat flushes records that wait in the buffer, and repeats the last safe state of streams that have sent none for long.
func (r *reading) beat(ctx context.Context) {
	t := time.NewTicker(flushEvery)
	defer t.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if err := r.c.em.Flush(); err != nil {
			return
		}
		if time.Since(last) < heartbeat/8 {
			continue
		}
		last = time.Now()
		r.mu.Lock()
		nodes := make([]*node, 0, len(r.nodes))
		for _, n := range r.nodes {
			nodes = append(nodes, n)
		}
		r.mu.Unlock()
		for _, n := range nodes {
			n.beat()
		}
	}
}

// warnStartDate says once what start_date leaves out of this read.
func (r *reading) warnStartDate() {
	if r.cfg.start.IsZero() {
		return
	}
	var cut []string
	for s, cs := range r.wanted {
		if s.Cursor == nil {
			continue
		}
		if mark, _ := decodeBookmark(r.state[s.Name], s); cs.SyncMode != airbyte.SyncModeIncremental || mark.cursor-overlap < stampOf(r.cfg.start) {
			cut = append(cut, s.Name)
		}
	}
	if len(cut) == 0 {
		return
	}
	slices.Sort(cut)
	r.log.Warn(fmt.Sprintf("start_date is %s: what last changed (log events: what was published) before it is left out of %s. All other streams are read whole.",
		r.cfg.start.UTC().Format(time.RFC3339), strings.Join(cut, ", ")))
}

func (r *reading) logUsage() {
	stats := r.client.Stats()
	for _, bucket := range sortedKeys(stats) {
		s := stats[bucket]
		r.log.Info("requests", "bucket", bucket, "count", s.Requests, "window_429", s.WindowLimited, "concurrency_429", s.ConcurrencyLimited)
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
