package okta_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"source-okta/internal/okta"
)

func newWebAppOrg() *fakeOrg {
	return &fakeOrg{
		clientID: "0oaweb", secret: "client-secret", refresh: "refresh-token-configured", rotate: true, lifetime: time.Hour,
	}
}

func webApp(o *fakeOrg, n *notes, change func(*okta.RefreshTokenOptions)) (*okta.RefreshToken, error) {
	opts := okta.RefreshTokenOptions{
		OAuthOptions: n.options(o), ClientID: "0oaweb", ClientSecret: "client-secret", RefreshToken: "refresh-token-configured",
	}
	if change != nil {
		change(&opts)
	}
	return okta.NewRefreshToken(opts)
}

func TestWebAppSendsBearerTokensAndItsSecretInTheHeaderOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, n := newWebAppOrg(), &notes{}
		auth, err := webApp(o, n, nil)
		require.NoError(t, err)
		req, _ := http.NewRequest(http.MethodGet, usersAt, nil)
		require.NoError(t, auth.Sign(t.Context(), req))
		assert.Equal(t, "Bearer access-token-0001", req.Header.Get("Authorization"))
		require.Len(t, o.posts, 1)
		assert.Empty(t, o.posts[0].Get("client_secret"))
		assert.Empty(t, o.headers[0].Get("DPoP"))
		for _, secret := range []string{
			"client-secret", "refresh-token-configured", "refresh-token-0001", "access-token-0001",
			base64.StdEncoding.EncodeToString([]byte("0oaweb:client-secret")),
		} {
			assert.True(t, n.knows(secret), secret)
		}
	})
}

func TestARotatedRefreshTokenIsHandedOnBeforeItsAccessTokenIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newWebAppOrg()
		o.lifetime, o.latency = 5*time.Second, 50*time.Millisecond
		kept := ""
		auth, err := webApp(o, &notes{}, func(opts *okta.RefreshTokenOptions) {
			opts.OnRotate = func(_ context.Context, refreshToken string) error {
				time.Sleep(100 * time.Millisecond)
				kept = refreshToken
				return nil
			}
		})
		require.NoError(t, err)
		o.script = func(req *http.Request) *http.Response {
			if req.URL.Path != "/oauth2/v1/token" {
				n := strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer access-token-")
				assert.Equal(t, "refresh-token-"+n, kept)
			}
			return nil
		}
		for range 30 {
			together(3, func() {
				status, err := fetch(t.Context(), auth, o, usersAt)
				assert.NoError(t, err)
				assert.Equal(t, http.StatusOK, status)
			})
			time.Sleep(time.Second)
		}
		assert.Greater(t, o.minted, 5)
		assert.Equal(t, o.refresh, kept)
	})
}

func TestAnAccessTokenIsNotUsedWhenItsRefreshTokenCouldNotBeHandedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newWebAppOrg()
		full := errors.New("no space left on device")
		auth, err := webApp(o, &notes{}, func(opts *okta.RefreshTokenOptions) {
			opts.OnRotate = func(context.Context, string) error { return full }
		})
		require.NoError(t, err)
		_, err = fetch(t.Context(), auth, o, usersAt)
		require.ErrorIs(t, err, full)
		assert.Len(t, o.posts, 1)
		assert.Equal(t, 1, o.hosts["acme.okta.com"], "nothing but the token request was sent")

		full = nil
		status, err := fetch(t.Context(), auth, o, usersAt)
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, status)
		assert.Equal(t, "refresh-token-0001", o.posts[1].Get("refresh_token"), "the token that was not handed on is the one to go on with")
	})
}

func TestARefreshTokenThatDoesNotRotateIsNotHandedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newWebAppOrg()
		o.rotate, o.lifetime = false, 5*time.Second
		auth, err := webApp(o, &notes{}, func(opts *okta.RefreshTokenOptions) {
			opts.OnRotate = func(context.Context, string) error { return errors.New("must not be called") }
		})
		require.NoError(t, err)
		for range 3 {
			require.NoError(t, auth.Login(t.Context()))
			time.Sleep(10 * time.Second)
		}
	})
}

