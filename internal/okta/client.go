// Package okta is a client for the list endpoints of one Okta org: whose host it is, who we are there, how fast it may be
// asked, what its answers and errors mean, and which page comes next. It knows nothing of streams, and imports nothing else
// of this module.
//
// A page passes through these layers: retries (go-retryablehttp), the rate governor, which gives each attempt a permit, the
// authenticator, which signs each attempt afresh, and the transport.
package okta

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// Client reads pages from one org. It is safe for concurrent use.
type Client struct {
	opts     Options
	clock    *serverClock
	governor *governor
	http     *http.Client

	mu        sync.Mutex
	endpoints map[string]*endpoint
}

// Options is what a Client needs. Only Origin must be set.
type Options struct {
	Origin    *url.URL          // scheme and host
	Transport http.RoundTripper // nil: NewTransport()
	Auth      Authenticator     // nil: no credentials are sent
	Share     int               // percent of each rate limit that may be ours, 1..100; 0: 80
	Log       *slog.Logger      // nil: silent
	UserAgent string
	// OnWait, if set, hears that requests of a bucket begin to wait a second or more for its window to end, once for each
	// bucket and window. It must not block.
	OnWait func(bucket string, until time.Time)
}

// Request asks for one page.
type Request struct {
	Bucket   string     // the rate limit that counts the request
	Path     string     // escaped path, with a query when it comes from a next link
	Query    url.Values // added to the path's own query where a name is missing there
	PageSize int        // the `limit` parameter; 0: none
	Items    string     // "": the body is the array; else the member that holds it, e.g. "roles"
	Single   bool       // the body is one object
	Verbatim bool       // /logs: the next link is complete, and nothing is added to its query
	Public   bool       // no credentials: /.well-known
	NoWait   bool       // a 429, or a wait for a window, is an error at once (RateLimited)
	Prefix   string     // next links' path must equal it or lie below; default: the path of the chain's first request

	trail trail
}

// Authenticator signs requests, and hears what becomes of them.
type Authenticator interface {
	// Sign puts credentials on req, a clone made for one attempt.
	Sign(ctx context.Context, req *http.Request) error
	// Observe hears every answer before its body is read: it learns nonces, renews what a 401 refused, and says whether
	// the request may be sent again at once.
	Observe(ctx context.Context, resp *http.Response) (again bool, err error)
}

// New returns a client for o.Origin.
func New(o Options) *Client {
	if o.Transport == nil {
		o.Transport = NewTransport()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.OnWait == nil {
		o.OnWait = func(string, time.Time) {}
	}
	if o.Share == 0 {
		o.Share = 80
	}
	c := &Client{opts: o, clock: new(serverClock), endpoints: map[string]*endpoint{}}
	c.governor = newGovernor(&signer{auth: o.Auth, next: o.Transport, clock: c.clock}, min(max(o.Share, 1), 100), c.clock, o.OnWait, o.Log)
	c.http = &http.Client{Transport: c.governor}
	return c
}

// NewTransport is a transport fit for an Okta org: TLS 1.2 or newer, proxies from the environment, gzip. Time-outs of whole
// attempts are the client's business. It speaks HTTP/1.1: with at most ten requests in flight, connections of their own cost
// less processor time and less memory than streams of one.
func NewTransport() *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 50 * time.Second,
		MaxIdleConnsPerHost:   maxInFlight,
		IdleConnTimeout:       90 * time.Second,
		Protocols:             protocols,
		ReadBufferSize:        32 << 10,
	}
}

// Now is the org's clock, as of its latest answer. Okta judges our dates by it, and it may differ from ours.
func (c *Client) Now() time.Time { return c.clock.now() }

// Spare says whether one chain of pages more than the given number would find something to do: whether the bucket's budget
// exceeds what that many chains can spend at the latency measured, and there is room in flight. It is false until the bucket's
// first answer.
func (c *Client) Spare(bucket string, chains int) bool { return c.governor.spare(bucket, chains) }

// Stats tells what became of the requests so far, by bucket.
func (c *Client) Stats() map[string]BucketStats { return c.governor.bucketStats() }

// serverClock is our clock, set right by the org's Date headers.
type serverClock struct{ ahead atomic.Int64 }

func (c *serverClock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

func (c *serverClock) observe(h http.Header) {
	if date, ok := headerDate(h); ok {
		c.ahead.Store(int64(time.Until(date)))
	}
}

// signer signs each attempt and lets the authenticator hear the answer.
type signer struct {
	auth  Authenticator
	next  http.RoundTripper
	clock *serverClock
}

func (s *signer) RoundTrip(req *http.Request) (*http.Response, error) {
	c := callFrom(req.Context())
	c.status, c.renewed, c.location = 0, false, ""
	signed := req.Clone(req.Context())
	authenticate := s.auth != nil && !c.req.Public
	if authenticate {
		if err := s.auth.Sign(req.Context(), signed); err != nil {
			return nil, err
		}
	}
	resp, err := s.next.RoundTrip(signed)
	if err != nil {
		return nil, err
	}
	c.status, c.challenge = resp.StatusCode, challengeParam(resp.Header, "error")
	s.clock.observe(resp.Header)
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		// Without a Location the http.Client has nothing to follow, so credentials cannot travel.
		c.location = resp.Header.Get("Location")
		resp.Header.Del("Location")
	}
	if authenticate {
		if resp.Request == nil {
			resp.Request = signed
		}
		if c.renewed, err = s.auth.Observe(req.Context(), resp); err != nil {
			resp.Body.Close()
			return nil, err
		}
	}
	return resp, nil
}
