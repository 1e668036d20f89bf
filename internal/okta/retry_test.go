package okta

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// script answers the nth request with its nth step, and all later ones with the last.
type script struct {
	steps []func(*http.Request) (*http.Response, error)

	mu   sync.Mutex
	reqs []*http.Request
	at   []time.Time
}

func (s *script) RoundTrip(req *http.Request) (*http.Response, error) {
	s.mu.Lock()
	n := len(s.reqs)
	s.reqs = append(s.reqs, req)
	s.at = append(s.at, time.Now())
	s.mu.Unlock()
	return s.steps[min(n, len(s.steps)-1)](req)
}

func gives(status int, body string, headers ...string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) { return answer(status, body, headers...), nil }
}

func fails(err error) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

func hangs(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

// breaksOff sends headers and the beginning of a list.
func breaksOff(err error) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) {
		resp := answer(200, "")
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(`[{"id":"1"},{"id":`), readFunc(func([]byte) (int, error) { return 0, err })))
		return resp, nil
	}
}

func stallsInTheBody(req *http.Request) (*http.Response, error) {
	resp := answer(200, "")
	resp.Body = io.NopCloser(slowly(req.Context(), "[]", time.Hour, func() {}))
	return resp, nil
}

var faults = map[string]func(*http.Request) (*http.Response, error){
	"500":             gives(500, oktaError("E0000009")),
	"502":             gives(502, "<html>Bad gateway</html>"),
	"503":             gives(503, ""),
	"504":             gives(504, ""),
	"408":             gives(408, ""),
	"423":             gives(423, oktaError("E0000239")),
	"reset":           fails(errReset),
	"closed":          fails(io.EOF),
	"DNS":             fails(&net.DNSError{Err: "no such host", Name: "acme.okta.com"}),
	"time-out":        hangs,
	"slow body":       stallsInTheBody,
	"reset in body":   breaksOff(errReset),
	"truncated":       breaksOff(io.ErrUnexpectedEOF),
	"clean cut":       gives(200, `[{"id":"1"},{"id":`),
	"empty":           gives(200, ""),
	"HTML":            gives(200, "<html>Sign in</html>"),
	"an object":       gives(200, `{}`),
	"an error":        gives(200, oktaError("E0000009")),
	"not objects":     gives(200, `[1]`),
	"204":             gives(204, ""),
	"schema changing": gives(409, oktaError("E0000145")),
}

func TestAPageIsRetriedFiveTimesForEveryFaultAndThenTransient(t *testing.T) {
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{steps: []func(*http.Request) (*http.Response, error){fault}}
				page, err := clientOf(s).Get(t.Context(), listOf("users"))
				assert.Nil(t, page)
				var e *Error
				require.ErrorAs(t, err, &e)
				assert.Equal(t, Transient, e.Class)
				assert.Equal(t, "/api/v1/users", e.Path)
				assert.Len(t, s.reqs, 6)
				assert.NotContains(t, err.Error(), "https://", "the cause, not the address")
			})
		})
	}
}

func TestAPageThatComesAfterFaultsIsWhole(t *testing.T) {
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{steps: []func(*http.Request) (*http.Response, error){fault, fault, fault, fault, fault, gives(200, `[{"id":"1"},{"id":"2"}]`)}}
				page, err := clientOf(s).Get(t.Context(), listOf("users"))
				require.NoError(t, err)
				assert.Equal(t, []string{`{"id":"1"}`, `{"id":"2"}`}, page.Items)
			})
		})
	}
}

func TestFaultsAreBackedOffWithFullJitterBetweenOneAndThirtySeconds(t *testing.T) {
	var longest [5]time.Duration
	for range 40 {
		synctest.Test(t, func(t *testing.T) {
			s := &script{steps: []func(*http.Request) (*http.Response, error){gives(503, "")}}
			_, err := clientOf(s).Get(t.Context(), listOf("users"))
			require.Error(t, err)
			for i := range longest {
				wait := s.at[i+1].Sub(s.at[i])
				assert.LessOrEqual(t, wait, min(30*time.Second, time.Second<<i))
				longest[i] = max(longest[i], wait)
			}
		})
	}
	assert.Greater(t, longest[4], 8*time.Second)
}

