package source

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"source-okta/internal/okta"
	"source-okta/streams"
)

//go:embed spec.json
var specJSON []byte

// Spec is the connector's specification on one line: the form that Airbyte shows, and what a config may hold.
//
// https://docs.airbyte.com/platform/connector-development/connector-specification-reference
func Spec() json.RawMessage {
	var b bytes.Buffer
	if err := json.Compact(&b, specJSON); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// The values of credentials.auth_type.
const (
	authToken      = "api_token"
	authPrivateKey = "oauth2.0_private_key"
	authRefresh    = "oauth2.0"
)

// config is a connector configuration, of today's form or of an older one.
type config struct {
	raw         json.RawMessage
	origin      *url.URL
	cloud       bool
	credentials credentials
	// start is zero when everything is wanted.
	start           time.Time
	set             streams.Set
	include         []string
	exclude         []string
	share           int
	skipOnForbidden bool
	// migrated is the config in today's form where it came in the form of before 0.2.0; nil otherwise.
	migrated json.RawMessage
}

type credentials struct {
	kind         string
	apiToken     string
	clientID     string
	clientSecret string
	refreshToken string
	tokenFile    string
	keyID        string
	privateKey   string
	scopes       []string
}

// secrets are the strings that no log may show. client_id and key_id are secret because airbyte/source-okta marks them so.
func (c *config) secrets() []string {
	k := c.credentials
	return []string{k.apiToken, k.clientSecret, k.refreshToken, k.privateKey, k.clientID, k.keyID}
}

// parseConfig reads a config, which is always returned, as far as it was understood. raw is a JSON object.
func parseConfig(raw []byte, getenv func(string) string) (*config, error) {
	c := &config{raw: raw, share: 80, set: streams.SetCompatible}
	c.cloud = getenv != nil && strings.EqualFold(getenv("DEPLOYMENT_MODE"), "cloud")
	doc := gjson.ParseBytes(raw)
	f := fields{doc: doc}

	domain, token := f.str("domain"), f.str("token")
	base := f.str("base_url")
	cred := fields{doc: doc.Get("credentials"), prefix: "credentials."}
	if v := doc.Get("credentials"); v.Exists() && v.Type != gjson.Null && !v.IsObject() {
		f.fail("credentials must be an object with auth_type")
	}
	k := &c.credentials
	*k = credentials{
		kind: cred.str("auth_type"), apiToken: cred.str("api_token"), clientID: cred.str("client_id"),
		clientSecret: cred.str("client_secret"), refreshToken: cred.str("refresh_token"), tokenFile: cred.str("token_file"),
		keyID: cred.str("key_id"), privateKey: cred.str("private_key"), scopes: strings.Fields(cred.str("scope")),
	}
	if !cred.doc.IsObject() && token != "" {
		*k = credentials{kind: authToken, apiToken: token}
	}
	if domain == "" && base != "" {
		domain = base
		c.migrated = migrate(raw, base, *k, cred.doc.IsObject())
	}

	if s := f.str("start_date"); s != "" {
		t, err := parseTime(s)
		if err != nil {
			f.fail("start_date must be a UTC date and time like 2022-07-22T00:00:00Z, not " + quote(s))
		}
		c.start = t
	}
	if s := f.str("stream_set"); s != "" {
		c.set = streams.Set(s)
		if !slices.Contains([]streams.Set{streams.SetCompatible, streams.SetCore, streams.SetAll}, c.set) {
			f.fail("stream_set must be compatible, core or all, not " + quote(s))
		}
	}
	c.include, c.exclude = f.names("include_streams"), f.names("exclude_streams")
	if v := doc.Get("rate_limit_share"); v.Exists() && v.Type != gjson.Null {
		c.share = int(v.Int())
		if v.Type != gjson.Number || float64(c.share) != v.Num || c.share < 1 || c.share > 100 {
			f.fail("rate_limit_share must be a whole number from 1 to 100, not " + quote(v.Raw))
		}
	}
	switch s := f.str("on_forbidden"); s {
	case "", "fail":
	case "skip":
		c.skipOnForbidden = true
	default:
		f.fail("on_forbidden must be fail or skip, not " + quote(s))
	}
	if len(c.streams()) == 0 && len(f.errs) == 0 {
		f.fail("include_streams and exclude_streams leave no stream")
	}

	problems := append(f.errs, cred.errs...)
	if len(cred.errs) == 0 {
		problems = append(problems, k.problems()...)
	}
	if len(problems) == 0 {
		origin, err := okta.ParseDomain(domain, c.cloud)
		if err != nil {
			return c, configError("domain: %s.", trimDot(err))
		}
		c.origin = origin
		return c, nil
	}
	return c, configError("The config is not valid: %s.", strings.Join(problems, "; "))
}

func (k *credentials) problems() []string {
	var missing []string
	need := func(name, value string) {
		if strings.TrimSpace(value) == "" {
			missing = append(missing, "credentials."+name+" is missing")
		}
	}
	switch k.kind {
	case authToken:
		need("api_token", k.apiToken)
	case authPrivateKey:
		need("client_id", k.clientID)
		need("key_id", k.keyID)
		need("private_key", k.privateKey)
	case authRefresh:
		need("client_id", k.clientID)
		need("client_secret", k.clientSecret)
		need("refresh_token", k.refreshToken)
	case "":
		return []string{"credentials.auth_type is missing; it must be api_token, oauth2.0_private_key or oauth2.0"}
	default:
		return []string{"credentials.auth_type must be api_token, oauth2.0_private_key or oauth2.0, not " + quote(k.kind)}
	}
	return missing
}

// migrate turns the form of before 0.2.0, {token, base_url}, into today's, as the official connector did, but with the
// whole host: its migration made x.oktapreview.com into x.okta.com.
func migrate(raw []byte, base string, k credentials, hasCredentials bool) json.RawMessage {
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil
	}
	doc["domain"] = base
	if !hasCredentials && k.apiToken != "" {
		doc["credentials"] = map[string]any{"auth_type": authToken, "api_token": k.apiToken}
	}
	b, err := json.Marshal(doc)
	if err != nil {
		return nil
	}
	return b
}

// streams are the streams that the config offers.
func (c *config) streams() []*streams.Stream {
	return slices.DeleteFunc(streams.In(c.set), func(s *streams.Stream) bool {
		return len(c.include) > 0 && !slices.Contains(c.include, s.Name) || slices.Contains(c.exclude, s.Name)
	})
}

// fields reads members of a JSON object and collects what is wrong with them. An absent member and null are the same.
type fields struct {
	doc    gjson.Result
	prefix string
	errs   []string
}

func (f *fields) fail(problem string) { f.errs = append(f.errs, problem) }

func (f *fields) str(name string) string {
	v := f.doc.Get(name)
	switch v.Type {
	case gjson.String:
		return strings.TrimSpace(v.Str)
	case gjson.Null:
		return ""
	default:
		f.fail(f.prefix + name + " must be a string")
		return ""
	}
}

func (f *fields) names(name string) []string {
	v := f.doc.Get(name)
	if v.Type == gjson.Null {
		return nil
	}
	if !v.IsArray() {
		f.fail(f.prefix + name + " must be a list of stream names")
		return nil
	}
	var names []string
	for _, e := range v.Array() {
		if _, ok := streams.Named(e.Str); e.Type != gjson.String || !ok {
			f.fail(fmt.Sprintf("%s names %s, and there is no such stream", f.prefix+name, quote(e.String())))
			continue
		}
		names = append(names, e.Str)
	}
	return names
}

func quote(s string) string { return fmt.Sprintf("%q", printable(s)) }
