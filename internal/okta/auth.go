package okta

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

// AuthError says that credentials cannot be used: Okta's token endpoint refused them, or they cannot even be sent.
// It is final for a run. Its text is one sentence with what to do and the names of the config's fields.
type AuthError struct {
	Code    string   // OAuth 2.0 error or Okta errorCode; empty when nothing was sent
	Status  int      // HTTP status; 0 when nothing was sent
	Summary string   // Okta's own words, or what is wrong with a field
	Fields  []string // names of the fields of `credentials` to check
	Remedy  string   // what to do, without a full stop
	Scopes  []string // invalid_scope: the scopes that are not granted
	Err     error
}

func (e *AuthError) Error() string {
	what := e.Summary
	if e.Code != "" {
		what = "Okta refused the credentials (" + strings.TrimSuffix(strings.TrimSuffix(e.Code+": "+e.Summary, ": "), ".") + ")"
	}
	if e.Remedy == "" {
		return what
	}
	return what + ": " + e.Remedy
}

func (e *AuthError) Unwrap() error { return e.Err }

// OAuthOptions is what both OAuth authenticators need to talk to the org's token endpoint.
type OAuthOptions struct {
	Origin    *url.URL
	Transport http.RoundTripper // nil: NewTransport()
	UserAgent string
	Log       *slog.Logger // nil: silent
	OnSecret  func(string) // hears each secret before it is first sent or can be logged; nil: nobody does
}

func (o OAuthOptions) withDefaults() OAuthOptions {
	if o.Transport == nil {
		o.Transport = NewTransport()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.OnSecret == nil {
		o.OnSecret = func(string) {}
	}
	return o
}

type ssws string

// NewSSWS signs with an API token: https://developer.okta.com/docs/guides/create-an-api-token/
func NewSSWS(token string) Authenticator {
	return ssws(strings.TrimPrefix(strings.TrimSpace(token), "SSWS "))
}

func (s ssws) Sign(_ context.Context, req *http.Request) error {
	if s == "" || strings.ContainsFunc(string(s), func(r rune) bool { return r <= ' ' || r > '~' }) {
		return &AuthError{Fields: []string{"api_token"}, Summary: "api_token is empty or has characters that no Okta API token has", Remedy: "copy the token again, or create one under Security → API → Tokens"}
	}
	req.Header.Set("Authorization", "SSWS "+string(s))
	return nil
}

func (ssws) Observe(context.Context, *http.Response) (bool, error) { return false, nil }

// accessToken is one answer of the token endpoint.
type accessToken struct {
	value    string
	dpop     bool // bound to the proof key; else anybody's who bears it
	renewAt  time.Time
	accepted atomic.Bool // an API call that carried it was answered with anything but 401
}

// mintTimeout bounds one renewal with all its tries, of which a rate-limited one may wait a window of a minute.
const mintTimeout = 2 * time.Minute

// tokenCache holds a run's one access token and sees to it that only one renewal is under way.
type tokenCache struct {
	mint func(context.Context) (*accessToken, error)

	flight  singleflight.Group
	mu      sync.Mutex
	current *accessToken
	refused error // an *AuthError: asking again would not help, and would fill the org's System Log
}

func (c *tokenCache) cached() (*accessToken, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refused != nil {
		return nil, c.refused
	}
	if c.current != nil && time.Now().Before(c.current.renewAt) {
		return c.current, nil
	}
	return nil, nil
}

// get returns a token that is good for at least another request, from the cache or newly minted. A caller whose
// context ends stops waiting; the renewal itself goes on, because a refresh token that was sent is spent.
func (c *tokenCache) get(ctx context.Context) (*accessToken, error) {
	if t, err := c.cached(); t != nil || err != nil {
		return t, err
	}
	answer := c.flight.DoChan("", func() (any, error) {
		if t, err := c.cached(); t != nil || err != nil {
			return t, err
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), mintTimeout)
		defer cancel()
		t, err := c.mint(ctx)
		c.mu.Lock()
		defer c.mu.Unlock()
		if err != nil {
			var final *AuthError
			if errors.As(err, &final) {
				c.refused = err
			}
			return nil, err
		}
		c.current = t
		return t, nil
	})
	select {
	case r := <-answer:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*accessToken), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// accept remembers that value was good for an API call.
func (c *tokenCache) accept(value string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != nil && c.current.value == value {
		c.current.accepted.Store(true)
	}
}

// reject takes value out of the cache and says whether another token is worth a try: not when value is the newest
// there is and no call has succeeded with it in its lifetime, as then the next one would fare no better.
func (c *tokenCache) reject(value string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.current
	if t == nil || t.value != value {
		return true
	}
	if !t.accepted.Load() && time.Now().Before(t.renewAt) {
		return false
	}
	c.current = nil
	return true
}

// session signs with access tokens: what the two OAuth authenticators have in common.
type session struct {
	tokens tokenCache
	proofs *prover // nil: Bearer tokens only
}

// Login gets the first access token now instead of with the first request.
func (s *session) Login(ctx context.Context) error {
	_, err := s.tokens.get(ctx)
	return err
}

// Sign puts an access token, and a proof of its own where the token asks for one, on req.
func (s *session) Sign(ctx context.Context, req *http.Request) error {
	t, err := s.tokens.get(ctx)
	if err != nil {
		return err
	}
	if !t.dpop {
		req.Header.Set("Authorization", "Bearer "+t.value)
		return nil
	}
	proof, err := s.proofs.proof(req.Method, req.URL, resourceServer, t.value)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "DPoP "+t.value)
	req.Header.Set("DPoP", proof)
	return nil
}

// Observe learns nonces and renews the token that a 401 refused.
func (s *session) Observe(ctx context.Context, resp *http.Response) (again bool, err error) {
	carried := ""
	if resp.Request != nil {
		_, carried, _ = strings.Cut(resp.Request.Header.Get("Authorization"), " ")
	}
	nonce := s.proofs.learnNonce(resourceServer, resp.Header)
	if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusBadRequest {
		switch challengeParam(resp.Header, "error") {
		case "use_dpop_nonce":
			return nonce != "" && resp.Request != nil && carriedNonce(resp.Request.Header.Get("DPoP")) != nonce, nil
		case "invalid_dpop_proof":
			if s.proofs != nil && correctClock(s.proofs.clock, resp.Header) != 0 {
				return true, nil
			}
		}
	}
	if resp.StatusCode != http.StatusUnauthorized {
		s.tokens.accept(carried)
		return false, nil
	}
	if !s.tokens.reject(carried) {
		return false, nil
	}
	if _, err := s.tokens.get(ctx); err != nil {
		return false, fmt.Errorf("renewing the access token that was answered with 401: %w", err)
	}
	return true, nil
}