func TestARetryAfterHeaderIsHonouredUpToThirtySeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []func(*http.Request) (*http.Response, error){
			gives(503, "", "Retry-After", "7"), gives(503, "", "Retry-After", "86400"), gives(503, "", "Retry-After", "-5"), fails(errReset), gives(200, "[]"),
		}}
		_, err := clientOf(s).Get(t.Context(), listOf("users"))
		require.NoError(t, err)
		assert.Equal(t, 7*time.Second, s.at[1].Sub(s.at[0]))
		assert.Equal(t, 30*time.Second, s.at[2].Sub(s.at[1]))
		assert.LessOrEqual(t, s.at[3].Sub(s.at[2]), 4*time.Second)
		assert.LessOrEqual(t, s.at[4].Sub(s.at[3]), 8*time.Second)
	})
}

func TestRateLimitsDoNotUseUpTheRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limited := func(*http.Request) (*http.Response, error) {
			return answer(429, oktaError("E0000047"), "X-Rate-Limit-Limit", "10", "X-Rate-Limit-Remaining", "0",
				"X-Rate-Limit-Reset", strconv.FormatInt(time.Now().Unix()+20, 10), "Date", time.Now().UTC().Format(http.TimeFormat)), nil
		}
		s := &script{}
		for range 5 {
			again := limited
			s.steps = append(s.steps, limited, gives(503, ""), again)
		}
		s.steps = append(s.steps, gives(200, `[]`))
		_, err := clientOf(s).Get(t.Context(), listOf("users"))
		require.NoError(t, err)
		for i := range 5 {
			assert.Equal(t, 21*time.Second, s.at[3*i+1].Sub(s.at[3*i]), "the governor alone waits for windows")
		}
	})
}

func TestAnAnswerThatNoRetryMendsIsNotRepeated(t *testing.T) {
	for _, status := range []int{301, 400, 401, 403, 404, 405, 410, 418} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			s := &script{steps: []func(*http.Request) (*http.Response, error){gives(status, "")}}
			_, err := clientOf(s).Get(t.Context(), listOf("users"))
			require.Error(t, err)
			assert.Len(t, s.reqs, 1)
		})
	}
	for name, cause := range map[string]error{
		"certificate": &tls.CertificateVerificationError{Err: errors.New("signed by unknown authority")},
		"no TLS":      tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"},
		"domain":      fmt.Errorf("dial: %w", &DomainError{Reason: "not an address on the internet"}),
	} {
		t.Run(name, func(t *testing.T) {
			s := &script{steps: []func(*http.Request) (*http.Response, error){fails(cause)}}
			_, err := clientOf(s).Get(t.Context(), listOf("users"))
			var e *Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, Unexpected, e.Class)
			assert.ErrorContains(t, e, errors.Unwrap(e).Error())
			assert.Len(t, s.reqs, 1)
		})
	}
}

func TestACancelledCallEndsAtOnceWithTheContextsError(t *testing.T) {
	for name, step := range map[string]func(*http.Request) (*http.Response, error){
		"in flight": hangs, "in the body": stallsInTheBody,
		"between retries": gives(503, "", "Retry-After", "30"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{steps: []func(*http.Request) (*http.Response, error){step}}
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(100*time.Millisecond, cancel)
				_, err := clientOf(s).Get(ctx, listOf("users"))
				assert.Equal(t, context.Canceled, err)
				assert.Equal(t, 100*time.Millisecond, time.Since(onTheMinute()))
			})
		})
	}
}

func TestAnAttemptHasSixtySecondsForHeadersAndBody(t *testing.T) {
	for name, step := range map[string]func(*http.Request) (*http.Response, error){"headers": hangs, "body": stallsInTheBody} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{steps: []func(*http.Request) (*http.Response, error){step, gives(200, "[]")}}
				_, err := clientOf(s).Get(t.Context(), listOf("users"))
				require.NoError(t, err)
				assert.GreaterOrEqual(t, s.at[1].Sub(s.at[0]), time.Minute)
				assert.LessOrEqual(t, s.at[1].Sub(s.at[0]), time.Minute+time.Second)
			})
		})
	}
}

func limits(s *script) (sizes []string) {
	for _, req := range s.reqs {
		sizes = append(sizes, req.URL.Query().Get("limit"))
	}
	return sizes
}

