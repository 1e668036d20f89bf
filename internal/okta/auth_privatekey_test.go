package okta_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"source-okta/internal/okta"
)

var ecKey = sync.OnceValue(func() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
})

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func pkcs8(t testing.TB, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func newFakeOrg() *fakeOrg {
	return &fakeOrg{
		clientID: "0oaclient", keys: map[string]crypto.PublicKey{"kid1": ecKey().Public()},
		lifetime: time.Hour, dpop: true,
	}
}

func serviceApp(t *testing.T, o *fakeOrg, n *notes, scopes ...string) *okta.PrivateKey {
	t.Helper()
	if len(scopes) == 0 {
		scopes = []string{"okta.users.read"}
	}
	auth, err := okta.NewPrivateKey(okta.PrivateKeyOptions{
		OAuthOptions: n.options(o), ClientID: "0oaclient", KeyID: "kid1", PrivateKey: pkcs8(t, ecKey()), Scopes: scopes,
	})
	require.NoError(t, err)
	return auth
}

func TestServiceAppSendsAProofWithItsFirstTokenRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFakeOrg()
		status, err := fetch(t.Context(), serviceApp(t, o, &notes{}, "okta.users.read okta.groups.read"), o, usersAt)
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, status)
		require.Len(t, o.posts, 1)
		assert.NotEmpty(t, o.headers[0].Get("DPoP"))
		assert.Equal(t, "test", o.headers[0].Get("User-Agent"))
		assert.Equal(t, "okta.users.read okta.groups.read", o.posts[0].Get("scope"))
		assert.Equal(t, map[string]int{"acme.okta.com": 2}, o.hosts)
	})
}

func TestTokensOfFiveSecondsAndNoncesOfThreeSecondsLastAWholeRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFakeOrg()
		o.lifetime, o.nonceLife, o.latency = 5*time.Second, 3*time.Second, 70*time.Millisecond
		auth := serviceApp(t, o, &notes{})
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 100 {
					status, err := fetch(t.Context(), auth, o, usersAt)
					if !assert.NoError(t, err) || !assert.Equal(t, http.StatusOK, status) {
						return
					}
					time.Sleep(730 * time.Millisecond)
				}
			})
		}
		start := time.Now()
		wg.Wait()
		ran := time.Since(start)
		assert.LessOrEqual(t, o.minted, int(ran/(4*time.Second))+2, "a token is used for its whole life")
		for _, why := range o.refusals {
			assert.Equal(t, "nonce", why, "tokens are renewed before they expire")
		}
	})
}

func TestServiceAppObeysATokenTypeOfBearer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFakeOrg()
		o.dpop = false
		auth := serviceApp(t, o, &notes{})
		req, _ := http.NewRequest(http.MethodGet, usersAt, nil)
		require.NoError(t, auth.Sign(t.Context(), req))
		assert.Equal(t, "Bearer access-token-0001", req.Header.Get("Authorization"))
		assert.Empty(t, req.Header.Get("DPoP"))
	})
}

func TestEachAttemptCarriesAProofOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFakeOrg()
		auth := serviceApp(t, o, &notes{})
		seen := map[string]bool{}
		for range 20 {
			req, _ := http.NewRequest(http.MethodGet, usersAt, nil)
			require.NoError(t, auth.Sign(t.Context(), req))
			seen[req.Header.Get("DPoP")] = true
		}
		assert.Len(t, seen, 20)
		assert.Equal(t, 1, o.minted)
	})
}

func TestTwentyWalksThatStartTogetherShareOneTokenRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFakeOrg()
		o.latency = time.Second
		auth := serviceApp(t, o, &notes{})
		together(20, func() {
			status, err := fetch(t.Context(), auth, o, usersAt)
			assert.NoError(t, err)
			assert.Equal(t, http.StatusOK, status)
		})
		assert.Len(t, o.posts, 1)
	})
}

func together(n int, f func()) {
	var wg sync.WaitGroup
	for range n {
		wg.Go(f)
	}
	wg.Wait()
}

func TestATokenRevokedInTheMiddleIsReplacedOnceForAllWalks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFakeOrg()
		o.latency = time.Second
		auth := serviceApp(t, o, &notes{})
		_, err := fetch(t.Context(), auth, o, usersAt)
		require.NoError(t, err)
		for round := range 3 {
			o.mu.Lock()
			clear(o.tokens)
			o.mu.Unlock()
			together(20, func() {
				status, err := fetch(t.Context(), auth, o, usersAt)
				assert.NoError(t, err)
				assert.Equal(t, http.StatusOK, status)
			})
			assert.Len(t, o.posts, 2+round)
		}
	})
}

