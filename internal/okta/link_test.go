package okta

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheNextLinkIsFoundHoweverItIsWritten(t *testing.T) {
	const u = "https://acme.okta.com/api/v1/users?after=x&limit=2"
	for name, row := range map[string]struct {
		link []string
		want string
	}{
		"two headers":              {[]string{`<https://acme.okta.com/api/v1/users?limit=2>; rel="self"`, `<` + u + `>; rel="next"`}, u},
		"one header, comma":        {[]string{`<https://acme.okta.com/api/v1/users?limit=2>; rel="self", <` + u + `>; rel="next"`}, u},
		"next first":               {[]string{`<` + u + `>; rel="next",<https://acme.okta.com/>; rel="self"`}, u},
		"no quotes":                {[]string{`<` + u + `>;rel=next`}, u},
		"no quotes, then another":  {[]string{`<` + u + `>;rel=next,<https://x>;rel=self`}, u},
		"capitals":                 {[]string{`<` + u + `>; REL="Next"`}, u},
		"odd spacing":              {[]string{"  <" + u + ">  ;\t rel  =  \"next\" ;"}, u},
		"spaces inside":            {[]string{`< ` + u + ` >; rel="next"`}, u},
		"several relations":        {[]string{`<` + u + `>; rel="last next"`}, u},
		"other parameters":         {[]string{`<` + u + `>; title="a, b; rel=\"self\""; rel="next"; type="x"`}, u},
		"a parameter without =":    {[]string{`<` + u + `>; crossorigin; rel="next"`}, u},
		"comma in the target":      {[]string{`<https://acme.okta.com/api/v1/users?after=1,2;3>; rel="next"`}, "https://acme.okta.com/api/v1/users?after=1,2;3"},
		"link in a title":          {[]string{`<https://x>; title="<https://evil>; rel=next"; rel="self"`}, ""},
		"the first rel counts":     {[]string{`<` + u + `>; rel="self"; rel="next"`}, ""},
		"rel with a longer name":   {[]string{`<` + u + `>; rel="nextish"`}, ""},
		"a parameter that ends so": {[]string{`<` + u + `>; norel="next"`}, ""},
		"none":                     {nil, ""},
		"empty":                    {[]string{""}, ""},
		"no bracket":               {[]string{u + `; rel="next"`}, ""},
		"open bracket":             {[]string{`<` + u + `; rel="next"`}, ""},
		"open quote":               {[]string{`<` + u + `>; rel="next`}, u},
		"nothing after":            {[]string{`<` + u + `>`}, ""},
		"only signs":               {[]string{`<>;=;,;;=,"<`}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, row.want, nextLink(http.Header{"Link": row.link}))
		})
	}
}

func TestABodyLinkIsAnObjectOrAString(t *testing.T) {
	for body, want := range map[string]string{
		`{"roles":[],"_links":{"next":{"href":"https://x/api?after=1"}}}`: "https://x/api?after=1",
		`{"_links":{"next":"/api?after=1"}}`:                              "/api?after=1",
		`{"_links":{"next":{"href":null}}}`:                               "",
		`{"_links":{"next":null}}`:                                        "",
		`{"_links":{"next":["https://x"]}}`:                               "",
		`{"_links":{"next":{"href":7}}}`:                                  "",
		`{"_links":[]}`:                                                   "",
		`{}`:                                                              "",
	} {
		assert.Equal(t, want, bodyLink(body), body)
	}
}

