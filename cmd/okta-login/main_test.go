package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"source-okta/internal/oktasim"
	"source-okta/source"
)

// signIn is one run of the command against a simulated org.
type signIn struct {
	org            *oktasim.Org
	port           string
	stdout, stderr bytes.Buffer
	secret         string
	open           func(address string) error
}

func newSignIn(t *testing.T, change func(*oktasim.OAuthApp)) *signIn {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, l.Close())
	app := oktasim.OAuthApp{ClientID: "0oaweb", Secret: "web-secret", Rotate: true, RedirectURIs: []string{"http://127.0.0.1:" + port + "/callback"}}
	if change != nil {
		change(&app)
	}
	s := &signIn{port: port, secret: "web-secret", org: oktasim.New(oktasim.Config{
		Users: 20, RecordRequests: true, OAuth: oktasim.OAuth{Apps: []oktasim.OAuthApp{app}},
	})}
	s.open = func(address string) error { s.browse(t, address, nil); return nil }
	return s
}

func (s *signIn) run(ctx context.Context, args ...string) int {
	return run(ctx, env{
		args: append([]string{"-domain", "acme", "-client-id", "0oaweb", "-port", s.port}, args...), stdout: &s.stdout, stderr: &s.stderr,
		getenv:    func(name string) string { return map[string]string{"OKTA_CLIENT_SECRET": s.secret}[name] },
		open:      func(address string) error { return s.open(address) },
		transport: s.org,
	})
}

// browse does what a browser does with the address: asks the org, and follows it back to the command.
func (s *signIn) browse(t *testing.T, address string, change func(*url.URL)) (status int, page string) {
	req, err := http.NewRequest(http.MethodGet, address, nil)
	require.NoError(t, err)
	sent, err := s.org.RoundTrip(req)
	require.NoError(t, err)
	sent.Body.Close()
	require.Equal(t, http.StatusFound, sent.StatusCode)
	back, err := url.Parse(sent.Header.Get("Location"))
	require.NoError(t, err)
	if change != nil {
		change(back)
	}
	resp, err := http.Get(back.String())
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(b)
}

func TestASignInEndsInAConfigThatCheckAccepts(t *testing.T) {
	s := newSignIn(t, nil)
	require.Equal(t, 0, s.run(t.Context()), s.stderr.String())

	var config struct {
		Domain      string
		Credentials map[string]string
	}
	require.NoError(t, json.Unmarshal(s.stdout.Bytes(), &config))
	assert.Equal(t, "acme.okta.com", config.Domain)
	assert.Equal(t, "oauth2.0", config.Credentials["auth_type"])
	assert.Equal(t, "0oaweb", config.Credentials["client_id"])
	assert.Equal(t, "web-secret", config.Credentials["client_secret"])
	for _, secret := range []string{"web-secret", config.Credentials["refresh_token"]} {
		assert.NotContains(t, s.stderr.String(), secret)
	}
	assert.NotContains(t, s.stderr.String(), "Not granted")

	path := filepath.Join(t.TempDir(), "config.json")
	require.NoError(t, os.WriteFile(path, s.stdout.Bytes(), 0o600))
	var out bytes.Buffer
	code := source.Run(t.Context(), source.Env{
		Args: []string{"check", "--config", path}, Stdout: &out, Stderr: io.Discard, ReadFile: os.ReadFile,
		Getenv: func(string) string { return "" }, Transport: s.org,
	})
	assert.Equal(t, 0, code)
	assert.Contains(t, out.String(), `"SUCCEEDED"`)
}

func TestOnlyTheAnswerToItsOwnSignInIsHeard(t *testing.T) {
	s := newSignIn(t, nil)
	s.open = func(address string) error {
		status, _ := s.browse(t, address, func(back *url.URL) {
			q := back.Query()
			q.Set("state", "guessed")
			back.RawQuery = q.Encode()
		})
		assert.Equal(t, http.StatusBadRequest, status)
		status, _ = s.browse(t, address, func(back *url.URL) { back.Host = "localhost:" + s.port })
		assert.Equal(t, http.StatusBadRequest, status, "a page that reaches the port under another name")
		status, page := s.browse(t, address, nil)
		assert.Equal(t, http.StatusOK, status)
		assert.Contains(t, page, "You can close this window")
		return nil
	}
	require.Equal(t, 0, s.run(t.Context()), s.stderr.String())
	assert.NotEmpty(t, s.stdout.String())
}

