package source

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tidwall/gjson"

	"source-okta/internal/airbyte"
	"source-okta/internal/okta"
	"source-okta/streams"
)

const (
	// checkTime bounds a check, and checkCalls its requests; a token request is counted for two, since Okta may want it
	// repeated with a nonce.
	checkTime  = 20 * time.Second
	checkCalls = 10
)

// family is a group of streams that are permitted or refused together: those with one scope.
type family struct {
	scope string
	names []string
	probe *streams.Stream
	// verdict says why it cannot be read, and untested why that is not known; both are empty where it can.
	verdict, untested string
	err               error
}

// check says whether the config works, and as a WARN each what cannot be read and why. A config that does not work is
// FAILED with exit code 0; only when Okta cannot be reached does the check itself fail.
func (c *connector) check(ctx context.Context, cfg *config, err error) error {
	if err == nil {
		err = c.diagnose(ctx, cfg)
	}
	if err == nil {
		c.em.Status(true, "")
		return nil
	}
	f := explain(err, nil)
	if f.kind != airbyte.ConfigError {
		return err
	}
	c.log.Debug("check failed", "cause", f.internal)
	c.em.Status(false, f.message)
	return nil
}

func (c *connector) diagnose(ctx context.Context, cfg *config) (err error) {
	whole := ctx
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	defer func() {
		if err != nil && ctx.Err() != nil && whole.Err() == nil {
			err = &failure{kind: airbyte.TransientError, message: fmt.Sprintf("Okta did not answer within %s. Try again later.", checkTime), internal: err.Error()}
		}
	}()
	families := familiesOf(cfg.streams())
	var scopes []string
	for _, f := range families {
		scopes = append(scopes, f.scope)
	}
	s, err := c.connect(cfg, scopes, nil)
	if err != nil {
		return err
	}
	calls := 1
	if cfg.credentials.kind != authToken {
		calls += 2
	}
	org, err := s.preflight(ctx, c)
	if err != nil {
		return err
	}
	engine := map[string]string{"idx": "Identity Engine", "v1": "Classic Engine"}[org.Pipeline]
	c.log.Info(fmt.Sprintf("%s is an Okta org (%s)", cfg.origin.Host, engine))
	if cfg.credentials.kind != authPrivateKey {
		calls++
		if err := c.nameOwner(ctx, s, cfg); err != nil {
			return err
		}
	}
	refused := s.refusedScopes()
	var wg sync.WaitGroup
	for _, f := range families {
		switch {
		case refused[f.scope]:
			f.verdict = "the scope " + f.scope + " was not granted: grant it in the Admin Console (Applications, your API Services app, Okta API Scopes)"
		case f.probe == nil:
			f.untested = "they have no list of their own"
		case calls >= checkCalls:
			f.untested = fmt.Sprintf("a check makes at most %d requests", checkCalls)
		default:
			calls++
			wg.Go(func() { f.ask(ctx, s.client) })
		}
	}
	wg.Wait()
	return c.conclude(families)
}

// nameOwner asks who is behind the credentials: the cheapest request that proves them.
func (c *connector) nameOwner(ctx context.Context, s *session, cfg *config) error {
	me := streams.CurrentUser
	page, err := s.client.Get(ctx, okta.Request{Bucket: me.Bucket, Path: me.Path, Single: true, NoWait: true})
	switch class(err) {
	case okta.Forbidden, okta.Gone, okta.RateLimited, okta.BadRequest, okta.FeatureOff:
		return nil
	}
	if err != nil {
		return err
	}
	owner := gjson.Get(page.Items[0], "profile.login").Str
	if cfg.credentials.kind == authToken {
		c.log.Info("the API token belongs to " + owner + "; it dies after 30 days without use, and with that account")
		return nil
	}
	c.log.Info("the credentials are those of " + owner)
	return nil
}

// conclude writes a line for each family that cannot be read, and fails where none can.
func (c *connector) conclude(families []*family) error {
	readable, refused := 0, []*family(nil)
	for _, f := range families {
		names := strings.Join(f.names, ", ")
		switch {
		case f.untested != "":
			c.log.Info(names + ": not tested, since " + f.untested)
		case f.verdict != "":
			refused = append(refused, f)
			c.log.Warn(names + ": " + f.verdict)
		default:
			readable++
		}
	}
	if readable > 0 || len(refused) == 0 {
		return nil
	}
	for _, f := range refused {
		if class(f.err) == okta.Unauthorized || isAuthError(f.err) || class(f.err) == okta.Transient {
			return f.err
		}
	}
	return configError("The credentials work, but no stream can be read with them: %s.", trimDot(errors.New(refused[0].verdict)))
}

// familiesOf groups streams by scope, the widest used first, each with a list of its own to ask.
func familiesOf(list []*streams.Stream) []*family {
	byScope := map[string]*family{}
	var families []*family
	for _, s := range list {
		f := byScope[s.Scope]
		if f == nil {
			f = &family{scope: s.Scope}
			byScope[s.Scope] = f
			families = append(families, f)
		}
		f.names = append(f.names, s.Name)
		if s.Parent == nil && !s.Human && (f.probe == nil || s.Scope == "okta.roles.read" && s.Name < f.probe.Name) {
			f.probe = s
		}
	}
	order := []string{"okta.users.read", "okta.groups.read", "okta.logs.read", "okta.roles.read"}
	rank := func(f *family) int {
		if i := slices.Index(order, f.scope); i >= 0 {
			return i
		}
		return len(order)
	}
	slices.SortStableFunc(families, func(a, b *family) int { return rank(a) - rank(b) })
	return families
}

// ask probes a family with one record of its list.
func (f *family) ask(ctx context.Context, client *okta.Client) {
	s := f.probe
	req := okta.Request{Bucket: s.Bucket, Path: s.Path, Query: url.Values{}, Items: s.Records, NoWait: true}
	for k, vs := range s.Query {
		req.Query[k] = vs
	}
	if s.PageSize > 0 {
		req.Query.Set("limit", "1")
	}
	if len(s.Slices) > 0 {
		for k, vs := range s.Slices[0] {
			req.Query[k] = vs
		}
	}
	page, err := client.Get(ctx, req)
	switch {
	case class(err) == okta.RateLimited || ctx.Err() != nil:
		f.untested = "no rate limit was left or time ran out"
	case err != nil:
		f.err = err
		f.verdict = explain(err, s).message
	case len(page.Items) == 0 && s.SilentlyEmpty:
		f.err = silentlyEmpty(s)
		f.verdict = f.err.Error()
	}
}
