package source_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"source-okta/internal/oktasim"
	"source-okta/source"
	"source-okta/streams"
)

var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "source-okta")
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "source-okta")
	out, err := exec.Command("go", "build", "-o", name, "..").CombinedOutput()
	if err != nil {
		err = &exec.Error{Name: string(out), Err: err}
	}
	return name, err
})

// process is the built connector, reading a simulated org over the loopback interface.
func process(t *testing.T, cfg oktasim.Config, list ...*streams.Stream) *exec.Cmd {
	t.Helper()
	name, err := binary()
	require.NoError(t, err)
	server := httptest.NewServer(oktasim.New(cfg))
	t.Cleanup(server.Close)
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	config := write("config.json", `{"domain":"`+server.URL+`","stream_set":"core","credentials":{"auth_type":"api_token","api_token":"`+oktasim.DefaultToken+`"}}`)
	catalog := write("catalog.json", configuredCatalog("incremental", list...))
	cmd := exec.Command(name, "read", "--config", config, "--catalog", catalog)
	cmd.Env = append(os.Environ(), "HTTPS_PROXY=", "HTTP_PROXY=")
	return cmd
}

func TestASignalKillsTheReadWithWholeLinesOnStdout(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		cmd := process(t, oktasim.Config{Users: 50_000, Latency: 20 * time.Millisecond}, streams.Users)
		stdout, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		r := bufio.NewReader(stdout)
		var out bytes.Buffer
		for range 500 {
			line, err := r.ReadBytes('\n')
			require.NoError(t, err)
			out.Write(line)
		}
		require.NoError(t, cmd.Process.Signal(sig))
		_, err = io.Copy(&out, r)
		require.NoError(t, err)
		parseLines(t, out.Bytes())
		_ = cmd.Wait()
		status := cmd.ProcessState.Sys().(syscall.WaitStatus)
		assert.True(t, status.Signaled(), "the parent sees a death by signal, got %v", cmd.ProcessState)
		assert.Equal(t, sig, status.Signal())
	}
}

func TestAReaderThatGoesAwayEndsTheRead(t *testing.T) {
	cmd := process(t, oktasim.Config{Users: 200_000, Latency: 5 * time.Millisecond}, streams.Users)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = bufio.NewReader(stdout).ReadBytes('\n')
	require.NoError(t, err)
	require.NoError(t, stdout.Close())
	_ = cmd.Wait()
	assert.NotZero(t, cmd.ProcessState.ExitCode())
	assert.Less(t, cmd.ProcessState.UserTime(), 10*time.Second, "it stops at once")
	assert.NotContains(t, stderr.String(), "panic")
}

// brokenPipe fails after some bytes.
type brokenPipe struct {
	bytes.Buffer
	left int
}

func (w *brokenPipe) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, syscall.EPIPE
	}
	return w.Buffer.Write(p)
}

func TestNothingIsWrittenAfterStdoutBroke(t *testing.T) {
	org := oktasim.New(oktasim.Config{Users: 5_000})
	w := &brokenPipe{left: 300_000}
	files := map[string]string{
		"c.json": `{"domain":"acme","stream_set":"core","credentials":{"auth_type":"api_token","api_token":"` + oktasim.DefaultToken + `"}}`,
		"k.json": configuredCatalog("incremental", streams.Users),
	}
	code := source.Run(t.Context(), source.Env{
		Args: []string{"read", "--config", "c.json", "--catalog", "k.json"}, Stdout: w, Stderr: io.Discard, Transport: org,
		Getenv: func(string) string { return "" }, ReadFile: func(n string) ([]byte, error) { return []byte(files[n]), nil },
	})
	assert.Equal(t, 1, code)
	parseLines(t, w.Bytes())
}

func TestAPanicBecomesATraceError(t *testing.T) {
	org := oktasim.New(oktasim.Config{Users: 50, Groups: 5})
	transport := hook{org, func(req *http.Request) {
		if strings.HasPrefix(req.URL.Path, "/api/v1/users") {
			panic("boom")
		}
	}}
	r := runWith(t, transport, map[string]string{
		"c.json": `{"domain":"acme","stream_set":"core","credentials":{"auth_type":"api_token","api_token":"` + oktasim.DefaultToken + `"}}`,
		"k.json": configuredCatalog("incremental", streams.Users, streams.Groups, streams.GroupMembers),
	}, nil, "read", "--config", "c.json", "--catalog", "k.json")
	assert.Equal(t, 1, r.code)
	require.Len(t, r.errors(), 1)
	assert.Equal(t, "system_error", r.errors()[0].Get("failure_type").Str)
	assert.Contains(t, r.errors()[0].Get("internal_message").Str, "boom")
	assert.NotEmpty(t, r.errors()[0].Get("stack_trace").Str)
}

func TestAnOrgThatCannotBeReachedIsTransient(t *testing.T) {
	inBubble(t, oktasim.Config{}, func(t *testing.T, _ *oktasim.Org) {
		r := runWith(t, offline{}, map[string]string{"c.json": goodConfig, "k.json": goodCatalog}, nil, "read", "--config", "c.json", "--catalog", "k.json")
		assert.Equal(t, 1, r.code)
		require.Len(t, r.errors(), 1)
		assert.Equal(t, "transient_error", r.errors()[0].Get("failure_type").Str)
	})
}