func TestWithoutABrowserTheAddressIsPrinted(t *testing.T) {
	for name, args := range map[string][]string{"as asked": {"-no-browser"}, "as none opens": nil} {
		t.Run(name, func(t *testing.T) {
			s := newSignIn(t, nil)
			s.open = func(string) error {
				assert.Empty(t, args)
				return errors.New("no display")
			}
			r, w := io.Pipe()
			go func() {
				// The person reads the terminal.
				var seen strings.Builder
				b := make([]byte, 4096)
				for {
					n, err := r.Read(b)
					seen.Write(b[:n])
					if err != nil {
						return
					}
					if _, after, found := strings.Cut(seen.String(), "https://acme.okta.com/"); found && strings.Contains(after, "\n") {
						line, _, _ := strings.Cut(after, "\n")
						seen.Reset()
						go s.browse(t, "https://acme.okta.com/"+line, nil)
					}
				}
			}()
			code := run(t.Context(), env{
				args: append([]string{"-domain", "acme", "-client-id", "0oaweb", "-port", s.port}, args...), stdout: &s.stdout, stderr: w,
				getenv: func(string) string { return s.secret }, open: s.open, transport: s.org,
			})
			w.Close()
			assert.Equal(t, 0, code)
			assert.Contains(t, s.stdout.String(), `"refresh_token"`)
		})
	}
}

func TestASignInThatFailsSaysWhyAndPrintsNothing(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*oktasim.OAuthApp)
		args   []string
		says   string
	}{
		"the person declines":   {func(a *oktasim.OAuthApp) { a.Declines = true }, nil, "sign in as somebody whom the app is assigned to"},
		"a scope is missing":    {func(a *oktasim.OAuthApp) { a.Scopes = []string{"okta.users.read"} }, nil, "or ask for fewer with -scopes"},
		"the secret is another": {func(a *oktasim.OAuthApp) { a.Secret = "another" }, nil, "check client_id and client_secret"},
		"the app requires DPoP": {func(a *oktasim.OAuthApp) { a.DPoP = oktasim.DPoPRequired }, nil, "does not require DPoP"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSignIn(t, c.change)
			assert.Equal(t, 1, s.run(t.Context(), c.args...))
			assert.Contains(t, s.stderr.String(), c.says)
			assert.Empty(t, s.stdout.String())
			assert.NotContains(t, s.stderr.String(), "web-secret")
		})
	}
	t.Run("nobody signs in", func(t *testing.T) {
		s := newSignIn(t, nil)
		s.open = func(string) error { return nil }
		assert.Equal(t, 1, s.run(t.Context(), "-timeout", "50ms"))
		assert.Contains(t, s.stderr.String(), "nobody signed in within 50ms")
	})
	t.Run("the port is taken", func(t *testing.T) {
		s := newSignIn(t, nil)
		l, err := net.Listen("tcp4", "127.0.0.1:"+s.port)
		require.NoError(t, err)
		defer l.Close()
		assert.Equal(t, 1, s.run(t.Context()))
		assert.Contains(t, s.stderr.String(), "another -port may help")
	})
	t.Run("the host is no org", func(t *testing.T) {
		s := newSignIn(t, nil)
		s.org.AddFault(oktasim.Fault{Kind: oktasim.FaultWrongJSON})
		s.open = func(string) error { return errors.New("must not be opened") }
		assert.Equal(t, 1, s.run(t.Context()))
		assert.Contains(t, s.stderr.String(), "no Okta org answers at acme.okta.com")
	})
}

func TestACommandLineThatIsWrongIsRefused(t *testing.T) {
	for says, args := range map[string][]string{
		"-domain and -client-id are needed":    {"-domain", "acme"},
		`unexpected argument "now"`:            {"-domain", "acme", "-client-id", "0oa", "now"},
		"-domain: the domain is an IP address": {"-domain", "10.0.0.1", "-client-id", "0oa"},
		"-port 70000 is not a port":            {"-domain", "acme", "-client-id", "0oa", "-port", "70000"},
		"flag provided but not defined":        {"-secret", "x"},
	} {
		var stderr bytes.Buffer
		e := env{args: args, stdout: io.Discard, stderr: &stderr, getenv: func(string) string { return "secret" }}
		assert.Equal(t, 2, run(t.Context(), e))
		assert.Contains(t, stderr.String(), says)
	}
	var stderr bytes.Buffer
	e := env{args: []string{"-domain", "acme", "-client-id", "0oa"}, stderr: &stderr, getenv: func(string) string { return "" }}
	assert.Equal(t, 2, run(t.Context(), e))
	assert.Contains(t, stderr.String(), "OKTA_CLIENT_SECRET, which is empty")

	e = env{args: []string{"-help"}, stderr: &stderr, getenv: func(string) string { return "" }}
	assert.Equal(t, 0, run(t.Context(), e))
}

func TestARandomPortIsNamed(t *testing.T) {
	s := newSignIn(t, nil)
	s.port = "0"
	s.open = func(address string) error {
		u, err := url.Parse(address)
		require.NoError(t, err)
		redirect := u.Query().Get("redirect_uri")
		assert.NotContains(t, redirect, ":0/")
		assert.Contains(t, s.stderr.String(), fmt.Sprintln("Sign-in redirect URI that the app must have:", redirect))
		return nil
	}
	assert.Equal(t, 1, s.run(t.Context(), "-timeout", (50*time.Millisecond).String()))
}
