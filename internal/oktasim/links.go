package oktasim

import (
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// selfLink adds the Link header of this page. Okta fills in the limit that applies, and writes each relation as a
// header value of its own.
func (c *call) selfLink(limit int) {
	c.links = append(c.links, "<"+c.pageURL(c.origin, c.query.Get("after"), limit)+`>; rel="self"`)
}

func (c *call) nextLink(after string, limit int) {
	c.links = append(c.links, "<"+c.pageURL(c.origin, after, limit)+`>; rel="next"`)
}

// pageURL is the address of a page of this list: after and limit first, then what else was asked. A negative limit is left out.
func (c *call) pageURL(origin, after string, limit int) string {
	var b strings.Builder
	b.WriteString(origin)
	b.WriteString(c.r.URL.EscapedPath())
	sep := byte('?')
	add := func(name, value string) {
		b.WriteByte(sep)
		b.WriteString(name)
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(value))
		sep = '&'
	}
	if after != "" {
		add("after", after)
	}
	if limit >= 0 {
		add("limit", strconv.Itoa(limit))
	}
	names := make([]string, 0, len(c.query))
	for name := range c.query {
		if name == "after" || name == "limit" || (name == "expand" && after != "" && c.o.config.NextDropsExpand) {
			continue
		}
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range c.query[name] {
			add(name, value)
		}
	}
	return b.String()
}

// adminOrigin is where Okta's admin console lives, to which the links of /api/v1/iam point whatever host was called:
// acme.okta.com → acme-admin.okta.com. Hosts without a sub-domain to extend get the org's own.
func (c *call) adminOrigin() string { return adminOrigin(c.origin, c.o.config.Origin) }

func adminOrigin(origin, own string) string {
	u, err := url.Parse(origin)
	if err != nil || net.ParseIP(u.Hostname()) != nil || strings.Count(u.Hostname(), ".") < 2 {
		if u, err = url.Parse(own); err != nil {
			return own
		}
	}
	label, rest, _ := strings.Cut(u.Host, ".")
	return u.Scheme + "://" + strings.TrimSuffix(label, "-admin") + "-admin." + rest
}

// A page token is the place to go on from, bound to the query it was made for and sealed, so that nobody reads or makes
// one. A token that doesn't fit its query is an invalid cursor.

func (c *call) seal(payload []byte) string {
	check := c.tokenCheck(payload)
	out := make([]byte, 4, 4+len(payload))
	binary.BigEndian.PutUint32(out, check)
	out = append(out, payload...)
	c.veil(out[4:], check)
	return base64.RawURLEncoding.EncodeToString(out)
}

func (c *call) unseal(token string) ([]byte, bool) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) < 5 {
		return nil, false
	}
	check := binary.BigEndian.Uint32(raw)
	c.veil(raw[4:], check)
	return raw[4:], c.tokenCheck(raw[4:]) == check
}

func (c *call) veil(b []byte, check uint32) {
	for i := range b {
		b[i] ^= byte(mix(uint64(c.w.seed) ^ uint64(check)<<8 ^ uint64(i)))
	}
}

func (c *call) tokenCheck(payload []byte) uint32 {
	h := fnv.New64a()
	h.Write(payload)
	h.Write([]byte(c.r.URL.Path))
	names := make([]string, 0, len(c.query))
	for name := range c.query {
		switch name {
		case "after", "limit", "expand", "fields":
			continue
		}
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		h.Write([]byte(name + "=" + c.query.Get(name) + "&"))
	}
	return uint32(mix(h.Sum64() ^ uint64(c.w.seed)))
}

func (c *call) sealPlace(p place) string {
	payload := binary.BigEndian.AppendUint64(nil, uint64(p.at))
	return c.seal(append(payload, p.id[:]...))
}

// afterPlace is the place in the request's page token, or nil without one.
func (c *call) afterPlace() (*place, *apiError) {
	token := c.query.Get("after")
	if token == "" {
		return nil, nil
	}
	payload, ok := c.unseal(token)
	if !ok || len(payload) != 8+len(ident{}) {
		return nil, badCursor()
	}
	p := place{at: int64(binary.BigEndian.Uint64(payload))}
	copy(p.id[:], payload[8:])
	return &p, nil
}

func (c *call) sealPosition(n int) string {
	return c.seal(binary.BigEndian.AppendUint64(nil, uint64(n)))
}

// afterPosition is the position in the request's page token, or 0 without one.
func (c *call) afterPosition() (int, *apiError) {
	token := c.query.Get("after")
	if token == "" {
		return 0, nil
	}
	payload, ok := c.unseal(token)
	if !ok || len(payload) != 8 {
		return 0, badCursor()
	}
	return int(binary.BigEndian.Uint64(payload)), nil
}