func TestASyncThatIsCancelledWhileItsRefreshTokenRotatesStillKeepsTheNewOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newWebAppOrg()
		o.latency = 5 * time.Second
		kept := ""
		auth, err := webApp(o, &notes{}, func(opts *okta.RefreshTokenOptions) {
			opts.OnRotate = func(_ context.Context, refreshToken string) error { kept = refreshToken; return nil }
		})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, auth.Login(ctx), context.DeadlineExceeded)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		assert.Equal(t, "refresh-token-0001", kept)
	})
}

func TestWhatOktaRefusesAWebAppEndsInOneSentenceWithItsFields(t *testing.T) {
	refuse := func(status int, code string) func(*fakeOrg) {
		return func(o *fakeOrg) {
			o.script = func(*http.Request) *http.Response { return oauthError(status, code, "Okta's own words.") }
		}
	}
	for name, c := range map[string]struct {
		change func(*fakeOrg)
		code   string
		fields []string
		says   string
	}{
		"a refresh token that was used or revoked": {func(o *fakeOrg) { o.refresh = "another" }, "invalid_grant", []string{"refresh_token"}, "sign in to Okta again for a new refresh_token"},
		"a wrong secret":            {func(o *fakeOrg) { o.secret = "another" }, "invalid_client", []string{"client_id", "client_secret"}, "check client_id and client_secret"},
		"an app without the grant":  {refuse(400, "unauthorized_client"), "unauthorized_client", []string{"client_id"}, "Refresh Token"},
		"an app that requires DPoP": {refuse(400, "invalid_dpop_proof"), "invalid_dpop_proof", []string{"client_id"}, "switch off Require DPoP"},
		"a policy":                  {refuse(400, "access_denied"), "access_denied", []string{"refresh_token"}, "network zone"},
		"something new":             {refuse(400, "brand_new"), "brand_new", []string{"client_id", "client_secret", "refresh_token"}, "brand_new: Okta's own words"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newWebAppOrg()
				c.change(o)
				auth, err := webApp(o, &notes{}, nil)
				require.NoError(t, err)
				_, err = fetch(t.Context(), auth, o, usersAt)
				refused := requireAuthError(t, err)
				assert.Equal(t, c.code, refused.Code)
				assert.Equal(t, c.fields, refused.Fields)
				assert.Contains(t, refused.Error(), c.says)
				assert.Len(t, o.posts, 1)
			})
		})
	}
}

func TestCredentialsOfAWebAppThatAreIncompleteAreNotSent(t *testing.T) {
	for field, change := range map[string]func(*okta.RefreshTokenOptions){
		"client_id":     func(o *okta.RefreshTokenOptions) { o.ClientID = " " },
		"client_secret": func(o *okta.RefreshTokenOptions) { o.ClientSecret = "" },
		"refresh_token": func(o *okta.RefreshTokenOptions) { o.RefreshToken = "\n" },
	} {
		_, err := webApp(newWebAppOrg(), &notes{}, change)
		refused := requireAuthError(t, err)
		assert.Equal(t, []string{field}, refused.Fields)
		assert.Contains(t, refused.Error(), field+" is empty")
	}
}

func withTokenFile(path string) func(*okta.RefreshTokenOptions) {
	return func(o *okta.RefreshTokenOptions) { o.TokenFile = path }
}

func TestTheTokenFileCarriesTheNewestRefreshTokenFromRunToRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "okta-token.json")
	o := newWebAppOrg()
	for run := 1; run <= 3; run++ {
		auth, err := webApp(o, &notes{}, withTokenFile(path))
		require.NoError(t, err)
		require.NoError(t, auth.Login(t.Context()))
		assert.Contains(t, read(t, path), fmt.Sprintf("refresh-token-%04d", run))
	}
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Len(t, entries, 1, "nothing is left beside it")

	o.refresh = "refresh-token-of-a-new-sign-in"
	auth, err := webApp(o, &notes{}, func(opts *okta.RefreshTokenOptions) {
		opts.TokenFile, opts.RefreshToken = path, "refresh-token-of-a-new-sign-in"
	})
	require.NoError(t, err)
	require.NoError(t, auth.Login(t.Context()), "a newly configured token wins over the file's older one")

	auth, err = webApp(o, &notes{}, func(opts *okta.RefreshTokenOptions) {
		opts.TokenFile, opts.RefreshToken = path, "refresh-token-of-a-new-sign-in"
	})
	require.NoError(t, err)
	require.NoError(t, auth.Login(t.Context()), "and is older than the file's from then on")
}

