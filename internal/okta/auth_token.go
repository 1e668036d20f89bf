package okta

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	tokenPath = "/oauth2/v1/token" // the org authorization server: no other grants okta.* scopes

	tokenTries   = 5 // per renewal, counting answers that are Okta's fault or the network's
	tokenNonces  = 3 // DPoP challenges in a row before they count as a refusal
	tokenTimeout = 15 * time.Second
	tokenBody    = 1 << 20

	// Okta's access tokens live an hour: https://developer.okta.com/docs/guides/implement-oauth-for-okta-serviceapp/
	defaultLifetime = time.Hour
	renewMargin     = time.Minute

	// clockTolerance is how far our clock and the Date header may be apart before we think ours is off. Date has whole
	// seconds and is as old as the answer took to arrive.
	clockTolerance = 5 * time.Second
)

// correctClock takes the time from an answer and reports how far clock was off, 0 when it was right.
func correctClock(clock *serverClock, h http.Header) time.Duration {
	date, ok := headerDate(h)
	if !ok {
		return 0
	}
	off := date.Sub(clock.now())
	if off.Abs() <= clockTolerance {
		return 0
	}
	clock.observe(h)
	return off.Round(time.Second)
}

// tokenEndpoint posts grants to the org's token endpoint.
type tokenEndpoint struct {
	url       *url.URL
	client    *http.Client
	userAgent string
	log       *slog.Logger
	onSecret  func(string)
	clock     *serverClock
	proofs    *prover // nil: no DPoP
	explain   func(*AuthError)
}

func newTokenEndpoint(o OAuthOptions, clock *serverClock, proofs *prover, explain func(*AuthError)) *tokenEndpoint {
	return &tokenEndpoint{
		url: o.Origin.JoinPath(tokenPath),
		client: &http.Client{
			Transport: o.Transport,
			Timeout:   tokenTimeout,
			// A redirect would carry the assertion or the client's secret along.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		userAgent: o.UserAgent, log: o.Log, onSecret: o.OnSecret, clock: clock, proofs: proofs, explain: explain,
	}
}

// grant is what a token endpoint grants.
type grant struct {
	AccessToken  string      `json:"access_token"`
	TokenType    string      `json:"token_type"`
	ExpiresIn    json.Number `json:"expires_in"`
	RefreshToken string      `json:"refresh_token"`
	Scope        string      `json:"scope"`
}

func (g *grant) token(asked time.Time) *accessToken {
	life := defaultLifetime
	if s, err := g.ExpiresIn.Int64(); err == nil && s > 0 {
		life = min(time.Duration(s)*time.Second, 24*time.Hour)
	}
	return &accessToken{
		value:   g.AccessToken,
		dpop:    strings.EqualFold(g.TokenType, "DPoP"),
		renewAt: asked.Add(life - min(renewMargin, life/5)),
	}
}

// refusal is an error body, in OAuth's form or, as the endpoint has it for some errors, in the core API's.
type refusal struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
	Code        string `json:"errorCode"`
	Summary     string `json:"errorSummary"`
}

// post sends what build makes until it is granted or refused; build is called for each attempt, since neither an
// assertion nor a proof may be sent twice. Errors are *AuthError, *Error and *DomainError.
func (e *tokenEndpoint) post(ctx context.Context, build func(http.Header) (url.Values, error)) (*accessToken, *grant, error) {
	nonces, corrected := 0, false
	for try := 1; ; {
		asked := time.Now()
		g, header, err := e.once(ctx, build)
		if err == nil {
			return g.token(asked), g, nil
		}
		var refused *AuthError
		if errors.As(err, &refused) {
			switch {
			case refused.Code == "use_dpop_nonce" && header.Get("DPoP-Nonce") != "" && nonces < tokenNonces:
				nonces++
				continue
			case !corrected && e.proofs != nil && (refused.Code == "invalid_client" || refused.Code == "invalid_dpop_proof"):
				// Which of the assertion's claims Okta refuses is only in error_description. When the clocks differ it
				// is the time.
				if off := correctClock(e.clock, header); off != 0 {
					corrected = true
					e.log.WarnContext(ctx, "this machine's clock differs from Okta's; going by Okta's", "ahead_of_ours", off.String())
					continue
				}
			}
			e.explain(refused)
			return nil, nil, refused
		}
		var failed *Error
		if try == tokenTries || !errors.As(err, &failed) || failed.Class != Transient && failed.Class != RateLimited {
			return nil, nil, err
		}
		wait := jitter(0, 500*time.Millisecond<<try)
		if failed.Class == RateLimited {
			wait += untilReset(header)
		}
		e.log.DebugContext(ctx, "token endpoint failed; trying again", "error", err, "wait", wait.String())
		try++
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, nil, err
		}
	}
}

