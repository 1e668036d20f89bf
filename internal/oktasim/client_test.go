package oktasim_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"source-okta/internal/oktasim"
)

const origin = "https://acme.okta.com"

// answer is a response, read.
type answer struct {
	*http.Response
	body string
}

func (a answer) code() string { return gjson.Get(a.body, "errorCode").String() }

// link is the path and query of a relation of the Link header; "" if it isn't there.
func (a answer) link(rel string) string {
	for _, value := range a.Header.Values("Link") {
		target, params, _ := strings.Cut(value, ">; ")
		if params == `rel="`+rel+`"` {
			u, err := url.Parse(strings.TrimPrefix(target, "<"))
			if err != nil {
				return ""
			}
			return u.RequestURI()
		}
	}
	return ""
}

func get(t testing.TB, o http.RoundTripper, pathAndQuery string, edits ...func(*http.Request)) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, origin+pathAndQuery, nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "SSWS "+oktasim.DefaultToken)
	for _, edit := range edits {
		edit(r)
	}
	resp, err := o.RoundTrip(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return answer{resp, string(body)}
}

func query(pairs ...string) string {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return "?" + v.Encode()
}

// walk reads a list to its end: by the body's next link if there is a wrapper, else by the Link header.
func walk(t testing.TB, o http.RoundTripper, pathAndQuery, member string) (records []string, pages int) {
	t.Helper()
	for pathAndQuery != "" {
		a := get(t, o, pathAndQuery)
		require.Equal(t, 200, a.StatusCode, "%s: %s", pathAndQuery, a.body)
		require.True(t, json.Valid([]byte(a.body)), a.body)
		items := gjson.Parse(a.body)
		pathAndQuery = a.link("next")
		if member != "" {
			next := items.Get("_links.next.href").String()
			items = items.Get(member)
			if pathAndQuery = ""; next != "" {
				u, err := url.Parse(next)
				require.NoError(t, err)
				pathAndQuery = u.RequestURI()
			}
		}
		require.True(t, items.IsArray())
		for _, item := range items.Array() {
			records = append(records, item.Raw)
		}
		pages++
		require.Less(t, pages, 100_000)
	}
	return records, pages
}

func ids(records []string) []string {
	out := make([]string, len(records))
	for i, r := range records {
		out[i] = gjson.Get(r, "id").String()
	}
	return out
}