func TestTheConfiguredTokenIsKnownAsTheOldestAfterAnyNumberOfRotations(t *testing.T) {
	path := filepath.Join(t.TempDir(), "okta-token.json")
	synctest.Test(t, func(t *testing.T) {
		o := newWebAppOrg()
		o.lifetime = 5 * time.Second
		auth, err := webApp(o, &notes{}, withTokenFile(path))
		require.NoError(t, err)
		for range 150 {
			require.NoError(t, auth.Login(t.Context()))
			time.Sleep(5 * time.Second)
		}
		auth, err = webApp(o, &notes{}, withTokenFile(path))
		require.NoError(t, err)
		require.NoError(t, auth.Login(t.Context()))
		assert.Less(t, len(read(t, path)), 10_000)
	})
}

func TestATokenFileThatCannotBeKeptIsFoundBeforeTheRefreshTokenIsSpent(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		make func(t *testing.T) string
		says string
	}{
		"a directory": {func(*testing.T) string { return dir }, "token_file is a directory"},
		"a symbolic link": {func(t *testing.T) string {
			path := filepath.Join(dir, "link")
			require.NoError(t, os.WriteFile(filepath.Join(dir, "target"), nil, 0o600))
			require.NoError(t, os.Symlink(filepath.Join(dir, "target"), path))
			return path
		}, "symbolic link"},
		"another program's file": {func(t *testing.T) string {
			path := filepath.Join(dir, "other")
			require.NoError(t, os.WriteFile(path, []byte("PATH=/bin\n"), 0o600))
			return path
		}, "something else than a refresh token"},
		"a directory that does not exist": {func(*testing.T) string { return filepath.Join(dir, "missing", "token") }, "cannot be written"},
		"a path below a file": {func(t *testing.T) string {
			path := filepath.Join(dir, "file")
			require.NoError(t, os.WriteFile(path, nil, 0o600))
			return filepath.Join(path, "token")
		}, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newWebAppOrg()
			_, err := webApp(o, &notes{}, withTokenFile(c.make(t)))
			refused := requireAuthError(t, err)
			assert.Equal(t, []string{"token_file"}, refused.Fields)
			assert.Contains(t, refused.Error(), c.says)
			assert.Empty(t, o.posts)
		})
	}
	assert.Equal(t, "PATH=/bin\n", read(t, filepath.Join(dir, "other")))
}

func TestAnEmptyTokenFileIsFilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(path, nil, 0o644))
	_, err := webApp(newWebAppOrg(), &notes{}, withTokenFile(path))
	require.NoError(t, err)
	var kept struct {
		RefreshToken string `json:"refresh_token"`
	}
	require.NoError(t, json.Unmarshal([]byte(read(t, path)), &kept))
	assert.Equal(t, "refresh-token-configured", kept.RefreshToken)
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

func TestARefreshTokenIsHandedOnOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newWebAppOrg()
		o.lifetime = 5 * time.Second
		var kept []string
		auth, err := webApp(o, &notes{}, func(opts *okta.RefreshTokenOptions) {
			opts.OnRotate = func(_ context.Context, refreshToken string) error { kept = append(kept, refreshToken); return nil }
		})
		require.NoError(t, err)
		for range 3 {
			require.NoError(t, auth.Login(t.Context()))
			o.rotate = false
			time.Sleep(10 * time.Second)
		}
		assert.Equal(t, []string{"refresh-token-0001"}, kept)
	})
}
