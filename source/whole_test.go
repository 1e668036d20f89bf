package source_test

import (
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"source-okta/internal/oktasim"
	"source-okta/streams"
)

// TestEveryRecordComesOutExactlyOnce reads a whole org under Okta's default limits and compares record by record.
func TestEveryRecordComesOutExactlyOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		size := oktasim.Config{Seed: 11, Users: 20_000, Groups: 1_000, Events: 100_000, Apps: 40, Devices: 1_000, BulkUsers: 900, BulkEvents: 3_000}
		if raceEnabled || testing.Short() {
			size.Users, size.Groups, size.Events = 1_500, 80, 8_000
		}
		size.Limits, size.Latency, size.Late = oktasim.DefaultLimits(), 50*time.Millisecond, 0.01
		size.LogDelay = time.Second
		org := oktasim.New(size)
		p := simRead{}.run(t, org)
		requireGood(t, p)
		for _, s := range streams.All() {
			requireOnce(t, p, org, s.Name)
			assert.NotZero(t, p.count(s.Name), s.Name)
		}
		for bucket, stats := range org.Stats() {
			assert.Zero(t, stats.Window429, bucket)
		}
		assert.Greater(t, p.sent["users"], 1, "users are checkpointed during the read")
		assert.Greater(t, p.sent["groups"], 0)

		// Nothing has happened since, so nothing of what has a cursor comes again.
		q := simRead{state: p.stateFile(), streams: []*streams.Stream{streams.Users, streams.Groups, streams.Logs, streams.Devices}}.run(t, org)
		requireGood(t, q)
		for _, name := range []string{"users", "groups", "logs", "devices"} {
			assert.Zero(t, q.count(name), name)
		}
	})
}

func TestNoSearchIsPagedThroughNearFiftyThousandResults(t *testing.T) {
	inBubble(t, oktasim.Config{Users: 90_000, BulkUsers: 7_000, Limits: oktasim.DefaultLimits(), Latency: 300 * time.Millisecond}, func(t *testing.T, org *oktasim.Org) {
		p := simRead{streams: only(streams.Users)}.run(t, org)
		requireGood(t, p)
		requireOnce(t, p, org, "users")
		pages := map[string]int{}
		for _, r := range requests(org, "/api/v1/users") {
			q, err := url.ParseQuery(r.Query)
			require.NoError(t, err)
			pages[q.Get("search")]++
		}
		for search, n := range pages {
			assert.LessOrEqual(t, n*200, 49_000, search)
		}
		assert.LessOrEqual(t, len(requests(org, "/api/v1/users")), 450+20, "a search more costs a page more")
	})
}