func TestThePageIsHalvedWhenOneFailsTwiceRunningBecauseOktaIsSlow(t *testing.T) {
	slow := map[string]func(*http.Request) (*http.Response, error){
		"500": gives(500, ""), "502": gives(502, ""), "504": gives(504, ""), "time-out": hangs, "slow body": stallsInTheBody,
	}
	for name, step := range slow {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := Request{Bucket: "/api/v1/groups", Path: "/api/v1/groups/00g1/users", PageSize: 1000}
				s := &script{steps: []func(*http.Request) (*http.Response, error){step, step, gives(200, `[{"id":"1"}]`, "Link", `</api/v1/groups/00g1/users?after=1&limit=1000>; rel="next"`), gives(200, `[]`)}}
				c := clientOf(s)
				page, err := c.Get(t.Context(), r)
				require.NoError(t, err)
				assert.Equal(t, 500, page.Limit)
				_, err = c.Get(t.Context(), *page.Next)
				require.NoError(t, err)
				r.Path = "/api/v1/groups/00g2/users"
				_, err = c.Get(t.Context(), r)
				require.NoError(t, err)
				r.Path = "/api/v1/groups"
				_, err = c.Get(t.Context(), r)
				require.NoError(t, err)
				assert.Equal(t, []string{"1000", "1000", "500", "500", "500", "1000"}, limits(s), "for the rest of the run, next links too, but no other list")
				assert.Equal(t, "1", s.reqs[3].URL.Query().Get("after"))
			})
		})
	}
}

func TestHalvingEndsAtTwentyAndNeedsTwoFailuresRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := Request{Bucket: "b", Path: "/api/v1/devices", PageSize: 70}
		s := &script{steps: []func(*http.Request) (*http.Response, error){gives(504, "")}}
		c := clientOf(s)
		for range 3 {
			_, err := c.Get(t.Context(), r)
			require.Error(t, err)
		}
		assert.Equal(t, []string{
			"70", "70", "35", "35", "20", "20", "20", "20", "20", "20", "20", "20", "20", "20", "20", "20", "20", "20",
		}, limits(s))

		s = &script{steps: []func(*http.Request) (*http.Response, error){gives(504, ""), gives(503, ""), gives(504, ""), fails(errReset), gives(500, ""), gives(200, "[]")}}
		_, err := clientOf(s).Get(t.Context(), r)
		require.NoError(t, err)
		assert.Equal(t, []string{"70", "70", "70", "70", "70", "70"}, limits(s))

		s = &script{steps: []func(*http.Request) (*http.Response, error){gives(504, "")}}
		r.PageSize = 1
		_, err = clientOf(s).Get(t.Context(), r)
		require.Error(t, err)
		assert.Equal(t, "1", limits(s)[5])
	})
}

func TestPagesThatFailSideBySideHalveOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := map[string]int{}
		var mu sync.Mutex
		rt := roundTrip(func(req *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			tries[req.URL.Path]++
			if tries[req.URL.Path] <= 2 {
				return answer(504, ""), nil
			}
			assert.Equal(t, "100", req.URL.Query().Get("limit"))
			return answer(200, "[]"), nil
		})
		c := clientOf(rt)
		var all sync.WaitGroup
		for i := range 5 {
			all.Go(func() {
				_, err := c.Get(t.Context(), Request{Bucket: "b", Path: fmt.Sprintf("/api/v1/groups/00g%d/users", i), PageSize: 200})
				assert.NoError(t, err)
			})
		}
		all.Wait()
	})
}

func TestAStragglerDoesNotMakePagesLargerAgain(t *testing.T) {
	e := new(endpoint)
	for _, size := range []int{200, 100, 200} {
		e.halve(size)
	}
	assert.Equal(t, 50, e.pageSize(200))
}

// signature stamps each attempt and says what a test wants of each answer.
type signature struct {
	signs   int
	signErr error
	observe func(*http.Response) (bool, error)
}

func (a *signature) Sign(_ context.Context, req *http.Request) error {
	a.signs++
	req.Header.Set("Authorization", fmt.Sprintf("SSWS secret-%d", a.signs))
	return a.signErr
}

func (a *signature) Observe(_ context.Context, resp *http.Response) (bool, error) {
	if a.observe == nil {
		return false, nil
	}
	return a.observe(resp)
}

func signedBy(a Authenticator) func(*Options) { return func(o *Options) { o.Auth = a } }

func TestEachAttemptIsSignedAfresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []func(*http.Request) (*http.Response, error){gives(503, ""), gives(200, `[]`)}}
		c := clientOf(s, signedBy(&signature{}), func(o *Options) { o.UserAgent = "source-okta/1" })
		_, err := c.Get(t.Context(), listOf("users"))
		require.NoError(t, err)
		assert.Equal(t, "SSWS secret-1", s.reqs[0].Header.Get("Authorization"))
		assert.Equal(t, []string{"SSWS secret-2"}, s.reqs[1].Header["Authorization"])
		assert.Equal(t, "source-okta/1", s.reqs[1].Header.Get("User-Agent"))

		_, err = c.Get(t.Context(), Request{Bucket: "/", Path: "/.well-known/okta-organization", Public: true})
		require.NoError(t, err)
		assert.Empty(t, s.reqs[2].Header.Get("Authorization"))
	})
}

