package oktasim_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"source-okta/internal/oktasim"
)

const stampFormat = "2006-01-02T15:04:05.000Z"

func stamp(t time.Time) string { return t.UTC().Format(stampFormat) }

func uuids(records []string) []string {
	out := make([]string, len(records))
	for i, r := range records {
		out[i] = gjson.Get(r, "uuid").String()
	}
	return out
}

// poll reads until a page is empty and gives the link to go on from.
func poll(t *testing.T, o *oktasim.Org, path string) (records []string, next string) {
	t.Helper()
	for {
		a := get(t, o, path)
		require.Equal(t, 200, a.StatusCode, a.body)
		page := gjson.Parse(a.body).Array()
		path = a.link("next")
		require.NotEmpty(t, path, "a polling page always has a next link")
		if len(page) == 0 {
			return records, path
		}
		for _, r := range page {
			records = append(records, r.Raw)
		}
	}
}

func persisted(o *oktasim.Org) (out []string) {
	for e := range o.Events() {
		out = append(out, e.UUID)
	}
	return out
}

func TestPollingGivesEveryEventOnceInTheOrderItWasWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := oktasim.New(oktasim.Config{
			Seed: 8, Users: 40, Groups: 5, Events: 4000, BulkEvents: 300, LogDelay: 700 * time.Millisecond, Late: 0.05, LateBy: 15 * time.Minute,
		})
		got, next := poll(t, o, "/api/v1/logs"+query("since", stamp(time.Now().Add(-90*24*time.Hour)), "limit", "137"))
		read := uuids(got)
		assert.Equal(t, persisted(o), read)
		published := make([]string, len(got))
		for i, r := range got {
			published[i] = gjson.Get(r, "published").String()
		}
		assert.False(t, slices.IsSorted(published), "events come out of the order in which they happened")

		// The world moves on, with late events among the new ones; each poll goes on where the one before ended.
		rng := rand.New(rand.NewPCG(1, 2))
		for range 60 {
			o.Mutate(1 + rng.IntN(20))
			if rng.IntN(3) == 0 {
				o.AppendEvent("custom.thing", time.Now().Add(-5*time.Minute), time.Now().Add(time.Duration(rng.IntN(200))*time.Second))
			}
			time.Sleep(time.Duration(rng.IntN(40_000)) * time.Millisecond)
			var more []string
			more, next = poll(t, o, next)
			read = append(read, uuids(more)...)
		}
		time.Sleep(20 * time.Minute)
		more, _ := poll(t, o, next)
		read = append(read, uuids(more)...)
		slices.Sort(read)
		all := persisted(o)
		slices.Sort(all)
		// What expired meanwhile had been read.
		assert.Empty(t, slices.DeleteFunc(all, func(id string) bool { _, ok := slices.BinarySearch(read, id); return ok }))
		assert.Len(t, slices.Compact(slices.Clone(read)), len(read), "no event came twice")
	})
}

func TestABoundedRequestMissesWhatIsWrittenLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := oktasim.New(oktasim.Config{Seed: 8, Users: 40, Events: 0})
		time.Sleep(time.Hour)
		happened := time.Now()
		onTime := o.AppendEvent("on.time", happened, happened)
		late := o.AppendEvent("is.late", happened, happened.Add(10*time.Minute))
		time.Sleep(time.Minute)
		bounded := "/api/v1/logs" + query("since", stamp(happened.Add(-time.Minute)), "until", stamp(happened.Add(30*time.Second)))
		records, _ := walk(t, o, bounded, "")
		assert.Equal(t, []string{onTime}, uuids(records))
		_, next := poll(t, o, "/api/v1/logs"+query("since", stamp(happened)))
		time.Sleep(10 * time.Minute)
		records, _ = walk(t, o, bounded, "")
		assert.Equal(t, []string{onTime, late}, uuids(records))
		records, _ = poll(t, o, next)
		assert.Equal(t, []string{late}, uuids(records), "polling gets it after all")
	})
}