func TestA401ThatANewTokenDoesNotCureIsNotTriedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFakeOrg()
		auth := serviceApp(t, o, &notes{})
		o.script = func(req *http.Request) *http.Response {
			if strings.HasPrefix(req.URL.Path, "/api/") {
				return jsonAnswer(http.StatusUnauthorized, map[string]string{"errorCode": "E0000011"})
			}
			return nil
		}
		status, err := fetch(t.Context(), auth, o, usersAt)
		require.NoError(t, err)
		assert.Equal(t, http.StatusUnauthorized, status)
		assert.Len(t, o.posts, 1, "a token nobody has accepted yet is not replaced")

		o.script = nil
		_, err = fetch(t.Context(), auth, o, usersAt)
		require.NoError(t, err)
		o.script = func(req *http.Request) *http.Response {
			if req.URL.Path == "/api/v1/authorizationServers" {
				return jsonAnswer(http.StatusUnauthorized, map[string]string{"errorCode": "E0000015"})
			}
			return nil
		}
		status, err = fetch(t.Context(), auth, o, "https://acme.okta.com/api/v1/authorizationServers")
		require.NoError(t, err)
		assert.Equal(t, http.StatusUnauthorized, status)
		assert.Len(t, o.posts, 2)
	})
}

func TestANonceChallengeThatRepeatsItselfIsNotAnsweredForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFakeOrg()
		auth := serviceApp(t, o, &notes{})
		calls := 0
		o.script = func(req *http.Request) *http.Response {
			if req.URL.Path == "/oauth2/v1/token" {
				return nil
			}
			calls++
			return answer(http.StatusUnauthorized, "application/json", "", "WWW-Authenticate", `DPoP error="use_dpop_nonce"`, "DPoP-Nonce", "always-the-same")
		}
		status, err := fetch(t.Context(), auth, o, usersAt)
		require.NoError(t, err)
		assert.Equal(t, http.StatusUnauthorized, status)
		assert.Equal(t, 2, calls)
	})
}

func TestScopesThatWereNotGrantedAreLeftOutAndNamed(t *testing.T) {
	all := []string{"okta.users.read", "okta.roles.read", "okta.groups.read", "okta.logs.read", "okta.governance.read", "okta.apps.read"}
	for name, unnamed := range map[string]bool{"named by Okta": false, "not named by Okta": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newFakeOrg()
				o.unnamed, o.scopes, o.lifetime = unnamed, []string{"okta.users.read", "okta.groups.read", "okta.apps.read", "okta.logs.read"}, 5*time.Second
				auth := serviceApp(t, o, &notes{}, all...)
				require.NoError(t, auth.Login(t.Context()))
				assert.Equal(t, []string{"okta.governance.read", "okta.roles.read"}, auth.Refused())
				last := o.posts[len(o.posts)-1].Get("scope")
				assert.ElementsMatch(t, o.scopes, strings.Fields(last), "the run's token has all that was granted")

				posts := len(o.posts)
				time.Sleep(6 * time.Second)
				require.NoError(t, auth.Login(t.Context()))
				assert.Len(t, o.posts, posts+1, "a renewal asks for what was granted only")
				assert.Len(t, auth.Refused(), 2)
			})
		})
	}
}

func TestAServiceAppWithoutAnyOfTheScopesIsToldWhichToGrant(t *testing.T) {
	for name, unnamed := range map[string]bool{"named by Okta": false, "not named by Okta": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newFakeOrg()
				o.unnamed, o.scopes = unnamed, []string{}
				refused := requireAuthError(t, serviceApp(t, o, &notes{}, "okta.users.read", "okta.groups.read", "okta.apps.read").Login(t.Context()))
				assert.Equal(t, "invalid_scope", refused.Code)
				assert.Equal(t, []string{"scope"}, refused.Fields)
				assert.Equal(t, []string{"okta.apps.read", "okta.groups.read", "okta.users.read"}, refused.Scopes)
				assert.Contains(t, refused.Error(), "grant okta.apps.read, okta.groups.read, okta.users.read in the API Services app")
			})
		})
	}
}

func TestAClockThatIsOffIsCorrectedFromTheOrgsDate(t *testing.T) {
	for name, ahead := range map[string]time.Duration{
		"ours is an hour slow": time.Hour, "ours is an hour fast": -time.Hour, "ours is a day fast": -24 * time.Hour, "ours is 90 seconds slow": 90 * time.Second,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, n := newFakeOrg(), &notes{}
				o.ahead = ahead
				status, err := fetch(t.Context(), serviceApp(t, o, n), o, usersAt)
				require.NoError(t, err)
				assert.Equal(t, http.StatusOK, status)
				assert.Len(t, o.posts, 2)
				assert.Contains(t, n.logged(), "level=WARN")
				assert.Contains(t, n.logged(), "clock differs from Okta's")
			})
		})
	}
}