func TestARenewedTokenIsTriedOncePerPageWithAFreshPermit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		renew := func(resp *http.Response) (bool, error) { return resp.StatusCode == 401, nil }
		refused := gives(401, oktaError("E0000011"), "X-Rate-Limit-Limit", "100", "X-Rate-Limit-Remaining", "50")
		s := &script{steps: []func(*http.Request) (*http.Response, error){refused, gives(200, `[]`)}}
		c := clientOf(s, signedBy(&signature{observe: renew}))
		_, err := c.Get(t.Context(), listOf("users"))
		require.NoError(t, err)
		assert.Equal(t, 2, c.Stats()["/api/v1/users"].Requests)
		assert.Equal(t, s.at[0], s.at[1], "at once")

		s = &script{steps: []func(*http.Request) (*http.Response, error){refused}}
		_, err = clientOf(s, signedBy(&signature{observe: renew})).Get(t.Context(), listOf("users"))
		var e *Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, Unauthorized, e.Class)
		assert.Len(t, s.reqs, 2)
	})
}

func TestANonceChallengeCostsNoRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		again := func(resp *http.Response) (bool, error) { return resp.StatusCode == 401, nil }
		nonce := gives(401, oktaError("E0000011"), "WWW-Authenticate", `DPoP error="use_dpop_nonce"`, "DPoP-Nonce", "n")
		s := &script{steps: []func(*http.Request) (*http.Response, error){nonce, gives(401, oktaError("E0000011")), nonce, gives(200, `[]`)}}
		_, err := clientOf(s, signedBy(&signature{observe: again})).Get(t.Context(), listOf("users"))
		require.NoError(t, err)

		s = &script{steps: []func(*http.Request) (*http.Response, error){nonce}}
		_, err = clientOf(s, signedBy(&signature{observe: again})).Get(t.Context(), listOf("users"))
		require.Error(t, err)
		assert.LessOrEqual(t, len(s.reqs), 4)
	})
}

func TestCredentialsThatCannotBeUsedEndTheCall(t *testing.T) {
	wrong := &AuthError{Code: "invalid_client", Status: 401, Summary: "unknown client", Fields: []string{"client_id"}}
	for name, a := range map[string]*signature{
		"when signing":  {signErr: fmt.Errorf("renewing: %w", wrong)},
		"when renewing": {observe: func(*http.Response) (bool, error) { return false, wrong }},
	} {
		t.Run(name, func(t *testing.T) {
			s := &script{steps: []func(*http.Request) (*http.Response, error){gives(401, "")}}
			_, err := clientOf(s, signedBy(a)).Get(t.Context(), listOf("users"))
			var e *Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, Unauthorized, e.Class)
			assert.Equal(t, "invalid_client", e.Code)
			var refused *AuthError
			require.ErrorAs(t, err, &refused)
			assert.Same(t, wrong, refused)
			assert.LessOrEqual(t, len(s.reqs), 1)
		})
	}
}

func TestATokenEndpointThatFailsForNowIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &signature{signErr: &Error{Class: Transient, Status: 503, Path: "/oauth2/v1/token"}}
		s := &script{steps: []func(*http.Request) (*http.Response, error){gives(200, "[]")}}
		_, err := clientOf(s, signedBy(a)).Get(t.Context(), listOf("users"))
		var e *Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, Transient, e.Class)
		assert.Equal(t, 6, a.signs)

		a = &signature{signErr: &Error{Class: RateLimited, Status: 429, Path: "/oauth2/v1/token"}}
		_, err = clientOf(s, signedBy(a)).Get(t.Context(), listOf("users"))
		require.ErrorAs(t, err, &e)
		assert.Equal(t, RateLimited, e.Class)
		assert.Equal(t, 1, a.signs, "the authenticator has waited itself")
	})
}

// overPipe connects a client to a real server in memory, so that the standard transport and virtual time work together.
func overPipe(t *testing.T, handler http.Handler) *Client {
	t.Helper()
	conns := make(chan net.Conn)
	server := &http.Server{Handler: handler, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	listener := &pipeListener{conns: conns, done: make(chan struct{})}
	var served sync.WaitGroup
	served.Go(func() { _ = server.Serve(listener) })
	transport := NewTransport()
	transport.Proxy = nil
	transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		select {
		case conns <- theirs:
			return ours, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		served.Wait()
	})
	return clientOf(transport, signedBy(&signature{}), func(o *Options) { o.Origin = &url.URL{Scheme: "http", Host: "acme.okta.com"} })
}

