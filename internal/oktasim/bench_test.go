package oktasim_test

import (
	"io"
	"net/http"
	"testing"

	"source-okta/internal/oktasim"
)

// The org must be much faster than what reads from it: these say how fast.

func bigOrg() *oktasim.Org {
	return oktasim.New(oktasim.Config{Seed: 1, Users: 1_000_000, Groups: 5_000, Apps: 200, Events: 1_000_000, Devices: 10_000, Late: 0.01})
}

func BenchmarkNewMillion(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		bigOrg()
	}
}

func BenchmarkPage(b *testing.B) {
	o := bigOrg()
	var group string
	for g := range o.Groups() {
		group = g.ID
		break // Everyone has the lowest id
	}
	for _, list := range []struct{ name, path string }{
		{"users", "/api/v1/users" + query("search", `lastUpdated ge "2000-01-01T00:00:00.000Z"`, "sortBy", "lastUpdated", "limit", "200")},
		{"users filter", "/api/v1/users" + query("filter", `lastUpdated gt "2000-01-01T00:00:00.000Z" and (status eq "ACTIVE" or status eq "DEPROVISIONED" or status eq "STAGED")`, "limit", "200")},
		{"groups stats", "/api/v1/groups?limit=200&expand=stats"},
		{"members", "/api/v1/groups/" + group + "/users?limit=1000"},
		{"logs polling", "/api/v1/logs?limit=1000"},
		{"logs bounded", "/api/v1/logs?limit=1000&until=" + o.Now().UTC().Format("2006-01-02T15:04:05Z")},
		{"devices", "/api/v1/devices?limit=200"},
	} {
		b.Run(list.name, func(b *testing.B) {
			b.ReportAllocs()
			r, err := http.NewRequest(http.MethodGet, origin+list.path, nil)
			if err != nil {
				b.Fatal(err)
			}
			r.Header.Set("Authorization", "SSWS "+oktasim.DefaultToken)
			for b.Loop() {
				resp, err := o.RoundTrip(r)
				if err != nil || resp.StatusCode != http.StatusOK {
					b.Fatal(err, resp)
				}
				n, _ := io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				b.SetBytes(n)
			}
		})
	}
}