func TestAWrongClientOrKeyEndsInOneSentenceWithItsFields(t *testing.T) {
	for name, change := range map[string]func(*fakeOrg){
		"another key is registered": func(o *fakeOrg) { o.keys["kid1"] = rsaKey().Public() },
		"the key's id is unknown":   func(o *fakeOrg) { o.keys = map[string]crypto.PublicKey{"kid2": ecKey().Public()} },
		"the client is another":     func(o *fakeOrg) { o.clientID = "0oaother" },
		"and the clock is off, too": func(o *fakeOrg) { o.clientID, o.ahead = "0oaother", time.Hour },
		"in the core API's own form": func(o *fakeOrg) {
			o.script = func(*http.Request) *http.Response {
				return jsonAnswer(http.StatusUnauthorized, map[string]string{"errorCode": "invalid_client", "errorSummary": "Invalid value for 'client_id' parameter."})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newFakeOrg()
				change(o)
				auth := serviceApp(t, o, &notes{})
				_, err := fetch(t.Context(), auth, o, usersAt)
				refused := requireAuthError(t, err)
				assert.Equal(t, "invalid_client", refused.Code)
				assert.Equal(t, http.StatusUnauthorized, refused.Status)
				assert.Equal(t, []string{"client_id", "key_id", "private_key"}, refused.Fields)
				assert.Contains(t, refused.Error(), "check client_id, key_id and private_key")

				posts := len(o.posts)
				together(20, func() {
					_, err := fetch(t.Context(), auth, o, usersAt)
					assert.ErrorIs(t, err, refused)
				})
				assert.Len(t, o.posts, posts, "a refusal is final: nothing is sent again")
			})
		})
	}
}

func TestATokenEndpointThatFailsIsTriedFiveTimes(t *testing.T) {
	down := func(n int) func(*http.Request) *http.Response {
		return func(req *http.Request) *http.Response {
			if n--; n >= 0 {
				return answer(http.StatusServiceUnavailable, "text/html", "<html>maintenance</html>")
			}
			return nil
		}
	}
	synctest.Test(t, func(t *testing.T) {
		o := newFakeOrg()
		o.script = down(4)
		require.NoError(t, serviceApp(t, o, &notes{}).Login(t.Context()))
		assert.Len(t, o.posts, 5)
	})
	synctest.Test(t, func(t *testing.T) {
		o := newFakeOrg()
		o.script = down(5)
		auth := serviceApp(t, o, &notes{})
		var failed *okta.Error
		require.ErrorAs(t, auth.Login(t.Context()), &failed)
		assert.Equal(t, okta.Transient, failed.Class)
		assert.Equal(t, http.StatusServiceUnavailable, failed.Status)
		assert.Len(t, o.posts, 5)
		require.NoError(t, auth.Login(t.Context()), "a failure is not final")
	})
}

func TestARateLimitedTokenRequestWaitsForTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFakeOrg()
		start := time.Now()
		o.script = func(*http.Request) *http.Response {
			if time.Since(start) < 30*time.Second {
				return jsonAnswer(http.StatusTooManyRequests, map[string]string{"errorCode": "E0000047"},
					"X-Rate-Limit-Reset", unix(start.Add(30*time.Second)))
			}
			return nil
		}
		require.NoError(t, serviceApp(t, o, &notes{}).Login(t.Context()))
		assert.Len(t, o.posts, 2)
		assert.Less(t, time.Since(start), 33*time.Second)
	})
}

