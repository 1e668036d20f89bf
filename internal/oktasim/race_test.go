package oktasim_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/tidwall/gjson"

	"source-okta/internal/oktasim"
)

func TestALoopOverWhatExistsMayChangeIt(t *testing.T) {
	o := oktasim.New(oktasim.Config{Seed: 1, Users: 1500, Groups: 20, Events: 2500, BulkEvents: 1200})
	n := 0
	for u := range o.Users() {
		if n++; n%3 == 0 {
			assert.NoError(t, o.UpdateUser(u.ID, nil))
		}
		if n%50 == 0 {
			assert.NoError(t, o.DeleteUser(u.ID))
		}
	}
	assert.Equal(t, 1500, n)
	left, members, events := 0, 0, map[string]bool{}
	for range o.Users() {
		left++
	}
	assert.Equal(t, 1470, left)
	for e := range o.Events() {
		events[e.UUID] = true
	}
	assert.Len(t, events, 2500+500+2*30)
	for range o.Memberships() {
		members++
	}
	told := 0
	for range o.Records("group_members", "") {
		told++
	}
	assert.Equal(t, told, members)
}

func TestTheWorldMayChangeWhileItIsRead(t *testing.T) {
	o := oktasim.New(oktasim.Config{Seed: 1, Users: 300, Groups: 40, Devices: 30, Events: 500, IndexLag: 1, IndexLagJitter: 1e6, Late: 0.1})
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			for range 4 {
				for _, path := range []string{
					"/api/v1/users" + query("search", "id pr", "sortBy", "lastUpdated", "limit", "40"),
					"/api/v1/groups?limit=10&expand=stats", "/api/v1/devices", "/api/v1/logs?limit=1000",
				} {
					for page := 0; path != "" && page < 50; page++ {
						a := get(t, o, path)
						if !assert.Equal(t, 200, a.StatusCode, a.body) || !assert.True(t, gjson.Valid(a.body)) {
							return
						}
						path = a.link("next")
					}
				}
				for range o.Memberships() {
				}
			}
		})
		wg.Go(func() { o.Mutate(100 + i) })
	}
	wg.Wait()
	seen := map[string]bool{}
	for g, u := range o.Memberships() {
		key := fmt.Sprint(g, u)
		assert.False(t, seen[key])
		seen[key] = true
	}
}
