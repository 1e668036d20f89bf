package okta

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAddressesOnTheInternetAreLetThrough(t *testing.T) {
	for _, ip := range []string{"8.8.8.8", "52.14.3.9", "172.32.0.1", "100.128.0.1", "::ffff:8.8.8.8", "2600:9000::1", "2a00:1450:4001::200e"} {
		assert.True(t, public(netip.MustParseAddr(ip)), ip)
	}
}

func TestAProxysAddressIsTheOneThatATransportDials(t *testing.T) {
	for in, want := range map[string]string{
		"http://proxy.corp": "proxy.corp:80", "https://proxy.corp": "proxy.corp:443", "socks5://proxy.corp": "proxy.corp:1080",
		"http://proxy.corp:3128": "proxy.corp:3128", "http://[fd00::1]:3128": "[fd00::1]:3128",
		"proxy.corp:3128": "proxy.corp:3128", "http://me:secret@proxy.corp:3128/": "proxy.corp:3128", "": "", "::": "",
	} {
		assert.Equal(t, want, proxyAddr(in))
	}
}