func TestAnAnswerThatIsNoTokenEndpointsIsSaidSoAndNotTriedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		answer func() *http.Response
		says   string
	}{
		"a page":           {func() *http.Response { return answer(200, "text/html; charset=utf-8", "<html>Sign in") }, "text/html"},
		"an empty answer":  {func() *http.Response { return answer(200, "application/json", "") }, "an empty body"},
		"a refusing proxy": {func() *http.Response { return answer(403, "text/html", "<html>Access denied") }, "status 403, text/html"},
		"a redirect":       {func() *http.Response { return answer(302, "text/html", "", "Location", "https://evil.example/") }, "redirect"},
		"a 308 redirect":   {func() *http.Response { return answer(308, "text/html", "", "Location", "https://evil.example/") }, "redirect"},
		"an endless answer": {func() *http.Response {
			return answer(200, "application/json", `{"x":"`+strings.Repeat("x", 2<<20)+`"}`)
		}, "longer"},
		"an unknown type": {func() *http.Response {
			return answer(200, "application/json", `{"access_token":"a1b2c3","token_type":"mac"}`)
		}, "unknown type"},
		"a JSON string": {func() *http.Response { return answer(400, "application/json", `"no"`) }, "not Okta's token endpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newFakeOrg()
				o.script = func(*http.Request) *http.Response { return c.answer() }
				var failed *okta.Error
				require.ErrorAs(t, serviceApp(t, o, &notes{}).Login(t.Context()), &failed)
				assert.Equal(t, okta.Unexpected, failed.Class)
				assert.Contains(t, failed.Summary, c.says)
				assert.Len(t, o.posts, 1)
				assert.Equal(t, map[string]int{"acme.okta.com": 1}, o.hosts)
			})
		})
	}
}

func TestAWalkThatIsCancelledStopsWaitingAndTheTokenStillComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFakeOrg()
		o.latency = 10 * time.Second
		auth := serviceApp(t, o, &notes{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		require.ErrorIs(t, auth.Login(ctx), context.DeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(start))
		require.NoError(t, auth.Login(t.Context()))
		assert.Equal(t, 10*time.Second, time.Since(start))
		assert.Len(t, o.posts, 1)
	})
}

func TestEverySecretOfAServiceAppIsHeardBeforeItCanLeak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, n := newFakeOrg(), &notes{}
		o.nonceLife = time.Minute
		key := pkcs8(t, ecKey())
		auth := serviceApp(t, o, n)
		o.script = func(req *http.Request) *http.Response {
			assert.True(t, n.knows(req.Header.Get("DPoP")))
			return nil
		}
		for range 3 {
			_, err := fetch(t.Context(), auth, o, usersAt)
			require.NoError(t, err)
		}
		assert.True(t, n.knows(key))
		for _, post := range o.posts {
			assert.True(t, n.knows(post.Get("client_assertion")))
		}
		assert.True(t, n.knows("access-token-0001"))
		assert.Less(t, len(n.secrets), 10, "the redactor does not grow with the number of requests")
		for _, secret := range n.secrets {
			assert.NotContains(t, n.logged(), secret)
		}
	})
}

func TestAProofRefusedForItsTimeIsMadeAgainByTheOrgsClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFakeOrg()
		auth := serviceApp(t, o, &notes{})
		require.NoError(t, auth.Login(t.Context()))
		o.ahead = 5 * time.Minute // our clock was set back in the middle of the run
		status, err := fetch(t.Context(), auth, o, usersAt)
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, status)
		assert.Equal(t, 1, o.minted)
	})
}

func TestTheTwoServersNoncesAreKeptApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFakeOrg()
		o.lifetime, o.nonceLife = 5*time.Second, 24*time.Hour
		auth := serviceApp(t, o, &notes{})
		for range 30 {
			status, err := fetch(t.Context(), auth, o, usersAt)
			require.NoError(t, err)
			assert.Equal(t, http.StatusOK, status)
			time.Sleep(time.Second)
		}
		assert.Equal(t, []string{"nonce"}, o.refusals, "the API asks for its nonce once")
		assert.Len(t, o.posts, o.minted+1, "the token endpoint asks for its nonce once")
	})
}

func TestALate401ForATokenThatWasAlreadyReplacedTakesTheNewOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFakeOrg()
		auth := serviceApp(t, o, &notes{})
		var late []*http.Response
		for range 2 {
			req, _ := http.NewRequest(http.MethodGet, usersAt, nil)
			require.NoError(t, auth.Sign(t.Context(), req))
			late = append(late, &http.Response{StatusCode: http.StatusUnauthorized, Header: http.Header{}, Request: req})
		}
		_, err := fetch(t.Context(), auth, o, usersAt) // the token was good once
		require.NoError(t, err)
		for _, resp := range late {
			again, err := auth.Observe(t.Context(), resp)
			require.NoError(t, err)
			assert.True(t, again)
		}
		assert.Equal(t, 2, o.minted)
	})
}

func TestAClockThatJumpsWithEachAnswerIsFollowedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFakeOrg()
		o.script = func(*http.Request) *http.Response {
			o.ahead += time.Hour
			return oauthError(http.StatusUnauthorized, "invalid_client", "The client_assertion token is expired.")
		}
		requireAuthError(t, serviceApp(t, o, &notes{}).Login(t.Context()))
		assert.Len(t, o.posts, 2)
	})
}