type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func TestAGzippedPageIsAskedForAndATruncatedOneIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list := "[" + strings.TrimSuffix(strings.Repeat(`{"id":"00u1"},`, 5000), ",") + "]"
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		_, _ = io.WriteString(z, list)
		_ = z.Close()
		tries := 0
		c := overPipe(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			assert.Equal(t, "gzip", r.Header.Get("Accept-Encoding"))
			w.Header().Set("Content-Encoding", "gzip")
			tries++
			switch tries {
			case 1: // ends cleanly, in the middle of the gzip stream
				_, _ = w.Write(packed.Bytes()[:packed.Len()/2])
			case 2: // the connection breaks
				w.Header().Set("Content-Length", strconv.Itoa(packed.Len()))
				_, _ = w.Write(packed.Bytes()[:packed.Len()/2])
				panic(http.ErrAbortHandler)
			case 3: // is no gzip
				_, _ = w.Write([]byte(list))
			default:
				_, _ = w.Write(packed.Bytes())
			}
		}))
		page, err := c.Get(t.Context(), listOf("users"))
		require.NoError(t, err)
		assert.Equal(t, 4, tries)
		assert.Len(t, page.Items, 5000)
		assert.Equal(t, len(list), page.Bytes)
	})
}

func TestNoRedirectIsFollowedSoCredentialsStayHere(t *testing.T) {
	for _, status := range []int{300, 301, 302, 303, 304, 307, 308} {
		for _, location := range []string{"https://evil.example/api/v1/users?token=secret", "//evil.example/x", "/api/v1/users/", "", ":bad:", "http://acme.okta.com:1/x"} {
			t.Run(fmt.Sprintf("%d %s", status, location), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					requests := 0
					c := overPipe(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
						requests++
						if location != "" {
							w.Header().Set("Location", location)
						}
						w.WriteHeader(status)
					}))
					_, err := c.Get(t.Context(), listOf("users"))
					var e *Error
					require.ErrorAs(t, err, &e)
					assert.Equal(t, Unexpected, e.Class)
					assert.Equal(t, status, e.Status)
					assert.Contains(t, e.Summary, "redirected to")
					assert.NotContains(t, e.Error(), "secret")
					assert.Equal(t, 1, requests)
				})
			})
		}
	}
}

func TestNowIsTheOrgsClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ahead := 3*time.Hour + 20*time.Minute
		s := &script{steps: []func(*http.Request) (*http.Response, error){func(*http.Request) (*http.Response, error) {
			return answer(200, "[]", "Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat)), nil
		}, gives(200, "[]")}}
		c := clientOf(s)
		assert.Equal(t, time.Now(), c.Now())
		page, err := c.Get(t.Context(), listOf("users"))
		require.NoError(t, err)
		assert.True(t, page.Date.Equal(time.Now().Add(ahead)))
		time.Sleep(10 * time.Second)
		assert.True(t, c.Now().Equal(time.Now().Add(ahead)))
		page, err = c.Get(t.Context(), listOf("users"))
		require.NoError(t, err)
		assert.True(t, page.Date.IsZero())
		assert.True(t, c.Now().Equal(time.Now().Add(ahead)), "an answer without Date changes nothing")
	})
}

func TestAChainIsWalkedToItsEnd(t *testing.T) {
	next := func(after string) []string {
		return []string{"Link", `<https://acme-admin.okta.com/api/v1/users?limit=2>; rel="self"`, "Link", `<https://acme-admin.okta.com/api/v1/users?after=` + after + `&limit=2>; rel="next"`}
	}
	s := &script{steps: []func(*http.Request) (*http.Response, error){
		gives(200, `[{"id":"1"},{"id":"2"}]`, next("2")...), gives(200, `[]`, next("3")...), gives(200, `[{"id":"3"}]`),
	}}
	c := clientOf(s)
	r := Request{Bucket: "b", Path: "/api/v1/users", PageSize: 2, Query: url.Values{"expand": {"x"}}}
	var got []string
	for at := &r; at != nil; {
		page, err := c.Get(t.Context(), *at)
		require.NoError(t, err)
		got = append(got, page.Items...)
		at = page.Next
	}
	assert.Equal(t, []string{`{"id":"1"}`, `{"id":"2"}`, `{"id":"3"}`}, got)
	assert.Equal(t, "https://acme.okta.com/api/v1/users?after=3&limit=2&expand=x", s.reqs[2].URL.String())
}

