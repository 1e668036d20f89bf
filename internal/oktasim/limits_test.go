package oktasim_test

import (
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"source-okta/internal/oktasim"
)

func number(t *testing.T, a answer, name string) int {
	t.Helper()
	n, err := strconv.Atoi(a.Header.Get(name))
	require.NoError(t, err, name)
	return n
}

func limited(c oktasim.Config, users int) *oktasim.Org {
	c.Seed, c.Users = 3, 20
	c.Limits = map[string]int{oktasim.BucketUsers: users, oktasim.BucketUser: 1000}
	return oktasim.New(c)
}

func TestAWindowEndsWithA429UntilTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := limited(oktasim.Config{Window: 15 * time.Second}, 5)
		spend := func() (good int, last answer) {
			for {
				last = get(t, o, "/api/v1/users?limit=1")
				if last.StatusCode != 200 {
					return good, last
				}
				good++
				assert.Equal(t, 5, number(t, last, "X-Rate-Limit-Limit"))
			}
		}
		first, refusal := spend()
		assert.Equal(t, 5, first)
		for range 4 {
			assert.Equal(t, 429, refusal.StatusCode)
			assert.Equal(t, "E0000047", refusal.code())
			assert.Equal(t, 5, number(t, refusal, "X-Rate-Limit-Limit"))
			assert.Zero(t, number(t, refusal, "X-Rate-Limit-Remaining"))
			date, err := http.ParseTime(refusal.Header.Get("Date"))
			require.NoError(t, err)
			reset := time.Unix(int64(number(t, refusal, "X-Rate-Limit-Reset")), 0)
			assert.LessOrEqual(t, reset.Sub(date), 15*time.Second)
			assert.Equal(t, 200, get(t, o, "/api/v1/users/me").StatusCode, "other buckets go on")
			time.Sleep(reset.Sub(date) + time.Second) // Reset − Date + 1 is always enough
			var good int
			good, refusal = spend()
			assert.Equal(t, 5, good)
		}
		s := o.Stats()[oktasim.BucketUsers]
		assert.Equal(t, 30, s.Requests)
		assert.Equal(t, 5, s.Window429)
		assert.Zero(t, s.Concurrency429)
		require.Len(t, s.Windows, 5)
		for i, w := range s.Windows {
			assert.Equal(t, oktasim.WindowStats{Start: w.Start, Limit: 5, Used: 5, Window429: 1}, w)
			if i > 0 {
				assert.Equal(t, 15*time.Second, w.Start.Sub(s.Windows[i-1].Start), "windows lie on a grid")
			}
		}
	})
}

func TestAnotherClientEatsItsShareEvenly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := limited(oktasim.Config{Window: 10 * time.Second, OtherShare: 30}, 1000)
		var remaining []int
		for range 40 {
			remaining = append(remaining, number(t, get(t, o, "/api/v1/users?limit=1"), "X-Rate-Limit-Remaining"))
			time.Sleep(time.Second)
		}
		falls := 0
		for i := 1; i < len(remaining); i++ {
			if remaining[i] < remaining[i-1] {
				assert.InDelta(t, 31, remaining[i-1]-remaining[i], 1)
				falls++
			}
		}
		assert.Equal(t, 35, falls, "it falls but where a window ends")
	})
}

func TestATokenMayOwnLessThanTheHeadersSay(t *testing.T) {
	o := limited(oktasim.Config{TokenPercent: 50, Clock: func() time.Time { return born }}, 10)
	for range 5 {
		a := get(t, o, "/api/v1/users?limit=1")
		assert.Equal(t, 200, a.StatusCode)
		assert.Equal(t, 10, number(t, a, "X-Rate-Limit-Limit"))
		assert.GreaterOrEqual(t, number(t, a, "X-Rate-Limit-Remaining"), 5)
	}
	assert.Equal(t, 429, get(t, o, "/api/v1/users?limit=1").StatusCode)
}

func TestTooManyAtOnceIsAnotherKindOf429(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := limited(oktasim.Config{Concurrency: 3, Latency: time.Second}, 1000)
		var mu sync.Mutex
		statuses := map[int]int{}
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				a := get(t, o, "/api/v1/users?limit=1")
				mu.Lock()
				defer mu.Unlock()
				statuses[a.StatusCode]++
				if a.StatusCode == 429 {
					assert.Equal(t, "E0000047", a.code())
					assert.Zero(t, number(t, a, "X-Rate-Limit-Limit"))
					assert.Zero(t, number(t, a, "X-Rate-Limit-Remaining"))
				}
			})
		}
		wg.Wait()
		assert.Equal(t, map[int]int{200: 3, 429: 2}, statuses)
		s := o.Stats()[oktasim.BucketUsers]
		assert.Equal(t, 2, s.Concurrency429)
		assert.Equal(t, 5, s.MaxInFlight)
		assert.Equal(t, 3, s.Windows[0].Used)
	})
}

func TestOrgsWithoutLimitsStillShowHeaders(t *testing.T) {
	o := oktasim.New(oktasim.Config{})
	assert.Equal(t, 1_000_000, number(t, get(t, o, "/api/v1/users"), "X-Rate-Limit-Limit"))
	o = oktasim.New(oktasim.Config{NoRateHeaders: true})
	assert.Empty(t, get(t, o, "/api/v1/users").Header.Get("X-Rate-Limit-Limit"))
}

func TestEndpointsShareBuckets(t *testing.T) {
	o := smallOrg()
	for path, bucket := range map[string]string{
		"/api/v1/users":                        oktasim.BucketUsers,
		"/api/v1/users/x/roles":                oktasim.BucketUsers,
		"/api/v1/users/x/factors":              oktasim.BucketUsers,
		"/api/v1/users/x":                      oktasim.BucketUser,
		"/api/v1/users/me":                     oktasim.BucketMe,
		"/api/v1/groups/x/users":               oktasim.BucketGroups,
		"/api/v1/groups/x/roles":               oktasim.BucketGroups,
		"/api/v1/groups/x":                     oktasim.BucketGroup,
		"/api/v1/apps":                         oktasim.BucketApps,
		"/api/v1/apps/x/users":                 oktasim.BucketApps,
		"/api/v1/apps/x/groups":                oktasim.BucketApps,
		"/api/v1/apps/x":                       oktasim.BucketApp,
		"/api/v1/logs":                         oktasim.BucketLogs,
		"/api/v1/devices":                      oktasim.BucketDevices,
		"/api/v1/iam/roles":                    oktasim.BucketIAM,
		"/api/v1/iam/assignees/users":          oktasim.BucketIAM,
		"/api/v1/iam/resource-sets/x/bindings": oktasim.BucketIAM,
		"/api/v1/policies?type=PASSWORD":       oktasim.BucketCatchAll,
		"/api/v1/policies/x/rules":             oktasim.BucketCatchAll,
		"/api/v1/meta/types/user":              oktasim.BucketCatchAll,
		"/api/v1/meta/schemas/user/default":    oktasim.BucketCatchAll,
		"/api/v1/zones":                        oktasim.BucketCatchAll,
		"/.well-known/okta-organization":       oktasim.BucketWellKnown,
	} {
		o.ResetStats()
		get(t, o, path)
		s := o.Stats()[bucket]
		assert.Equal(t, 1, s.Requests, path)
	}
}