// untilReset is how long a rate-limited answer asks to wait, at most the minute that Okta's windows have.
func untilReset(h http.Header) time.Duration {
	date, ok := headerDate(h)
	reset := headerNumber(h, "X-Rate-Limit-Reset")
	if !ok || reset <= 0 {
		return time.Second
	}
	return min(max(time.Unix(reset, 0).Sub(date)+time.Second, time.Second), time.Minute)
}

func (e *tokenEndpoint) once(ctx context.Context, build func(http.Header) (url.Values, error)) (*grant, http.Header, error) {
	header := http.Header{"Accept": {"application/json"}, "Content-Type": {"application/x-www-form-urlencoded"}}
	if e.userAgent != "" {
		header.Set("User-Agent", e.userAgent)
	}
	form, err := build(header)
	if err != nil {
		return nil, nil, err
	}
	if e.proofs != nil {
		proof, err := e.proofs.proof(http.MethodPost, e.url, tokenServer, "")
		if err != nil {
			return nil, nil, err
		}
		header.Set("DPoP", proof)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return nil, nil, fmt.Errorf("making the token request: %w", err)
	}
	req.Header = header
	resp, err := e.client.Do(req)
	if err != nil {
		var inside *DomainError // from GuardDialer
		if errors.As(err, &inside) {
			return nil, nil, inside
		}
		return nil, nil, e.failure(Transient, nil, "the token endpoint cannot be reached", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, tokenBody+1))
	if err != nil {
		return nil, nil, e.failure(Transient, resp, "the token endpoint's answer broke off", err)
	}
	e.proofs.learnNonce(tokenServer, resp.Header)
	g, err := e.parse(resp, body)
	return g, resp.Header, err
}

func (e *tokenEndpoint) parse(resp *http.Response, body []byte) (*grant, error) {
	switch status := resp.StatusCode; {
	case len(body) > tokenBody:
		return nil, e.failure(Unexpected, resp, "the token endpoint's answer is longer than any token answer", nil)
	case status == http.StatusTooManyRequests:
		return nil, e.failure(RateLimited, resp, "the token endpoint's rate limit is used up", nil)
	case status >= 500 || status == http.StatusRequestTimeout:
		return nil, e.failure(Transient, resp, "the token endpoint failed", nil)
	case status >= 300 && status < 400:
		return nil, e.failure(Unexpected, resp, "the token endpoint answered with a redirect, which is not followed because it would carry credentials along: check the domain", nil)
	case status == http.StatusOK:
		g := new(grant)
		if err := json.Unmarshal(body, g); err != nil || g.AccessToken == "" {
			return nil, e.failure(Unexpected, resp, "what answers at "+tokenPath+" is not Okta's token endpoint (the answer, "+kindOf(resp, body)+", holds no token): check the domain, and any proxy in between", err)
		}
		e.onSecret(g.AccessToken)
		if g.RefreshToken != "" {
			e.onSecret(g.RefreshToken)
		}
		if !strings.EqualFold(g.TokenType, "Bearer") && !(strings.EqualFold(g.TokenType, "DPoP") && e.proofs != nil) {
			return nil, e.failure(Unexpected, resp, fmt.Sprintf("the token endpoint granted a token of the unknown type %.40q", g.TokenType), nil)
		}
		return g, nil
	}
	var r refusal
	if err := json.Unmarshal(body, &r); err != nil || r.Error == "" && r.Code == "" {
		return nil, e.failure(Unexpected, resp, fmt.Sprintf("what answers at %s is not Okta's token endpoint (status %d, %s): check the domain, and any proxy or firewall in between", tokenPath, resp.StatusCode, kindOf(resp, body)), err)
	}
	if r.Error == "" {
		r.Error, r.Description = r.Code, r.Summary
	}
	return nil, &AuthError{Code: r.Error, Status: resp.StatusCode, Summary: r.Description}
}

// kindOf says what an answer is without showing it.
func kindOf(resp *http.Response, body []byte) string {
	if len(bytes.TrimSpace(body)) == 0 {
		return "an empty body"
	}
	if t, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err == nil {
		return t
	}
	return "of no content type"
}

func (e *tokenEndpoint) failure(class Class, resp *http.Response, summary string, err error) *Error {
	f := &Error{Class: class, Path: tokenPath, Summary: summary, Err: err}
	if resp != nil {
		f.Status, f.RequestID = resp.StatusCode, resp.Header.Get("X-Okta-Request-Id")
	}
	return f
}

// namedIn are the scopes that occur as words in text, whatever the words around them are.
func namedIn(text string, scopes []string) []string {
	words := strings.FieldsFunc(text, func(r rune) bool {
		return !(r == '.' || r == '_' || r == ':' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
	})
	for i := range words {
		words[i] = strings.TrimRight(words[i], ".:")
	}
	var named []string
	for _, s := range scopes {
		if slices.Contains(words, s) {
			named = append(named, s)
		}
	}
	return named
}
