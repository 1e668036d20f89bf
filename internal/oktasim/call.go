package oktasim

import (
	"net/http"
	"net/url"
	"strconv"
)

// call is one request on its way through a handler, which appends the body to b.
type call struct {
	o      *Org
	w      *world
	r      *http.Request
	query  url.Values
	vars   []string // what the wildcards of the route matched
	who    Principal
	now    int64
	origin string
	links  []string
	b      []byte
}

type handler func(*call) *apiError

// limit is the page size asked for. Above the maximum or below the minimum is refused, not capped.
func (c *call) limit(def, low, high int) (int, *apiError) {
	text := c.query.Get("limit")
	if text == "" {
		return def, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		return 0, badLimit(text, low, high)
	}
	return n, nil
}
