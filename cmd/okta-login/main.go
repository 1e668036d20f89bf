// Command okta-login signs a person in to Okta and prints the part of the connector's config that lets it read as that
// person: domain and credentials with a refresh token. It is for everywhere but Airbyte's own form, whose button does the
// same.
//
//	OKTA_CLIENT_SECRET=… go run ./cmd/okta-login -domain acme -client-id 0oa…
//
// The app must be a web app with the grant types Authorization Code and Refresh Token and the sign-in redirect URI that
// the command names (http://127.0.0.1:8765/callback unless -port says otherwise). The JSON on stdout is the only place
// where a secret is written.
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"source-okta/internal/okta"
	"source-okta/streams"
)

const secretVariable = "OKTA_CLIENT_SECRET"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, env{
		args: os.Args[1:], stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv, open: openBrowser, transport: okta.NewTransport(),
	})
	stop()
	os.Exit(code)
}

// env is what a run needs from outside.
type env struct {
	args           []string
	stdout, stderr io.Writer
	getenv         func(string) string
	open           func(address string) error // shows an address in a browser
	transport      http.RoundTripper
}

// run returns the exit code: 0, 1 after a failure, 2 for a wrong command line.
func run(ctx context.Context, e env) int {
	l, timeout, err := parse(e)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(e.stderr, "okta-login:", err)
		return 2
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("nobody signed in within %s", timeout))
	defer cancel()
	if err := l.login(ctx, e); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		fmt.Fprintln(e.stderr, "okta-login:", err)
		return 1
	}
	return 0
}

// login is one sign-in.
type login struct {
	consent   okta.Consent
	port      int
	noBrowser bool
}

func parse(e env) (*login, time.Duration, error) {
	flags := flag.NewFlagSet("okta-login", flag.ContinueOnError)
	flags.SetOutput(e.stderr)
	domain := flags.String("domain", "", "the org, such as acme or acme.okta.com")
	clientID := flags.String("client-id", "", "the client ID of the app; its secret is read from "+secretVariable)
	scopes := flags.String("scopes", strings.Join(allScopes(), " "), "what to ask for, separated by spaces")
	port := flags.Int("port", 8765, "the `port` of the redirect URI on 127.0.0.1; 0: a random one")
	noBrowser := flags.Bool("no-browser", false, "print the address instead of opening a browser")
	timeout := flags.Duration("timeout", 5*time.Minute, "how long to wait for the sign-in")
	if err := flags.Parse(e.args); err != nil {
		return nil, 0, err
	}
	secret := strings.TrimSpace(e.getenv(secretVariable))
	switch {
	case flags.NArg() > 0:
		return nil, 0, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case *domain == "" || *clientID == "":
		return nil, 0, errors.New("-domain and -client-id are needed; -help tells more")
	case secret == "":
		return nil, 0, errors.New("the app's client secret is read from the environment variable " + secretVariable + ", which is empty")
	case *port < 0 || *port > 65535:
		return nil, 0, fmt.Errorf("-port %d is not a port", *port)
	}
	origin, err := okta.ParseDomain(*domain, false)
	if err != nil {
		return nil, 0, fmt.Errorf("-domain: %w", err)
	}
	asked := strings.Fields(*scopes)
	if !slices.Contains(asked, "offline_access") {
		asked = append(asked, "offline_access") // without it there is no refresh token
	}
	return &login{
		consent: okta.Consent{
			OAuthOptions: okta.OAuthOptions{Origin: origin, Transport: e.transport, UserAgent: "okta-login"},
			ClientID:     *clientID, ClientSecret: secret, Scopes: asked,
		},
		port: *port, noBrowser: *noBrowser,
	}, *timeout, nil
}

// allScopes are those of every stream.
func allScopes() []string {
	var scopes []string
	for _, s := range streams.All() {
		scopes = append(scopes, s.Scope)
	}
	slices.Sort(scopes)
	return slices.Compact(scopes)
}

