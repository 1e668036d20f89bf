package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"source-okta/internal/okta"
)

// errReported ends a run whose failures have been written.
var errReported = errors.New("reported")

// loginer is an authenticator with a token of its own, which is better asked for before the first stream than with it.
type loginer interface {
	Login(ctx context.Context) error
}

// refuser is an authenticator that was granted less than it asked for.
type refuser interface{ Refused() []string }

// session is a client with its credentials.
type session struct {
	client *okta.Client
	auth   okta.Authenticator
}

// connect makes the client of a config. It sends nothing. scopes are asked for where the config names none.
func (c *connector) connect(cfg *config, scopes []string, onWait func(string, time.Time)) (*session, error) {
	transport := c.env.Transport
	if transport == nil {
		t := okta.NewTransport()
		t.DialContext = okta.GuardDialer(cfg.cloud)
		transport = t
	}
	userAgent := "source-okta/" + Version
	oauth := okta.OAuthOptions{
		Origin: cfg.origin, Transport: transport, UserAgent: userAgent, Log: c.log, OnSecret: c.secrets.Add,
	}
	auth, err := c.authenticator(cfg, oauth, scopes)
	if err != nil {
		return nil, err
	}
	return &session{auth: auth, client: okta.New(okta.Options{
		Origin: cfg.origin, Transport: transport, Auth: auth, Share: cfg.share, Log: c.log, UserAgent: userAgent, OnWait: onWait,
	})}, nil
}

func (c *connector) authenticator(cfg *config, o okta.OAuthOptions, scopes []string) (okta.Authenticator, error) {
	k := cfg.credentials
	switch k.kind {
	case authPrivateKey:
		if len(k.scopes) > 0 {
			scopes = k.scopes
		}
		return okta.NewPrivateKey(okta.PrivateKeyOptions{OAuthOptions: o, ClientID: k.clientID, KeyID: k.keyID, PrivateKey: k.privateKey, Scopes: scopes})
	case authRefresh:
		return okta.NewRefreshToken(okta.RefreshTokenOptions{
			OAuthOptions: o, ClientID: k.clientID, ClientSecret: k.clientSecret, RefreshToken: k.refreshToken, TokenFile: k.tokenFile,
			OnRotate: func(_ context.Context, token string) error { return c.rotate(cfg, token) },
		})
	default:
		return okta.NewSSWS(k.apiToken), nil
	}
}

// rotate tells Airbyte the config with a new refresh token, whole, before the access token that came with it is used:
// the old refresh token is already spent.
func (c *connector) rotate(cfg *config, token string) error {
	raw := cfg.raw
	if cfg.migrated != nil {
		raw = cfg.migrated
	}
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		return err
	}
	credentials, ok := doc["credentials"].(map[string]any)
	if !ok {
		return errors.New("the config has no credentials")
	}
	credentials["refresh_token"] = token
	rotated, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	c.em.Control(rotated)
	return c.em.Err()
}

// preflight makes sure, before credentials are sent, that an Okta org answers at the domain, and then logs in.
func (s *session) preflight(ctx context.Context, c *connector) (okta.OrgInfo, error) {
	org, err := s.client.Organization(ctx)
	var domain *okta.DomainError
	if errors.As(err, &domain) {
		return org, configError("domain: %s.", trimDot(domain))
	}
	if err != nil {
		return org, err
	}
	c.log.Debug("an Okta org answers", "id", org.ID, "pipeline", org.Pipeline, "links", fmt.Sprint(org.Links))
	if l, ok := s.auth.(loginer); ok {
		return org, l.Login(ctx)
	}
	return org, nil
}

// refusedScopes are the scopes that Okta did not grant, as a set.
func (s *session) refusedScopes() map[string]bool {
	refused := map[string]bool{}
	if r, ok := s.auth.(refuser); ok {
		for _, scope := range r.Refused() {
			refused[scope] = true
		}
	}
	return refused
}
