package okta

import (
	"context"
	"crypto/tls"
	"errors"
	"math"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

const (
	maxFaults   = 5 // retries of a page for faults
	minBackoff  = time.Second
	maxBackoff  = 30 * time.Second
	maxStand    = 10 * time.Second // after a concurrency 429
	maxNonces   = 3                // retries of a page for DPoP nonces, which an org may replace at any time
	minPageSize = 20               // a page is not halved below it
	slowToHalve = 2                // faults running that Okta's slowness explains
)

// call is one Get with all its attempts.
type call struct {
	client   *Client
	req      Request
	endpoint *endpoint
	size     int // page size of the attempt under way
	at       *url.URL

	page      *Page
	status    int    // of the attempt; 0: no answer came
	challenge string // the error in its WWW-Authenticate header
	location  string // where it was redirected to
	renewed   bool   // the authenticator says that it may be repeated

	faults     int // so far
	slow       int // running
	renewals   int
	nonces     int
	retryAfter time.Duration // that a fault asked for
	wait       time.Duration // before the next attempt

	// The governor's, under its lock.
	arrival      uint64
	refusedSince time.Time     // when the 429s began that are still going on
	refusals     int           // of them, those that did not say how long to wait
	crowded      int           // of them, those of too many requests at once
	stand        time.Duration // to wait before standing in line again
}

type callKey struct{}

func callFrom(ctx context.Context) *call { return ctx.Value(callKey{}).(*call) }

// Get reads one page, valid as a whole. Faults are retried, and rate limits waited for. Errors are of type *Error, or ctx's.
func (c *Client) Get(ctx context.Context, r Request) (*Page, error) {
	k := &call{client: c, req: r}
	path, _, _ := strings.Cut(r.Path, "?")
	k.endpoint = c.endpointOf(r.Bucket, path)
	k.size = k.endpoint.pageSize(r.PageSize)
	at, refused := r.address(c.opts.Origin, k.size)
	if refused != nil {
		return nil, refused
	}
	k.at = at
	req, err := http.NewRequestWithContext(context.WithValue(ctx, callKey{}, k), http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, &Error{Class: Unexpected, Path: at.Path, Err: err}
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.opts.UserAgent)
	retried, err := retryablehttp.FromRequest(req)
	if err != nil {
		return nil, &Error{Class: Unexpected, Path: at.Path, Err: err}
	}
	retried.SetResponseHandler(k.read)
	client := retryablehttp.Client{
		HTTPClient:   c.http,
		RetryMax:     math.MaxInt32, // call.again keeps the books
		CheckRetry:   k.checkRetry,
		Backoff:      func(_, _ time.Duration, _ int, _ *http.Response) time.Duration { return k.wait },
		PrepareRetry: k.prepare,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	resp, err := client.Do(retried)
	if resp != nil {
		resp.Body.Close()
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, transportError(at.Path, err)
	}
	return k.page, nil
}

// checkRetry is called by retryablehttp after an attempt's headers and, as those alone never end it, after read.
func (k *call) checkRetry(ctx context.Context, _ *http.Response, err error) (bool, error) {
	if err == nil {
		return false, nil
	}
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	return k.again(err), nil
}

// again decides whether a failed attempt is repeated, and after how long.
func (k *call) again(err error) bool {
	k.wait = 0
	retryAfter := k.retryAfter
	k.retryAfter = 0
	e := transportError(k.at.Path, err)
	switch {
	case e.Class == RateLimited:
		k.slow = 0
		return k.status == http.StatusTooManyRequests && !k.req.NoWait // and the governor holds it back
	case k.renewed:
		k.slow = 0
		if k.challenge == "use_dpop_nonce" {
			k.nonces++
			return k.nonces <= maxNonces
		}
		k.renewals++
		return k.renewals <= 1
	case e.Class != Transient:
		return false
	}
	k.faults++
	if k.faults > maxFaults {
		return false
	}
	k.wait = max(jitter(0, min(maxBackoff, minBackoff<<(k.faults-1))), min(retryAfter, maxBackoff))
	k.client.opts.Log.Info("retrying", "fault", e.Error(), "retry", k.faults, "of", maxFaults, "in", k.wait)
	if !slowness(e) {
		k.slow = 0
	} else if k.slow++; k.slow >= slowToHalve {
		k.slow = 0
		if size, halved := k.endpoint.halve(k.size); halved {
			k.client.opts.Log.Warn("Okta is too slow for pages this large", "path", k.at.Path, "page_size", k.size, "page_size_now", size)
		}
	}
	return true
}

// prepare readies the next attempt, perhaps with a smaller page.
func (k *call) prepare(req *http.Request) error {
	if size := k.endpoint.pageSize(k.req.PageSize); size != k.size {
		at, refused := k.req.address(k.client.opts.Origin, size)
		if refused != nil {
			return refused
		}
		k.size, k.at, k.slow, req.URL = size, at, 0, at
	}
	return nil
}

// read makes a page or an error of an answer. It leaves closing the body to retryablehttp, or to Get.
func (k *call) read(resp *http.Response) error {
	if resp.StatusCode < 200 || resp.StatusCode >= 300 {
		body, err := readBody(resp.Body, 0, maxErrorBody)
		if err != nil {
			body = "" // the status says enough
		}
		k.retryAfter = time.Duration(max(0, headerNumber(resp.Header, "Retry-After"))) * time.Second
		e := responseError(k.at.Path, resp, body)
		if resp.StatusCode < 400 {
			e.Summary = "redirected to " + redirectTarget(k.location) + ", which is not followed"
		}
		return e
	}
	fault := func(err error) error {
		return &Error{Class: Transient, Status: resp.StatusCode, Path: k.at.Path, RequestID: resp.Header.Get("X-Okta-Request-Id"), Err: err}
	}
	bytes, records := k.endpoint.expect()
	if resp.ContentLength > 0 {
		bytes = int(min(resp.ContentLength, maxBody))
	}
	body, err := readBody(resp.Body, bytes, maxBody)
	if err != nil {
		return fault(err)
	}
	items, whole, err := k.req.items(body, records)
	if err != nil && k.req.Public {
		// No org answers so, and asking again will not make one.
		return &Error{Class: Unexpected, Status: resp.StatusCode, Path: k.at.Path, Err: err}
	}
	if err != nil {
		return fault(err)
	}
	k.endpoint.learn(len(body), len(items))
	next, refused := k.next(resp.Header, whole, len(items))
	if refused != nil {
		refused.RequestID = resp.Header.Get("X-Okta-Request-Id")
		return refused
	}
	date, _ := headerDate(resp.Header)
	limit, _ := strconv.Atoi(k.at.Query().Get("limit"))
	k.page = &Page{Items: items, Next: next, Limit: limit, Date: date, Bytes: len(body), Header: resp.Header}
	return nil
}

// next makes the request for the page after this one, or nil at the end.
func (k *call) next(h http.Header, body string, items int) (*Request, *Error) {
	if k.req.Single {
		return nil, nil
	}
	link := nextLink(h)
	if link == "" && k.req.Items != "" {
		link = bodyLink(body)
	}
	if link == "" {
		return nil, nil
	}
	next, refused := k.req.follow(link, k.at)
	if refused != nil {
		return nil, refused
	}
	if k.req.Verbatim && items == 0 {
		return next, nil // /logs always has a next link; at its end that leads nowhere yet
	}
	to, refused := next.address(k.client.opts.Origin, k.size)
	if refused != nil {
		return nil, refused
	}
	if identity(to) == identity(k.at) {
		k.client.opts.Log.Warn("the last page links to itself as the next one", "path", k.at.Path)
		return nil, nil
	}
	if !next.trail.visit(identity(to)) {
		return nil, &Error{Class: Unexpected, Status: http.StatusOK, Path: k.at.Path, Summary: "the links to the next page lead in a circle"}
	}
	return next, nil
}

// trail finds a chain that leads in a circle, however long, without keeping all of its links (R. P. Brent, "An improved
// Monte Carlo factorization algorithm", 1980).
type trail struct {
	mark       string
	steps, lap int
}

func (t *trail) visit(identity string) bool {
	if identity == t.mark {
		return false
	}
	if t.steps == t.lap {
		t.mark, t.steps, t.lap = identity, 0, max(1, 2*t.lap)
	}
	t.steps++
	return true
}

// backOff is called when the org had too many requests in flight: this one stands back for a while of its own.
func (k *call) backOff() {
	k.crowded++
	k.stand = jitter(time.Second, min(maxStand, time.Second<<min(k.crowded, 4)))
}

// standBack waits as backOff wants, and ends a call that has been refused for too long.
func (k *call) standBack(ctx context.Context) error {
	if !k.refusedSince.IsZero() && time.Since(k.refusedSince) >= maxWait {
		return k.limited("refused for " + maxWait.String())
	}
	if k.stand == 0 {
		return nil
	}
	timer := time.NewTimer(k.stand)
	defer timer.Stop()
	k.stand = 0
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// errNoRoom tells the governor's own refusals from Okta's.
var errNoRoom = errors.New("no room in the rate limit")

func (k *call) limited(summary string) *Error {
	e := &Error{Class: RateLimited, Path: k.at.Path, Summary: summary, Err: errNoRoom}
	if !k.refusedSince.IsZero() {
		e.Status, e.Code = http.StatusTooManyRequests, "E0000047"
	}
	return e
}

// endpoint is what all pages of one list have in common, whoever's list it is.
type endpoint struct {
	mu      sync.Mutex
	size    int // 0: as asked
	bytes   int // of the pages so far, about
	records int
}

// endpointOf tells endpoints apart by bucket and path, with ids as one. That it may take an odd word for an id costs nothing
// but a page size shared.
func (c *Client) endpointOf(bucket, path string) *endpoint {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if i > 2 && strings.ContainsAny(part, "0123456789%@.") {
			parts[i] = "*"
		}
	}
	key := bucket + " " + strings.Join(parts, "/")
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.endpoints[key]
	if e == nil {
		e = new(endpoint)
		c.endpoints[key] = e
	}
	return e
}

func (e *endpoint) pageSize(asked int) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.size > 0 && asked > e.size {
		return e.size
	}
	return asked
}

// halve makes the pages after one of the given size half as large, for the rest of the run; not when they are that already.
func (e *endpoint) halve(size int) (now int, halved bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if size <= minPageSize || (e.size > 0 && e.size < size) {
		return e.size, false
	}
	e.size = max(size/2, minPageSize)
	return e.size, true
}

// expect is what the next page may be like.
func (e *endpoint) expect() (bytes, records int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.bytes + e.bytes/8, e.records
}

// learn follows growing pages at once and shrinking ones by and by.
func (e *endpoint) learn(bytes, records int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.bytes = max(bytes, e.bytes-(e.bytes-bytes)/4)
	e.records = max(records, e.records-(e.records-records)/4)
}

// slowness is a fault that fewer records in a page may mend.
func slowness(e *Error) bool {
	switch e.Status {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		return true
	}
	var timeout net.Error
	return errors.Is(e.Err, context.DeadlineExceeded) || (errors.As(e.Err, &timeout) && timeout.Timeout())
}

// certificateRefused is a TLS failure that no retry mends.
func certificateRefused(err error) bool {
	var verification *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	return errors.As(err, &verification) || errors.As(err, &record)
}

// withoutURL takes away what http.Client wraps around an error, which holds the query.
func withoutURL(err error) error {
	var wrapped *url.Error
	for errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return err
}

// redirectTarget is where a Location header leads, without what might be secret.
func redirectTarget(location string) string {
	u, err := url.Parse(location)
	if err != nil || location == "" {
		return "an unknown place"
	}
	return oneLine((&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String(), 200)
}
