package okta

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"syscall"
	"time"
	"unicode"

	"golang.org/x/net/http/httpproxy"
	"golang.org/x/net/idna"
)

// DomainError says why the configured domain cannot be used. Its text is a whole sentence for the person who entered
// the domain and never repeats user info, paths or queries, which may hold secrets.
type DomainError struct {
	Reason string
	Err    error // what lies behind it; nil when the text alone was enough to refuse it
}

func (e *DomainError) Error() string { return e.Reason }
func (e *DomainError) Unwrap() error { return e.Err }

// oktaApexes are the domains under which Okta itself serves orgs, one label in front of each.
// https://developer.okta.com/docs/concepts/okta-organizations/
var oktaApexes = []string{
	"okta.com", "oktapreview.com", "okta-emea.com", "okta-gov.com", "okta.mil", "okta-miltest.com", "trex-govcloud.com",
}

// notOrgs are first labels under an Okta apex that are Okta's own pages.
var notOrgs = map[string]bool{
	"www": true, "login": true, "developer": true, "support": true, "help": true, "trust": true, "status": true,
}

const (
	domainExample = "enter the address of your org, for example acme.okta.com"
	isPlaceholder = "the domain is still the placeholder of an example: " + domainExample
)

var (
	subdomain   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	schemeStart = regexp.MustCompile(`(?i)^([a-z][a-z0-9+.-]*)://|^(https?):/?`)
	// Examples in documentation, and variables that nothing has filled in.
	template    = regexp.MustCompile(`[{}<>]|\$[A-Za-z]`)
	placeholder = regexp.MustCompile(`(?i)(^|\.)(your[-_]?(okta[-_]?)?(domain|sub[-_]?domain|org|org[-_]?name|organi[sz]ation|company|tenant)|my_domain)(\.|$)`)
	// A last label that is a number makes the C resolver read the whole name as an IPv4 address ("127.1", "0x7f.1").
	numericEnd = regexp.MustCompile(`\.(0x[0-9a-f]*|[0-9]+)$`)

	hostProfile = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.BidiRule(), idna.CheckJoiners(true), idna.StrictDomainName(true), idna.VerifyDNSLength(true))
)

// ParseDomain turns what a person entered as their Okta domain into the origin of the org: scheme and host only.
// It takes a bare sub-domain (acme), a host, or any address of a page of the org, the admin console's included.
// cloud says that the connector runs in a shared deployment (DEPLOYMENT_MODE cloud), where loopback hosts, and with
// them http and ports, are refused. The error is a *DomainError.
func ParseDomain(s string, cloud bool) (*url.URL, error) {
	scheme, hostport, err := splitAddress(s)
	if err != nil {
		return nil, err
	}
	host, port, err := splitPort(hostport)
	if err != nil {
		return nil, err
	}
	host, loopback, err := parseHost(host)
	if err != nil {
		return nil, err
	}
	if loopback && cloud {
		return nil, refuse("the domain names the machine that the connector runs on, which a cloud deployment does not allow: %s", domainExample)
	}
	if !loopback {
		switch {
		case scheme == "http":
			return nil, refuse("the domain starts with http://, and Okta is read over https only: enter it with https:// or without a scheme")
		case port != "" && port != "443":
			return nil, refuse("the domain has the port %s, and Okta answers on the standard https port only: leave the port out", port)
		}
	}
	if scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		port = ""
	}
	origin := &url.URL{Scheme: scheme, Host: host}
	switch {
	case port != "":
		origin.Host = net.JoinHostPort(host, port)
	case strings.Contains(host, ":"):
		origin.Host = "[" + host + "]"
	}
	return origin, nil
}

func refuse(format string, args ...any) *DomainError {
	return &DomainError{Reason: fmt.Sprintf(format, args...)}
}