func TestBoundedRequestsEndAndAreOrderedByPublished(t *testing.T) {
	o := oktasim.New(oktasim.Config{Seed: 8, Users: 40, Events: 2500, BulkEvents: 400, Late: 0.1, Born: born, Clock: func() time.Time { return born.Add(time.Hour) }})
	whole := query("since", stamp(born.Add(-89*24*time.Hour)), "until", stamp(born.Add(time.Minute)), "limit", "83")
	up, _ := walk(t, o, "/api/v1/logs"+whole, "")
	down, _ := walk(t, o, "/api/v1/logs"+whole+"&sortOrder=DESCENDING", "")
	require.Len(t, up, 2500)
	assert.True(t, slices.IsSortedFunc(up, func(a, b string) int {
		return strings.Compare(gjson.Get(a, "published").String(), gjson.Get(b, "published").String())
	}))
	slices.Reverse(down)
	assert.Equal(t, up, down)

	middle := gjson.Get(up[1200], "published").String()
	first, _ := walk(t, o, "/api/v1/logs"+query("since", stamp(born.Add(-89*24*time.Hour)), "until", middle, "limit", "1000"), "")
	second, _ := walk(t, o, "/api/v1/logs"+query("since", middle, "until", stamp(born.Add(time.Minute)), "limit", "1000"), "")
	assert.Equal(t, uuids(up), append(uuids(first), uuids(second)...), "windows that touch neither overlap nor leave a gap")
}

func TestLogFiltersAndTheirErrors(t *testing.T) {
	o := smallOrg()
	window := []string{"since", stamp(o.Now().Add(-60 * 24 * time.Hour)), "until", stamp(o.Now()), "limit", "1000"}
	logins, _ := walk(t, o, "/api/v1/logs"+query(append(window, "filter", `eventType eq "user.session.start"`)...), "")
	require.NotEmpty(t, logins)
	for _, r := range logins {
		assert.Equal(t, "user.session.start", gjson.Get(r, "eventType").String())
	}
	actor := gjson.Get(logins[0], "actor.id").String()
	of, _ := walk(t, o, "/api/v1/logs"+query(append(window, "filter", `actor.id eq "`+actor+`" and outcome.result eq "SUCCESS"`)...), "")
	assert.NotEmpty(t, of)
	found, _ := walk(t, o, "/api/v1/logs"+query(append(window, "q", "logout São")...), "")
	assert.NotEmpty(t, found)

	now := o.Now().UTC()
	for q, code := range map[string]string{
		query("since", stamp(now.Add(-181*24*time.Hour))):                      "E0000053",
		query("since", stamp(now.Add(-181*24*time.Hour)), "until", stamp(now)): "E0000053",
		query("since", "foobar"):                                               "E0000030",
		query("until", "01-01-2017"):                                           "E0000030",
		query("since", stamp(now), "until", stamp(now.Add(-time.Hour))):        "E0000001",
		query("sortOrder", "UP"):                                               "E0000001",
		query("filter", `published gt "2020-01-01T00:00:00Z"`):                 "E0000053",
		query("filter", `eventType eq`):                                        "E0000053",
		query("after", "nonsense"):                                             "E0000029",
		query("q", strings.Repeat("a ", 11)):                                   "E0000001",
		query("q", strings.Repeat("a", 41)):                                    "E0000001",
	} {
		a := get(t, o, "/api/v1/logs"+q)
		assert.Equal(t, 400, a.StatusCode, q)
		assert.Equal(t, code, a.code(), q)
	}
	assert.Equal(t, 200, get(t, o, "/api/v1/logs"+query("since", stamp(now.Add(-179*24*time.Hour)))).StatusCode)
}

func TestEventsAreKeptForNinetyDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := oktasim.New(oktasim.Config{Seed: 8, Users: 40, Events: 1000})
		read := func() int {
			records, _ := poll(t, o, "/api/v1/logs"+query("since", stamp(time.Now().Add(-179*24*time.Hour)), "limit", "1000"))
			bounded, _ := walk(t, o, "/api/v1/logs"+query("since", stamp(time.Now().Add(-179*24*time.Hour)), "until", stamp(time.Now()), "limit", "1000"), "")
			assert.ElementsMatch(t, uuids(records), uuids(bounded))
			return len(records)
		}
		assert.Equal(t, 1000, read())
		time.Sleep(45 * 24 * time.Hour)
		half := read()
		assert.Less(t, half, 1000)
		assert.Greater(t, half, 300)
		time.Sleep(50 * 24 * time.Hour)
		assert.Zero(t, read())
	})
}