func TestNextLinksStayOnTheConfiguredOriginAndBelowTheirPath(t *testing.T) {
	const ok = "/api/v1/groups/00g1/users?after=x"
	for name, row := range map[string]struct{ link, want string }{
		"same host":              {"https://acme.okta.com/api/v1/groups/00g1/users?after=x", ok},
		"admin host":             {"https://acme-admin.okta.com/api/v1/groups/00g1/users?after=x", ok},
		"foreign host":           {"https://evil.example/api/v1/groups/00g1/users?after=x", ok},
		"plain http":             {"http://acme.okta.com/api/v1/groups/00g1/users?after=x", ok},
		"a port":                 {"https://acme.okta.com:8443/api/v1/groups/00g1/users?after=x", ok},
		"user info":              {"https://acme.okta.com@evil.example/api/v1/groups/00g1/users?after=x", ok},
		"look-alike host":        {"https://acme.okta.com.evil.example/api/v1/groups/00g1/users?after=x", ok},
		"no scheme":              {"//evil.example/api/v1/groups/00g1/users?after=x", ok},
		"path only":              {ok, ok},
		"query only":             {"?after=x", ok},
		"below the path":         {"https://acme.okta.com/api/v1/groups/00g1/users/more?after=x", "/api/v1/groups/00g1/users/more?after=x"},
		"fragment":               {ok + "#frag", ok},
		"raw space and quotes":   {`/api/v1/groups/00g1/users?filter=status eq "ACTIVE"&after=x`, `/api/v1/groups/00g1/users?filter=status%20eq%20%22ACTIVE%22&after=x`},
		"escapes are kept":       {"/api/v1/groups/00g1/users?after=a%2Bb%252F+c", "/api/v1/groups/00g1/users?after=a%2Bb%252F+c"},
		"not ASCII":              {"/api/v1/groups/00g1/users?after=ü", "/api/v1/groups/00g1/users?after=%C3%BC"},
		"another path":           {"https://acme.okta.com/api/v1/users?after=x", ""},
		"a longer name":          {"https://acme.okta.com/api/v1/groups/00g1/users2?after=x", ""},
		"another entity":         {"https://acme.okta.com/api/v1/groups/00g2/users?after=x", ""},
		"the token endpoint":     {"https://acme.okta.com/oauth2/v1/token", ""},
		"the root":               {"https://acme.okta.com/", ""},
		"no path":                {"https://acme.okta.com", ""},
		"dots":                   {"https://acme.okta.com/api/v1/groups/00g1/users/../../../../logs", ""},
		"escaped dots":           {"https://acme.okta.com/api/v1/groups/00g1/users/%2e%2e/%2e%2e/logs", ""},
		"escaped dots and slash": {"https://acme.okta.com/api/v1/groups/00g1/users/..%2f..%2flogs", ""},
		"backslash":              {`https://acme.okta.com/api/v1/groups/00g1/users/..\..\logs`, ""},
		"double slash":           {"https://acme.okta.com//api/v1/groups/00g1/users?after=x", ""},
		"opaque":                 {"mailto:someone@evil.example", ""},
		"script":                 {"javascript:alert(1)", ""},
		"file":                   {"file:///etc/passwd", ""},
		"not a URL":              {"https://[::1/api", ""},
		"control character":      {"/api/v1/groups/00g1/users?after=\x00", ""},
		"line break":             {"/api/v1/groups/00g1/users?after=x\r\nHost: evil.example", ""},
	} {
		t.Run(name, func(t *testing.T) {
			at, err := url.Parse("https://acme.okta.com/api/v1/groups/00g1/users?limit=200")
			require.NoError(t, err)
			next, refused := Request{Path: "/api/v1/groups/00g1/users"}.follow(row.link, at)
			if row.want == "" {
				require.NotNil(t, refused)
				assert.Equal(t, Unexpected, refused.Class)
				return
			}
			require.Nil(t, refused)
			assert.Equal(t, row.want, next.Path)
			to, refused := next.address(at, 0)
			require.Nil(t, refused)
			assert.Equal(t, "acme.okta.com", to.Host)
			assert.Equal(t, "https", to.Scheme)
			assert.Nil(t, to.User)
		})
	}
}

func TestAPrefixOfItsOwnBoundsTheNextLinks(t *testing.T) {
	at, _ := url.Parse("https://acme.okta.com/governance/api/v1/campaigns")
	r := Request{Prefix: "/governance/api/"}
	_, refused := r.follow("/governance/api/v2/campaigns?after=1", at)
	assert.Nil(t, refused)
	_, refused = r.follow("/governance/apis?after=1", at)
	assert.NotNil(t, refused)
}

