package source_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"source-okta/internal/oktasim"
)

var bucketOf = map[string]string{
	"/api/v1/users": oktasim.BucketUsers, "/api/v1/users/*/roles": oktasim.BucketUsers, "/api/v1/users/*/factors": oktasim.BucketUsers,
	"/api/v1/groups": oktasim.BucketGroups, "/api/v1/groups/*/users": oktasim.BucketGroups, "/api/v1/groups/*/roles": oktasim.BucketGroups,
	"/api/v1/logs": oktasim.BucketLogs,
}

// TestAReadIsAsFastAsTheRateLimitsAllow compares with the lower bound: of every bucket, the windows that its fewest
// requests need at its budget a window, less one.
func TestAReadIsAsFastAsTheRateLimitsAllow(t *testing.T) {
	for name, row := range map[string]struct {
		share, other, refused int
		ratio                 float64
	}{
		"alone at 80 %":                          {80, 0, 0, 1.05},
		"beside a client of 30 %, at 60 %":       {60, 30, 1, 1.10},
		"beside a client of 50 %, giving way":    {80, 50, 3, 0},
		"with a token that owns half, unknowing": {100, 0, 24, 0},
	} {
		t.Run(name, func(t *testing.T) {
			const window = 15 * time.Second
			limits := map[string]int{oktasim.BucketUsers: 60, oktasim.BucketGroups: 50, oktasim.BucketLogs: 12}
			cfg := oktasim.Config{
				Users: 20_000, Groups: 1_000, Events: 100_000, Limits: limits, Window: window, OtherShare: row.other, Latency: 50 * time.Millisecond,
			}
			if row.share == 100 {
				cfg.TokenPercent = 50
			}
			inBubble(t, cfg, func(t *testing.T, org *oktasim.Org) {
				began := time.Now()
				p := simRead{set: "compatible", streams: nine, options: `"rate_limit_share":` + strconv.Itoa(row.share) + `,`}.run(t, org)
				took := time.Since(began)
				requireGood(t, p)
				need := map[string]int{}
				for path, n := range fewest(org) {
					// Factors are no stream of the nine.
					if path != "/api/v1/users/*/factors" {
						need[bucketOf[path]] += n
					}
				}
				bound := time.Duration(0)
				for bucket, limit := range limits {
					rate := limit * row.share / 100
					bound = max(bound, time.Duration((need[bucket]+rate-1)/rate-1)*window)
				}
				refused := 0
				for _, s := range org.Stats() {
					refused += s.Window429
				}
				t.Logf("took %v, the bound is %v: %.3f; %d refused", took, bound, float64(took)/float64(bound), refused)
				assert.LessOrEqual(t, refused, row.refused, "window-429s")
				if row.ratio > 0 {
					assert.LessOrEqual(t, float64(took), row.ratio*float64(bound))
				}
			})
		})
	}
}
