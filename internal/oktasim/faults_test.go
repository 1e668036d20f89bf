package oktasim_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"source-okta/internal/oktasim"
)

// try makes a request that may go wrong.
func try(t *testing.T, rt http.RoundTripper, url string) (status int, contentType, body string, err error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "SSWS "+oktasim.DefaultToken)
	resp, err := rt.RoundTrip(r)
	if err != nil {
		return 0, "", "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header.Get("Content-Type"), string(b), err
}

func TestFaultsLookTheSameInMemoryAndOverTheNetwork(t *testing.T) {
	for _, network := range []bool{false, true} {
		name := map[bool]string{false: "in memory", true: "over the network"}[network]
		t.Run(name, func(t *testing.T) {
			o := oktasim.New(oktasim.Config{Seed: 1, Users: 50})
			var rt http.RoundTripper = o
			url := origin
			if network {
				s := httptest.NewServer(o)
				defer s.Close()
				rt, url = &http.Transport{}, s.URL
				defer rt.(*http.Transport).CloseIdleConnections()
			}
			url += "/api/v1/users"
			fault := func(f oktasim.Fault) {
				o.ClearFaults()
				o.AddFault(f)
			}
			_, _, good, err := try(t, rt, url)
			require.NoError(t, err)

			fault(oktasim.Fault{Kind: oktasim.FaultStatus, Status: 503})
			status, _, body, err := try(t, rt, url)
			require.NoError(t, err)
			assert.Equal(t, 503, status)
			assert.Contains(t, body, "E0000010")

			fault(oktasim.Fault{Kind: oktasim.FaultDrop})
			_, _, _, err = try(t, rt, url)
			assert.True(t, errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF), "%v", err)

			fault(oktasim.Fault{Kind: oktasim.FaultTruncate})
			status, _, body, err = try(t, rt, url)
			assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
			assert.Equal(t, 200, status)
			assert.Equal(t, good[:len(body)], body)
			assert.Less(t, len(body), len(good))

			fault(oktasim.Fault{Kind: oktasim.FaultHTML, Status: 502})
			status, kind, body, err := try(t, rt, url)
			require.NoError(t, err)
			assert.Equal(t, 502, status)
			assert.True(t, strings.HasPrefix(kind, "text/html"))
			assert.Contains(t, body, "<html>")

			fault(oktasim.Fault{Kind: oktasim.FaultEmpty})
			status, _, body, err = try(t, rt, url)
			require.NoError(t, err)
			assert.Equal(t, 200, status)
			assert.Empty(t, body)

			fault(oktasim.Fault{Kind: oktasim.FaultWrongJSON})
			_, _, body, err = try(t, rt, url)
			require.NoError(t, err)
			assert.Equal(t, `{"status":"UP"}`, body)

			fault(oktasim.Fault{Kind: oktasim.FaultStall, Delay: time.Millisecond})
			_, _, body, err = try(t, rt, url)
			require.NoError(t, err)
			assert.Equal(t, good, body)
		})
	}
}

func TestFaultsHitTheRequestsTheyAreMeantFor(t *testing.T) {
	o := oktasim.New(oktasim.Config{Seed: 1, Users: 50, Groups: 5, Faults: []oktasim.Fault{
		{Path: "/api/v1/users", First: 2, Times: 2},
		{Path: "/api/v1/groups/*/users", MinLimit: 500, Status: 504},
		{Path: "/api/v1/devices", Probability: 0.3},
	}})
	var statuses []int
	for range 5 {
		statuses = append(statuses, get(t, o, "/api/v1/users").StatusCode)
	}
	assert.Equal(t, []int{200, 500, 500, 200, 200}, statuses)
	var group string
	for g := range o.Groups() {
		group = g.ID
	}
	assert.Equal(t, 504, get(t, o, "/api/v1/groups/"+group+"/users?limit=1000").StatusCode)
	assert.Equal(t, 200, get(t, o, "/api/v1/groups/"+group+"/users?limit=250").StatusCode)
	failed := 0
	for range 300 {
		if get(t, o, "/api/v1/devices").StatusCode == 500 {
			failed++
		}
	}
	assert.InDelta(t, 90, failed, 25)
}

func TestLatencyIsVirtualTimeAndEndsWithTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := oktasim.New(oktasim.Config{Seed: 1, Users: 5, Latency: 50 * time.Millisecond, LatencyJitter: 20 * time.Millisecond, RecordRequests: true})
		start := time.Now()
		get(t, o, "/api/v1/users")
		assert.GreaterOrEqual(t, time.Since(start), 50*time.Millisecond)
		assert.Less(t, time.Since(start), 70*time.Millisecond)

		o.AddFault(oktasim.Fault{Kind: oktasim.FaultSlow, Delay: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, origin+"/api/v1/users?limit=1", nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "SSWS "+o.Token())
		_, err = o.RoundTrip(r)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(start))

		log := o.Requests()
		require.Len(t, log, 2)
		assert.Equal(t, "SSWS", log[0].AuthScheme)
		assert.Empty(t, log[0].Header.Get("Authorization"))
		assert.Equal(t, 200, log[0].Status)
		assert.Equal(t, "limit=1", log[1].Query)
		assert.Zero(t, log[1].Status)
	})
}
