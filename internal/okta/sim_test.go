package okta_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
	"golang.org/x/sync/errgroup"

	"source-okta/internal/okta"
	"source-okta/internal/oktasim"
)

// chain reads a whole list and hands each page to page, which may be nil.
func chain(t *testing.T, c *okta.Client, r okta.Request, page func(*okta.Page)) error {
	for at := &r; at != nil; {
		p, err := c.Get(t.Context(), *at)
		if err != nil {
			return err
		}
		if page != nil {
			page(p)
		}
		at = p.Next
	}
	return nil
}

func clientFor(o *oktasim.Org, share int) *okta.Client {
	return okta.New(okta.Options{Origin: origin, Transport: o, Auth: okta.NewSSWS(o.Token()), Share: share})
}

var (
	users = okta.Request{Bucket: "/api/v1/users", Path: "/api/v1/users", PageSize: 200}
	rules = okta.Request{Bucket: "/api/v1/groups", Path: "/api/v1/groups", PageSize: 200}
)

func TestASimulatedOrgIsReadAtItsLimitWithoutARefusal(t *testing.T) {
	for name, row := range map[string]struct{ share, other int }{
		"alone": {80, 0}, "with another client": {60, 30},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const limit, window = 100, 15 * time.Second
				o := oktasim.New(oktasim.Config{
					Seed: 3, Groups: 60, Users: 400, Window: window, OtherShare: row.other,
					Latency: 60 * time.Millisecond, Limits: map[string]int{oktasim.BucketGroups: limit},
				})
				c := clientFor(o, row.share)
				var groups []string
				require.NoError(t, chain(t, c, rules, func(p *okta.Page) { groups = append(groups, p.Items...) }))
				began := time.Now()
				var walks errgroup.Group
				walks.SetLimit(8)
				const pages = 600
				for i := range pages {
					walks.Go(func() error {
						id := gjson.Get(groups[i%len(groups)], "id").Str
						return chain(t, c, okta.Request{Bucket: rules.Bucket, Path: "/api/v1/groups/" + id + "/users", PageSize: 1000}, nil)
					})
				}
				require.NoError(t, walks.Wait())
				best := time.Duration((pages+1+limit*row.share/100-1)/(limit*row.share/100)-1) * window
				assert.LessOrEqual(t, time.Since(began), best+best/20)
				assert.Zero(t, o.Stats()[oktasim.BucketGroups].Window429)
				assert.InDelta(t, 1, c.Stats()[rules.Bucket].Utilisation, 0.02)
			})
		})
	}
}

func TestEveryRecordOfASimulatedOrgComesExactlyOnceWhateverFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := oktasim.New(oktasim.Config{
			Seed: 4, Users: 3000, Window: 15 * time.Second, Latency: 50 * time.Millisecond, Concurrency: 4,
			Limits: map[string]int{oktasim.BucketUsers: 40}, TokenPercent: 50,
			Faults: []oktasim.Fault{
				{Kind: oktasim.FaultStatus, Status: 503, Probability: 0.02},
				{Kind: oktasim.FaultDrop, Probability: 0.02},
				{Kind: oktasim.FaultTruncate, Probability: 0.02},
				{Kind: oktasim.FaultHTML, Probability: 0.02},
				{Kind: oktasim.FaultEmpty, Probability: 0.01},
				{Kind: oktasim.FaultWrongJSON, Probability: 0.01},
			},
		})
		c := clientFor(o, 0)
		want := map[string]int{}
		for u := range o.Users() {
			if u.Status != "DEPROVISIONED" {
				want[u.ID] = 4
			}
		}
		got := make([]map[string]int, 4)
		var walks errgroup.Group
		for i := range got {
			got[i] = map[string]int{}
			walks.Go(func() error {
				return chain(t, c, users, func(p *okta.Page) {
					for _, item := range p.Items {
						got[i][gjson.Get(item, "id").Str]++
					}
				})
			})
		}
		require.NoError(t, walks.Wait())
		for _, seen := range got[1:] {
			for id, n := range seen {
				got[0][id] += n
			}
		}
		assert.Equal(t, want, got[0])
	})
}
