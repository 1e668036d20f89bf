package okta_test

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"source-okta/internal/okta"
)

var goodDomains = map[string]string{
	"acme":                                 "https://acme.okta.com",
	"dev-123":                              "https://dev-123.okta.com",
	"ACME":                                 "https://acme.okta.com",
	" acme \n":                             "https://acme.okta.com",
	"acme.":                                "https://acme.okta.com",
	"acme/":                                "https://acme.okta.com",
	"acme-admin":                           "https://acme.okta.com",
	"https://acme":                         "https://acme.okta.com",
	"acme.okta.com":                        "https://acme.okta.com",
	"acme.okta.com.":                       "https://acme.okta.com",
	"acme.okta.com/":                       "https://acme.okta.com",
	"acme.okta.com:443":                    "https://acme.okta.com",
	"acme.okta.com:":                       "https://acme.okta.com",
	"Acme.Okta.com":                        "https://acme.okta.com",
	"//acme.okta.com":                      "https://acme.okta.com",
	"https://acme.okta.com":                "https://acme.okta.com",
	"HTTPS://ACME.OKTA.COM/":               "https://acme.okta.com",
	"https:/acme.okta.com":                 "https://acme.okta.com",
	"https://acme.okta.com/api/v1":         "https://acme.okta.com", // a base_url of old
	"https://acme.okta.com///":             "https://acme.okta.com",
	"https://acme.okta.com?x=1":            "https://acme.okta.com",
	"https://acme.okta.com#top":            "https://acme.okta.com",
	"https://acme.okta.com/a?u=me@acme.io": "https://acme.okta.com",
	"https://acme-admin.okta.com/admin/dashboard?x=1#y": "https://acme.okta.com",
	"https://acme-admin.okta.com./admin":                "https://acme.okta.com",
	"https://dev-123-admin.oktapreview.com/admin/apps":  "https://dev-123.oktapreview.com",
	"acme.okta-emea.com":                                "https://acme.okta-emea.com",
	"acme-admin.okta-emea.com":                          "https://acme.okta-emea.com",
	"acme.okta-gov.com":                                 "https://acme.okta-gov.com",
	"acme.okta.mil":                                     "https://acme.okta.mil",
	"acme.okta-miltest.com":                             "https://acme.okta-miltest.com",
	"acme.trex-govcloud.com":                            "https://acme.trex-govcloud.com",
	"login.acme.io":                                     "https://login.acme.io",
	"sso-admin.acme.io":                                 "https://sso-admin.acme.io",
	"https://id.acme.io/oauth2/default":                 "https://id.acme.io",
	"okta.company.com":                                  "https://okta.company.com",
	"okta.community.acme.com":                           "https://okta.community.acme.com",
	"my.domain.acme.com":                                "https://my.domain.acme.com",
	"yourdomains.com":                                   "https://yourdomains.com",
	`"acme.okta.com"`:                                   "https://acme.okta.com",
	"'acme'":                                            "https://acme.okta.com",
	"<https://acme.okta.com>":                           "https://acme.okta.com",
	"\u200bacme.okta.com\ufeff":                         "https://acme.okta.com",
	"\u00a0acme.okta.com\u00a0":                         "https://acme.okta.com",
	"login.bücher.example":                              "https://login.xn--bcher-kva.example",
	"LOGIN.BÜCHER.EXAMPLE":                              "https://login.xn--bcher-kva.example",
	"login.xn--bcher-kva.example":                       "https://login.xn--bcher-kva.example",
	"login。acme。io":                                     "https://login.acme.io",
	"ａｃｍｅ.okta.com":                                     "https://acme.okta.com",
}

var loopbackDomains = map[string]string{
	"http://127.0.0.1:8080":         "http://127.0.0.1:8080",
	"http://127.0.0.1:80/":          "http://127.0.0.1",
	"127.0.0.1:8443":                "https://127.0.0.1:8443",
	"http://127.8.9.1":              "http://127.8.9.1",
	"http://localhost:1234/api/v1":  "http://localhost:1234",
	"localhost":                     "https://localhost",
	"http://１２７.0.0.1:80":           "http://127.0.0.1",
	"https://acme.localhost:8443":   "https://acme.localhost:8443",
	"http://[::1]:8080":             "http://[::1]:8080",
	"http://[::1]":                  "http://[::1]",
	"::1":                           "https://[::1]",
	"http://[::ffff:127.0.0.1]:99/": "http://127.0.0.1:99",
}