func (l *login) login(ctx context.Context, e env) error {
	// Nobody is sent to sign in at a host that is not an Okta org.
	if _, err := okta.New(okta.Options{Origin: l.consent.Origin, Transport: e.transport, UserAgent: l.consent.UserAgent}).Organization(ctx); err != nil {
		return err
	}
	// By address and not by name: localhost may be another machine's (RFC 8252 §8.3).
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(l.port)))
	if err != nil {
		return fmt.Errorf("waiting for the browser (another -port may help): %w", err)
	}
	defer listener.Close()
	l.consent.RedirectURI = "http://" + listener.Addr().String() + "/callback"
	state, verifier := rand.Text(), rand.Text()+rand.Text()
	address := l.consent.URL(state, verifier).String()
	fmt.Fprintln(e.stderr, "Sign-in redirect URI that the app must have:", l.consent.RedirectURI)
	fmt.Fprintf(e.stderr, "Sign in as the administrator that the connector will read as:\n\n  %s\n\n", address)

	answers := make(chan answer, 1)
	server := &http.Server{Handler: callback(listener.Addr().String(), state, answers), ReadHeaderTimeout: 10 * time.Second}
	defer server.Close()
	go func() { _ = server.Serve(listener) }()
	if !l.noBrowser {
		if err := e.open(address); err != nil {
			fmt.Fprintln(e.stderr, "No browser could be opened; open the address above yourself.")
		}
	}
	var got answer
	select {
	case got = <-answers:
	case <-ctx.Done():
		return ctx.Err()
	}
	if got.err != nil {
		return got.err
	}
	refreshToken, granted, err := l.consent.Exchange(ctx, got.code, verifier)
	if err != nil {
		return err
	}
	stop, cancel := context.WithTimeout(ctx, time.Second) // the browser still reads its page
	defer cancel()
	_ = server.Shutdown(stop)
	for _, scope := range l.consent.Scopes {
		if !slices.Contains(granted, scope) {
			fmt.Fprintln(e.stderr, "Not granted:", scope)
		}
	}
	fmt.Fprintln(e.stderr, "Put this into the connector's config. Outside Airbyte add token_file to credentials: the refresh token may be good for one use.")
	return l.print(e.stdout, refreshToken)
}

func (l *login) print(w io.Writer, refreshToken string) error {
	type credentials struct {
		AuthType     string `json:"auth_type"`
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
		RefreshToken string `json:"refresh_token"`
	}
	origin := l.consent.Origin
	domain := origin.Host
	if origin.Scheme != "https" {
		domain = origin.String()
	}
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(struct {
		Domain      string      `json:"domain"`
		Credentials credentials `json:"credentials"`
	}{domain, credentials{"oauth2.0", l.consent.ClientID, l.consent.ClientSecret, refreshToken}})
}

// answer is what the browser brought back.
type answer struct {
	code string
	err  error
}

// callback hears the browser once. What does not carry our state is not from our sign-in, and a page from elsewhere that
// found the port has another Host.
func callback(host, state string, answers chan<- answer) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /callback", func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Referrer-Policy", "no-referrer")
		if r.Host != host || subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(state)) == 0 {
			http.Error(w, "This is not the answer to a sign-in of okta-login.", http.StatusBadRequest)
			return
		}
		got := answer{code: query.Get("code")}
		text := "Signed in. You can close this window; okta-login goes on in the terminal.\n"
		if got.code == "" {
			got.err = refused(query)
			text = "Okta did not sign you in. The terminal tells why.\n"
		}
		select {
		case answers <- got:
		default: // the page was loaded again
		}
		_, _ = io.WriteString(w, text)
	})
	return mux
}

// refused words an error that the browser brought back: RFC 6749 §4.1.2.1.
func refused(query url.Values) error {
	code := cmp.Or(query.Get("error"), "no code")
	remedy := map[string]string{
		"access_denied": "sign in as somebody whom the app is assigned to, and consent",
		"invalid_scope": "grant the scopes in the app (Okta API Scopes), or ask for fewer with -scopes",
	}[code]
	return fmt.Errorf("no consent from Okta (%.60q: %.300q): %s", code, query.Get("error_description"),
		cmp.Or(remedy, "check that the app is a web app with the grant types Authorization Code and Refresh Token"))
}

func openBrowser(address string) error {
	name, args := "xdg-open", []string{address}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", address}
	}
	return exec.CommandContext(context.Background(), name, args...).Start()
}