// splitAddress gives the scheme (https when absent) and the part of an address that names host and port.
func splitAddress(s string) (scheme, hostport string, err error) {
	s = strings.TrimFunc(s, blank)
	for _, pair := range []string{`""`, `''`, "``", "<>"} {
		if len(s) > 1 && s[0] == pair[0] && s[len(s)-1] == pair[1] {
			s = strings.TrimFunc(s[1:len(s)-1], blank)
		}
	}
	switch {
	case s == "":
		return "", "", refuse("the domain is empty: %s", domainExample)
	case template.MatchString(s):
		return "", "", refuse(isPlaceholder)
	case strings.IndexFunc(s, blank) >= 0:
		return "", "", refuse("the domain has a space or a line break inside: %s", domainExample)
	case strings.Count(s, "://") > 1:
		return "", "", refuse("the domain holds two addresses (:// is in it twice): %s", domainExample)
	case strings.Contains(s, `\`):
		return "", "", refuse("the domain has a backslash in it: %s", domainExample)
	}
	scheme = "https"
	if m := schemeStart.FindStringSubmatch(s); m != nil {
		scheme = strings.ToLower(m[1] + m[2])
		s = s[len(m[0]):]
	}
	if scheme != "https" && scheme != "http" {
		return "", "", refuse("the domain starts with %s://, and Okta is read over https only: enter it with https:// or without a scheme", scheme)
	}
	s = strings.TrimLeft(s, "/")
	if i := strings.IndexAny(s, "/?#"); i >= 0 {
		s = s[:i]
	}
	if strings.Contains(s, "@") {
		return "", "", refuse("the domain has a user name or password in front of the host: enter the host alone, credentials have their own fields")
	}
	return scheme, s, nil
}

// blank is white space, or a character that cannot be seen and comes along when text is copied from a page.
func blank(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || r == '\u200b' || r == '\u2060' || r == '\ufeff'
}

func splitPort(hostport string) (host, port string, err error) {
	if strings.Count(hostport, ":") > 1 && !strings.HasPrefix(hostport, "[") {
		return hostport, "", nil // an IPv6 address without brackets
	}
	if !strings.Contains(hostport, ":") {
		return hostport, "", nil
	}
	if strings.HasSuffix(hostport, "]") {
		return strings.Trim(hostport, "[]"), "", nil
	}
	host, port, err = net.SplitHostPort(hostport)
	if err != nil || strings.TrimLeft(port, "0123456789") != "" || len(port) > 5 {
		return "", "", refuse("the domain's port is not a number: leave the port out")
	}
	return host, port, nil
}

// parseHost gives the host in the form in which it goes into requests: lower case, IDNA, no trailing dot.
func parseHost(host string) (name string, loopback bool, err error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return parseIP(ip)
	}
	host = strings.TrimRight(host, ".")
	if host == "" {
		return "", false, refuse("the domain has no host name in it: %s", domainExample)
	}
	if placeholder.MatchString(host) {
		return "", false, refuse(isPlaceholder)
	}
	name, err = hostProfile.ToASCII(host)
	if err == nil {
		// Not all that can be encoded can be decoded again.
		name, err = hostProfile.ToASCII(name)
	}
	if err != nil {
		return "", false, &DomainError{Reason: "the domain is not a valid host name (letters, digits, hyphens and dots): " + domainExample, Err: err}
	}
	name = strings.TrimRight(name, ".")
	bare := !strings.Contains(name, ".")
	// Other scripts have digits and dots too: only now can it be seen that a name is an address.
	if ip, err := netip.ParseAddr(name); err == nil {
		return parseIP(ip)
	}
	switch {
	case numericEnd.MatchString(name):
		return "", false, refuse("the domain is an IP address, and Okta is reached by name: %s", domainExample)
	case name == "localhost" || strings.HasSuffix(name, ".localhost"):
		return name, true, nil
	case bare && (!subdomain.MatchString(name) || strings.HasPrefix(name, "xn--") || name == "okta"):
		return "", false, refuse("the domain %q is a single word that cannot be an org's sub-domain: %s", name, domainExample)
	case bare:
		name += ".okta.com"
	}
	name, err = checkApex(name)
	return name, false, err
}

func parseIP(ip netip.Addr) (string, bool, error) {
	ip = ip.Unmap()
	if !ip.IsLoopback() || ip.Zone() != "" {
		return "", false, refuse("the domain is an IP address, and Okta is reached by name: %s", domainExample)
	}
	return ip.String(), true, nil
}

// checkApex refuses hosts that are no orgs and look-alikes, and strips -admin, which the admin console's own host has.
func checkApex(name string) (string, error) {
	if strings.HasSuffix(name, ".com.com") {
		return "", refuse("the domain ends with .com twice: %s", domainExample)
	}
	for _, apex := range oktaApexes {
		if name == apex {
			return "", refuse("the domain is %s itself, without the name of an org in front: %s", apex, domainExample)
		}
		label, under := strings.CutSuffix(name, "."+apex)
		switch {
		case !under:
			continue
		case notOrgs[label]:
			return "", refuse("the domain %s is a page of Okta's own and not your org: %s", name, domainExample)
		case label == "pam" || strings.HasSuffix(label, ".pam"):
			return "", refuse("the domain %s is Okta Privileged Access, which is not the org: leave .pam out", name)
		case strings.HasSuffix(label, ".kerberos") || strings.HasSuffix(label, ".mtls"):
			return "", refuse("the domain %s is a host for signing in, which is not the org: %s", name, domainExample)
		}
		label = strings.TrimSuffix(label, "-admin")
		if first, _, _ := strings.Cut(label, "."); !subdomain.MatchString(first) || strings.Contains(label, "xn--") {
			return "", refuse("the domain's part before .%s cannot be the name of an org: %s", apex, domainExample)
		}
		return label + "." + apex, nil
	}
	for _, apex := range oktaApexes {
		for _, after := range []string{".", "-"} {
			if strings.Contains("."+name, "."+apex+after) {
				return "", refuse("the domain has %s inside but ends differently, so it is not an address of Okta's: %s", apex, domainExample)
			}
		}
	}
	return name, nil
}

// notPublic are the ranges that are neither private, loopback, link-local nor multicast by netip's words and yet
// belong to somebody's inside, or carry an IPv4 address that may.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"), // carriers' and clouds' inside, RFC 6598
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"),
	netip.MustParsePrefix("64:ff9b::/96"), // NAT64, RFC 6052
	netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"), // Teredo among others
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"), // 6to4
	netip.MustParsePrefix("fec0::/10"),
}

func public(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	if !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return false
	}
	for _, p := range notPublic {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}

// GuardDialer returns the DialContext of the transport to the org. With cloud set it refuses, with a *DomainError,
// to connect to any address that is not public, whatever name it was resolved from, since a tenant's domain must not
// lead into the operator's network. The proxy that the environment names is the operator's own choice and exempt.
func GuardDialer(cloud bool) func(ctx context.Context, network, addr string) (net.Conn, error) {
	plain := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	if !cloud {
		return plain.DialContext
	}
	guarded := *plain
	guarded.ControlContext = func(_ context.Context, _, addr string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(addr)
		if err != nil || !public(ap.Addr()) {
			return refuse("the domain leads to %s, which is not an address on the internet, and a cloud deployment connects to no other", addr)
		}
		return nil
	}
	exempt := proxyAddr(httpproxy.FromEnvironment().HTTPSProxy)
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addr == exempt {
			return plain.DialContext(ctx, network, addr)
		}
		return guarded.DialContext(ctx, network, addr)
	}
}

// proxyAddr is a proxy's address as http.Transport dials it; empty when there is none.
func proxyAddr(proxy string) string {
	if !strings.Contains(proxy, "://") {
		proxy = "http://" + proxy
	}
	u, err := url.Parse(proxy)
	if err != nil || u.Hostname() == "" {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}