var badDomains = map[string]string{
	"":         "the domain is empty",
	" \t\n":    "the domain is empty",
	`""`:       "the domain is empty",
	"https://": "no host name",
	"/":        "no host name",
	".":        "no host name",

	"{yourOktaDomain}":                  "placeholder",
	"https://{yourOktaDomain}/":         "placeholder",
	"${yourOktaDomain}":                 "placeholder",
	"https://${yourSubdomain}.okta.com": "placeholder",
	"<your-domain>.okta.com":            "placeholder",
	"yourdomain.okta.com":               "placeholder",
	"yourOktaDomain":                    "placeholder",
	"your-org":                          "placeholder",
	"https://your-org.okta.com/":        "placeholder",
	"your_company.okta.com":             "placeholder",
	"https://MY_DOMAIN.okta.com/":       "placeholder",
	"https://{{ config.domain }}":       "placeholder",

	"acme okta.com":           "space or a line break inside",
	"acme.okta.com\nevil.com": "space or a line break inside",
	"acme.okta\u200b.com":     "space or a line break inside",
	"acme\x00.okta.com":       "space or a line break inside",

	"https://https://acme.okta.com":               "two addresses",
	"https://acme.okta.com/https://acme.okta.com": "two addresses",

	"https://evil.com\\@acme.okta.com": "backslash",

	"http://acme.okta.com":       "starts with http://",
	"HTTP://acme":                "starts with http://",
	"ftp://acme.okta.com":        "starts with ftp://",
	"javascript://acme.okta.com": "starts with javascript://",

	"https://me:secret@acme.okta.com": "user name or password",
	"me@acme.okta.com":                "user name or password",
	"https://acme.okta.com@evil.com":  "user name or password",

	"acme.okta.com:8443":   "has the port 8443",
	"https://acme:80":      "has the port 80",
	"acme.okta.com:https":  "port is not a number",
	"acme.okta.com:-1":     "port is not a number",
	"acme.okta.com:999999": "port is not a number",

	"10.0.0.1":                  "is an IP address",
	"https://192.168.1.1/":      "is an IP address",
	"169.254.169.254":           "is an IP address",
	"0.0.0.0":                   "is an IP address",
	"8.8.8.8:443":               "is an IP address",
	"https://[fd00::1]":         "is an IP address",
	"fe80::1%eth0":              "is an IP address",
	"https://[::]/":             "is an IP address",
	"https://[::ffff:10.0.0.1]": "is an IP address",
	"127.1":                     "is an IP address",
	"0x7f.0x1":                  "is an IP address",
	"0177.0.0.01":               "is an IP address",
	"１０.0.0.1":                  "is an IP address",

	"okta":                  "cannot be an org's sub-domain",
	"bücher":                "cannot be an org's sub-domain",
	"xn--bcher-kva":         "cannot be an org's sub-domain",
	"acme_prod":             "not a valid host name",
	"-acme":                 "not a valid host name",
	"acme!":                 "not a valid host name",
	"acme..okta.com":        "not a valid host name",
	"ac%6de.okta.com":       "not a valid host name",
	strings.Repeat("a", 64): "not a valid host name",

	"okta.com":                      "okta.com itself",
	"https://oktapreview.com/":      "oktapreview.com itself",
	"www.okta.com":                  "page of Okta's own",
	"https://login.okta.com/signin": "page of Okta's own",
	"developer.okta.com":            "page of Okta's own",
	"acme.pam.okta.com":             "Okta Privileged Access",
	"acme.kerberos.okta.com":        "a host for signing in",
	"аcme.okta.com":                 "cannot be the name of an org", // a Cyrillic а
	"-admin.okta.com":               "not a valid host name",

	"acme.okta.com.com":             "ends with .com twice",
	"acme.okta.com.evil.com":        "has okta.com inside but ends differently",
	"acme.okta.com-evil.com":        "has okta.com inside but ends differently",
	"okta.com.evil.com":             "has okta.com inside but ends differently",
	"acme.oktapreview.com.evil.io":  "has oktapreview.com inside but ends differently",
	"https://acme.okta.mil.evil.io": "has okta.mil inside but ends differently",
}