func TestAListInAnObjectIsFollowedByItsBodyLinks(t *testing.T) {
	s := &script{steps: []func(*http.Request) (*http.Response, error){
		gives(200, `{"resource-sets":[{"id":"1"}],"_links":{"next":{"href":"https://acme-admin.okta.com/api/v1/iam/resource-sets?after=1"}}}`),
		gives(200, `{"resource-sets":[{"id":"2"}],"_links":{"next":"/api/v1/iam/resource-sets?after=2"}}`),
		gives(200, `{"resource-sets":[],"_links":{}}`),
	}}
	c := clientOf(s)
	r := &Request{Bucket: "/api/v1/iam", Path: "/api/v1/iam/resource-sets", Items: "resource-sets"}
	for ; r != nil; r = func() *Request { page, err := c.Get(t.Context(), *r); require.NoError(t, err); return page.Next }() {
	}
	require.Len(t, s.reqs, 3)
	assert.Equal(t, "https://acme.okta.com/api/v1/iam/resource-sets?after=2", s.reqs[2].URL.String())
}

func TestAPoisonedBodyLinkIsAnError(t *testing.T) {
	s := &script{steps: []func(*http.Request) (*http.Response, error){gives(200, `{"roles":[{"id":"1"}],"_links":{"next":{"href":"https://evil.example/collect"}}}`)}}
	_, err := clientOf(s).Get(t.Context(), Request{Bucket: "b", Path: "/api/v1/iam/roles", Items: "roles"})
	var e *Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, Unexpected, e.Class)
	assert.Len(t, s.reqs, 1)
}

func TestOneObjectHasNoNextPage(t *testing.T) {
	s := &script{steps: []func(*http.Request) (*http.Response, error){gives(200, `{"id":"1","_links":{"next":{"href":"/x"}}}`, "Link", `</api/v1/users/me?after=1>; rel="next"`)}}
	page, err := clientOf(s).Get(t.Context(), Request{Bucket: "b", Path: "/api/v1/users/me", Single: true})
	require.NoError(t, err)
	assert.Nil(t, page.Next)
	assert.Len(t, page.Items, 1)
	assert.Zero(t, page.Limit)
}

func TestAPageWhoseNextLinkIsItselfIsTheLast(t *testing.T) {
	// OKTA-633507: /groups?q= answered so.
	s := &script{steps: []func(*http.Request) (*http.Response, error){gives(200, `[{"id":"1"}]`, "Link", `</api/v1/groups?limit=200&q=a>; rel="next"`)}}
	page, err := clientOf(s).Get(t.Context(), Request{Bucket: "b", Path: "/api/v1/groups", Query: url.Values{"q": {"a"}}, PageSize: 200})
	require.NoError(t, err)
	assert.Nil(t, page.Next)
}

func TestLinksThatLeadInACircleAreAnError(t *testing.T) {
	n := 0
	rt := roundTrip(func(*http.Request) (*http.Response, error) {
		n++
		return answer(200, `[{"id":"1"}]`, "Link", fmt.Sprintf(`</api/v1/users?after=%d>; rel="next"`, n%5)), nil
	})
	c := clientOf(rt)
	r := &Request{Bucket: "b", Path: "/api/v1/users"}
	var err error
	for i := 0; err == nil; i++ {
		require.Less(t, i, 50)
		var page *Page
		if page, err = c.Get(t.Context(), *r); err == nil {
			r = page.Next
		}
	}
	var e *Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, Unexpected, e.Class)
}

func TestThePollingEndOfTheLogsKeepsItsNextLink(t *testing.T) {
	s := &script{steps: []func(*http.Request) (*http.Response, error){gives(200, `[]`, "Link", `<https://acme.okta.com/api/v1/logs?after=1627500044869_1&limit=1000>; rel="next"`)}}
	c := clientOf(s)
	r := &Request{Bucket: "/api/v1/logs", Path: "/api/v1/logs", PageSize: 1000, Verbatim: true}
	for range 3 {
		page, err := c.Get(t.Context(), *r)
		require.NoError(t, err)
		require.NotNil(t, page.Next)
		assert.Equal(t, "/api/v1/logs?after=1627500044869_1&limit=1000", page.Next.Path)
		r = page.Next
	}
}
