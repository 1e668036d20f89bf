package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// start runs the command until the test ends and returns the fields of its ready line.
func start(t *testing.T, args ...string) (address, token string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, args, w)
		w.Close()
		done <- err
	}()
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, <-done)
	})
	line, err := bufio.NewReader(r).ReadString('\n')
	require.NoError(t, err)
	fields := strings.Fields(line)
	require.GreaterOrEqual(t, len(fields), 6, line)
	assert.Equal(t, "oktasim ready at", strings.Join(fields[:3], " "))
	return fields[3], fields[5]
}

func TestItServesAnOrgUntilItIsStopped(t *testing.T) {
	address, token := start(t, "-users", "10", "-limits", "none")
	r, err := http.NewRequest(http.MethodGet, address+"/api/v1/users", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "SSWS "+token)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	assert.Equal(t, http.StatusOK, resp.StatusCode)
}

func TestItIsAProxyWhoseAuthorityIsInAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.pem")
	address, _ := start(t, "-users", "10", "-proxy", "-ca", file)
	pem, err := os.ReadFile(file)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(pem))
	proxy, err := url.Parse(address)
	require.NoError(t, err)
	transport := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get("https://some-org.okta.com/.well-known/okta-organization")
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Contains(t, string(body), "https://some-org.okta.com")
}

func TestTheSameFlagsServeTheSameWorld(t *testing.T) {
	read := func() string {
		address, _ := start(t, "-users", "20", "-born", "2026-06-01T00:00:00Z", "-seed", "5")
		resp, err := http.Get(address + "/_sim/records/users?origin=https://x.okta.com")
		require.NoError(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return string(body)
	}
	assert.Equal(t, read(), read())
}

func TestWrongFlagsAreErrors(t *testing.T) {
	for _, args := range [][]string{
		{"-limits", "some"},
		{"-born", "yesterday"},
		{"more"},
		{"-addr", "256.0.0.1:1"},
		{"-users", "x"},
		{"-tls", "-ca", filepath.Join(t.TempDir(), "no", "such", "dir")},
	} {
		assert.Error(t, run(t.Context(), args, io.Discard), args)
	}
}