func TestAnAddressAddsWhatTheNextLinkLacksAndOverwritesNothing(t *testing.T) {
	origin := &url.URL{Scheme: "https", Host: "acme.okta.com"}
	query := url.Values{"expand": {"user"}, "filter": {`lastUpdated gt "2020-01-01T00:00:00.000Z"`}}
	for name, row := range map[string]struct {
		r    Request
		size int
		want string
	}{
		"first page":            {Request{Path: "/api/v1/apps/0oa1/users", Query: query, PageSize: 500}, 500, "/api/v1/apps/0oa1/users?expand=user&filter=lastUpdated%20gt%20%222020-01-01T00%3A00%3A00.000Z%22&limit=500"},
		"a plus is a plus":      {Request{Path: "/x", Query: url.Values{"q": {"a+b c"}}}, 0, "/x?q=a%2Bb%20c"},
		"next link":             {Request{Path: "/x?after=1&limit=500", Query: url.Values{"expand": {"user"}}, PageSize: 500}, 500, "/x?after=1&limit=500&expand=user"},
		"dropped limit":         {Request{Path: "/x?after=1", PageSize: 500}, 500, "/x?after=1&limit=500"},
		"own value wins":        {Request{Path: "/x?expand=group&after=1", Query: url.Values{"expand": {"user"}}}, 0, "/x?expand=group&after=1"},
		"halved":                {Request{Path: "/x?after=1&limit=500&expand=user", PageSize: 500}, 250, "/x?after=1&limit=250&expand=user"},
		"smaller than halved":   {Request{Path: "/x?limit=100", PageSize: 500}, 250, "/x?limit=100"},
		"verbatim":              {Request{Path: "/api/v1/logs?after=1_1&sortOrder=ASCENDING", Query: url.Values{"since": {"2020"}}, PageSize: 1000, Verbatim: true}, 1000, "/api/v1/logs?after=1_1&sortOrder=ASCENDING"},
		"verbatim, first":       {Request{Path: "/api/v1/logs", Query: url.Values{"since": {"2020"}}, PageSize: 1000, Verbatim: true}, 1000, "/api/v1/logs?limit=1000&since=2020"},
		"verbatim, halved":      {Request{Path: "/api/v1/logs?limit=1000&after=1", PageSize: 1000, Verbatim: true}, 500, "/api/v1/logs?limit=500&after=1"},
		"escaped id":            {Request{Path: "/api/v1/users/a%2Fb"}, 0, "/api/v1/users/a%2Fb"},
		"an odd query is kept":  {Request{Path: "/x?a=%zz&b;c&&d"}, 0, "/x?a=%zz&b;c&d"},
		"limit in query counts": {Request{Path: "/x", Query: url.Values{"limit": {"7"}}}, 0, "/x?limit=7"},
	} {
		t.Run(name, func(t *testing.T) {
			u, refused := row.r.address(origin, row.size)
			require.Nil(t, refused)
			assert.Equal(t, "https://acme.okta.com"+row.want, u.String())
		})
	}
	for _, path := range []string{"", "api/v1/users", "//evil.example/x", "https://evil.example/x", "mailto:x", "/x\n"} {
		_, refused := Request{Path: path}.address(origin, 0)
		assert.NotNil(t, refused, path)
	}
}

func TestACircleOfLinksOfAnyLengthIsFound(t *testing.T) {
	for _, lead := range []int{0, 1, 5, 100} {
		for _, circle := range []int{1, 2, 3, 7, 50} {
			var way trail
			steps := 0
			for ; steps < 1000; steps++ {
				at := steps
				if at >= lead {
					at = lead + (at-lead)%circle
				}
				if !way.visit("/x?after=" + strings.Repeat("i", at+1)) {
					break
				}
			}
			assert.LessOrEqual(t, steps, 3*(lead+circle)+3)
		}
	}
	var way trail
	for i := range 1000 {
		require.True(t, way.visit("/x?after="+strings.Repeat("i", i)))
	}
}

func FuzzLinkHeader(f *testing.F) {
	for _, seed := range []string{
		`<https://acme.okta.com/api/v1/users?limit=2>; rel="self", <https://acme.okta.com/api/v1/users?after=x&limit=2>; rel="next"`,
		`<//evil.example/api/v1/users>; rel=next`,
		`<?after=1>; rel=" next "; title="\"`,
		`<https://acme.okta.com@evil.example/api/v1/users/%2e%2e/x>; rel="next"`,
		`<javascript:alert(1)>;rel=next`,
		`<>;=;,;;=,"<`,
	} {
		f.Add(seed, false)
	}
	origin := &url.URL{Scheme: "https", Host: "acme.okta.com"}
	f.Fuzz(func(t *testing.T, link string, verbatim bool) {
		target := nextLink(http.Header{"Link": {link}})
		if target == "" {
			return
		}
		r := Request{Path: "/api/v1/users", Query: url.Values{"expand": {"user"}}, PageSize: 200, Verbatim: verbatim}
		at, _ := r.address(origin, 200)
		next, refused := r.follow(target, at)
		if refused != nil {
			return
		}
		to, refused := next.address(origin, 100)
		if refused != nil {
			return
		}
		if to.Scheme != "https" || to.Host != "acme.okta.com" || to.User != nil {
			t.Fatalf("%q leads to %s", link, to)
		}
		if to.Path != "/api/v1/users" && !strings.HasPrefix(to.Path, "/api/v1/users/") || hasDots(to.Path) {
			t.Fatalf("%q leads to %s", link, to.Path)
		}
		line := to.RequestURI()
		if strings.ContainsFunc(line, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
			t.Fatalf("%q makes the request line %q", link, line)
		}
		again, err := url.ParseRequestURI(line)
		if err != nil || again.Path != to.Path {
			t.Fatalf("%q is read as %v: %v", line, again, err)
		}
	})
}
