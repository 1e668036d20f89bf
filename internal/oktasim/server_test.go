package oktasim_test

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"source-okta/internal/oktasim"
)

func serve(t *testing.T, o *oktasim.Org, options oktasim.ServerOptions) *oktasim.Server {
	t.Helper()
	s, err := oktasim.Start(t.Context(), o, options)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		assert.NoError(t, s.Close(ctx))
	})
	return s
}

func trusting(t *testing.T, a *oktasim.Authority) *tls.Config {
	t.Helper()
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(a.PEM()))
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

// fetch reads an address over a transport of its own.
func fetch(t *testing.T, transport *http.Transport, address string) answer {
	t.Helper()
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "SSWS "+oktasim.DefaultToken)
	resp, err := transport.RoundTrip(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return answer{resp, string(body)}
}

func TestTheServerAnswersWithLinksToItself(t *testing.T) {
	s := serve(t, oktasim.New(oktasim.Config{Seed: 1, Users: 30}), oktasim.ServerOptions{})
	a := fetch(t, &http.Transport{}, s.URL+"/api/v1/users?limit=2")
	require.Equal(t, 200, a.StatusCode)
	assert.Contains(t, a.Header.Values("Link")[1], "<"+s.URL+"/api/v1/users?after=")
	assert.True(t, strings.HasPrefix(gjson.Get(a.body, "0._links.self.href").String(), s.URL))
	assert.True(t, a.Uncompressed, "Go's transport asks for gzip by itself")
}

func TestTLSAndHTTP2(t *testing.T) {
	authority, err := oktasim.NewAuthority()
	require.NoError(t, err)
	s := serve(t, oktasim.New(oktasim.Config{Seed: 1, Users: 30}), oktasim.ServerOptions{Authority: authority})
	a := fetch(t, &http.Transport{TLSClientConfig: trusting(t, authority), ForceAttemptHTTP2: true}, s.URL+"/api/v1/users?limit=2")
	require.Equal(t, 200, a.StatusCode)
	assert.Equal(t, 2, a.ProtoMajor)
	assert.Contains(t, a.Header.Get("Link"), "<https://127.0.0.1:")
}

func TestTheProxyPlaysEveryHostUnderOktaCom(t *testing.T) {
	authority, err := oktasim.NewAuthority()
	require.NoError(t, err)
	s := serve(t, oktasim.New(oktasim.Config{Seed: 1, Users: 30}), oktasim.ServerOptions{Proxy: authority})
	proxy, err := url.Parse(s.URL)
	require.NoError(t, err)
	transport := func() *http.Transport {
		return &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: trusting(t, authority)}
	}
	for _, host := range []string{"acme.okta.com", "dev-123.okta.com"} {
		a := fetch(t, transport(), "https://"+host+"/api/v1/users?limit=2")
		require.Equal(t, 200, a.StatusCode)
		assert.Contains(t, a.Header.Values("Link")[1], "<https://"+host+"/api/v1/users?after=")
		a = fetch(t, transport(), "https://"+host+"/api/v1/iam/roles")
		label, _, _ := strings.Cut(host, ".")
		assert.Contains(t, a.Header.Get("Link"), "<https://"+label+"-admin.okta.com/")
	}
	for _, host := range []string{"okta.com.evil.example", "notokta.com", "example.com"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+host+"/", nil)
		require.NoError(t, err)
		_, err = transport().RoundTrip(r)
		assert.ErrorContains(t, err, "Forbidden", host)
	}
}

func TestOtherProcessesSeeAndMoveTheWorld(t *testing.T) {
	o := oktasim.New(oktasim.Config{Seed: 1, Users: 30, Groups: 5, RecordRequests: true})
	s := serve(t, o, oktasim.ServerOptions{})
	fetch(t, &http.Transport{}, s.URL+"/api/v1/users?limit=2")
	stats := fetch(t, &http.Transport{}, s.URL+"/_sim/stats")
	assert.EqualValues(t, 1, gjson.Get(stats.body, `\/api\/v1\/users.Requests`).Int(), stats.body)
	log := fetch(t, &http.Transport{}, s.URL+"/_sim/requests")
	assert.Equal(t, "/api/v1/users", gjson.Get(log.body, "0.Path").String())
	assert.NotContains(t, log.body, oktasim.DefaultToken)

	resp, err := http.Post(s.URL+"/_sim/mutate?n=20", "", nil)
	require.NoError(t, err)
	var done map[string]int
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&done))
	require.NoError(t, resp.Body.Close())
	total := 0
	for _, n := range done {
		total += n
	}
	assert.Greater(t, total, 10)

	members := fetch(t, &http.Transport{}, s.URL+"/_sim/records/group_members")
	lines := strings.Split(strings.TrimSpace(members.body), "\n")
	n := 0
	for range o.Memberships() {
		n++
	}
	assert.Len(t, lines, n)
	assert.Regexp(t, "^00g", gjson.Get(lines[0], "parents.groupId").String())
	assert.Regexp(t, "^00u", gjson.Get(lines[0], "data.id").String())
	for path, status := range map[string]int{"/_sim/mutate?n=x": 400, "/_sim/nothing": 404} {
		resp, err := http.Post(s.URL+path, "", nil)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, status, resp.StatusCode)
	}
}

func TestBodiesAreCompressedWhenAsked(t *testing.T) {
	ask := func(r *http.Request) { r.Header.Set("Accept-Encoding", "gzip") }
	o := oktasim.New(oktasim.Config{Seed: 1, Users: 100})
	plain := get(t, o, "/api/v1/users")
	small := get(t, o, "/api/v1/users", ask)
	assert.Equal(t, "gzip", small.Header.Get("Content-Encoding"))
	assert.Less(t, len(small.body), len(plain.body)/3)
	z, err := gzip.NewReader(strings.NewReader(small.body))
	require.NoError(t, err)
	body, err := io.ReadAll(z)
	require.NoError(t, err)
	assert.Equal(t, plain.body, string(body))
	assert.Empty(t, plain.Header.Get("Content-Encoding"))
	o = oktasim.New(oktasim.Config{Seed: 1, Users: 100, NoGzip: true})
	assert.Empty(t, get(t, o, "/api/v1/users", ask).Header.Get("Content-Encoding"))
}