func TestADomainInAnyFormAPersonPastesBecomesItsOrigin(t *testing.T) {
	for in, want := range goodDomains {
		for _, cloud := range []bool{false, true} {
			got, err := okta.ParseDomain(in, cloud)
			if assert.NoError(t, err, "%q", in) {
				assert.Equal(t, want, got.String(), "%q", in)
			}
		}
	}
}

func TestALoopbackDomainIsForTestsAndNeverInTheCloud(t *testing.T) {
	for in, want := range loopbackDomains {
		got, err := okta.ParseDomain(in, false)
		if assert.NoError(t, err, "%q", in) {
			assert.Equal(t, want, got.String(), "%q", in)
		}
		_, err = okta.ParseDomain(in, true)
		assert.ErrorContains(t, err, "cloud deployment does not allow", "%q", in)
	}
}

func TestADomainThatCannotBeUsedIsRefusedWithItsOwnSentence(t *testing.T) {
	for in, says := range badDomains {
		_, err := okta.ParseDomain(in, false)
		var refused *okta.DomainError
		if assert.ErrorAs(t, err, &refused, "%q", in) {
			assert.Contains(t, err.Error(), says, "%q", in)
			assert.True(t, strings.HasPrefix(err.Error(), "the domain"), "%q: %v", in, err)
			assert.NotContains(t, err.Error(), "secret", "%q", in)
		}
	}
}

func FuzzParseDomain(f *testing.F) {
	for in := range goodDomains {
		f.Add(in)
	}
	for in := range loopbackDomains {
		f.Add(in)
	}
	for in := range badDomains {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		u, err := okta.ParseDomain(in, false)
		_, cloudErr := okta.ParseDomain(in, true)
		if err != nil {
			assert.Error(t, cloudErr, "the cloud allows what is refused elsewhere")
			assert.NotContains(t, err.Error(), "\n")
			return
		}
		require.Equal(t, url.URL{Scheme: u.Scheme, Host: u.Host}, *u, "more than scheme and host")
		again, err := okta.ParseDomain(u.String(), false)
		require.NoError(t, err, u)
		require.Equal(t, u, again, "not settled")
		parsed, err := url.Parse(u.String())
		require.NoError(t, err)
		require.Equal(t, u.Host, parsed.Host)
		host := u.Hostname()
		ip, ipErr := netip.ParseAddr(host)
		loopback := ipErr == nil && ip.IsLoopback() || host == "localhost" || strings.HasSuffix(host, ".localhost")
		if !loopback {
			require.NoError(t, cloudErr)
			require.Equal(t, "https", u.Scheme)
			require.Empty(t, u.Port())
			require.Error(t, ipErr, "an address instead of a name")
			require.Nil(t, net.ParseIP(host))
			require.Contains(t, host, ".")
		} else {
			require.Error(t, cloudErr)
		}
		require.Equal(t, -1, strings.IndexFunc(host, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == ':')
		}), "%q", host)
	})
}

func TestTheGuardRefusesAddressesThatAreNotOnTheInternet(t *testing.T) {
	dial := okta.GuardDialer(true)
	for _, addr := range []string{
		"10.1.2.3:443", "172.16.0.1:443", "192.168.0.1:443", "169.254.169.254:80", "100.64.0.1:443", "0.0.0.0:443", "255.255.255.255:443",
		"127.0.0.1:443", "localhost:443", "[::1]:443", "[::]:443", "[fd00::1]:443", "[fe80::1]:443", "[::ffff:10.0.0.1]:443", "[64:ff9b::a00:1]:443",
		"[2002:a00:1::]:443", "224.0.0.1:443", "[ff02::1]:443", "198.18.0.1:443",
	} {
		_, err := dial(t.Context(), "tcp", addr)
		var refused *okta.DomainError
		if assert.ErrorAs(t, err, &refused, addr) {
			assert.Contains(t, refused.Error(), "not an address on the internet")
		}
	}
}

func TestTheGuardLetsAProxyAndOtherDeploymentsBe(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	connect := func(t *testing.T, cloud bool) {
		conn, err := okta.GuardDialer(cloud)(t.Context(), "tcp", l.Addr().String())
		require.NoError(t, err)
		conn.Close()
	}
	t.Run("no cloud", func(t *testing.T) { connect(t, false) })
	t.Run("the operator's proxy", func(t *testing.T) {
		t.Setenv("HTTPS_PROXY", "http://"+l.Addr().String())
		connect(t, true)
	})
}
