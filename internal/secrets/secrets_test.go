package secrets_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"source-okta/internal/secrets"
)

func TestARedactorWithoutSecretsChangesNothing(t *testing.T) {
	var r secrets.Redactor
	assert.Equal(t, "SSWS 00abc", r.Redact("SSWS 00abc"))
	r.Add("")
	r.Add("abc")
	r.Add(" abc\n")
	assert.Equal(t, "abc", r.Redact("abc"))
}

func TestASecretIsMaskedWhereverItStands(t *testing.T) {
	var r secrets.Redactor
	r.Add("00aB-cd_EF")
	for text, want := range map[string]string{
		"":                                "",
		"00aB-cd_EF":                      "****",
		"Authorization: SSWS 00aB-cd_EF!": "Authorization: SSWS ****!",
		"00aB-cd_EF00aB-cd_EF":            "********",
		"00aB-cd_E":                       "00aB-cd_E",
		"00ab-cd_ef":                      "00ab-cd_ef",
	} {
		assert.Equal(t, want, r.Redact(text))
	}
}

func TestTheEdgesOfAPastedSecretDoNotCount(t *testing.T) {
	var r secrets.Redactor
	r.Add("  token-1234\r\n")
	assert.Equal(t, "bad token ****", r.Redact("bad token token-1234"))
}

func TestEscapedFormsOfASecretAreMasked(t *testing.T) {
	const secret = "p&ss<\"w\\rd\"> +/ü=\u2028\tend"
	var r secrets.Redactor
	r.Add(secret)
	quoted, err := json.Marshal(secret)
	require.NoError(t, err)
	var unescaped strings.Builder
	enc := json.NewEncoder(&unescaped)
	enc.SetEscapeHTML(false)
	require.NoError(t, enc.Encode(secret))
	for _, text := range []string{
		secret, string(quoted), unescaped.String(), fmt.Sprintf("%q", secret), url.QueryEscape(secret), url.PathEscape(secret),
		(&url.URL{Scheme: "https", Host: "a.okta.com", Path: "/x", RawQuery: url.Values{"token": {secret}}.Encode()}).String(),
	} {
		got := r.Redact(text)
		assert.Contains(t, got, "****")
		assert.NotContains(t, got, "p&ss")
		assert.NotContains(t, got, "end", text)
	}
}

func TestOfOverlappingSecretsNothingIsLeft(t *testing.T) {
	for _, order := range [][]string{{"abcdef", "abcd", "cdefghij"}, {"cdefghij", "abcd", "abcdef"}} {
		var r secrets.Redactor
		for _, s := range order {
			r.Add(s)
		}
		assert.Equal(t, "<****>", r.Redact("<abcdef>"), "the longest, not the first")
		assert.Equal(t, "<****>", r.Redact("<abcdefghij>"), "one that starts in another")
		assert.Equal(t, "<********>", r.Redact("<abcdabcd>"))
	}
	var r secrets.Redactor
	r.Add("abab")
	assert.Equal(t, "<****>", r.Redact("<ababab>"), "one that overlaps itself")
}

func TestAKeyIsMaskedWholeAndLineByLine(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	pasted := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	lines := strings.Split(strings.TrimSpace(pasted), "\n")
	lines = lines[1 : len(lines)-1]
	require.Greater(t, len(lines), 3)

	spellings := map[string]string{
		"real line breaks":    pasted,
		"Windows line breaks": strings.ReplaceAll(pasted, "\n", "\r\n"),
		"written line breaks": strings.ReplaceAll(pasted, "\n", `\n`),
		"written twice":       strings.ReplaceAll(pasted, "\n", `\\n`),
		"spaces":              strings.ReplaceAll(pasted, "\n", " "),
		"one line of base64":  "-----BEGIN PRIVATE KEY----- " + strings.Join(lines, "") + " -----END PRIVATE KEY-----",
	}
	for as, secret := range spellings {
		t.Run(as, func(t *testing.T) {
			var r secrets.Redactor
			r.Add(secret)
			for in, text := range spellings {
				if (as == "one line of base64") != (in == "one line of base64") && as == "one line of base64" {
					continue // its lines are nobody's
				}
				quoted, err := json.Marshal(text)
				require.NoError(t, err)
				for _, text := range []string{text, string(quoted), fmt.Sprintf("%q", text), url.QueryEscape(text), url.PathEscape(text)} {
					got := r.Redact("key " + text)
					for _, line := range lines {
						if len(line) < 16 {
							continue
						}
						assert.NotContains(t, got, line, in)
						assert.NotContains(t, got, url.QueryEscape(line), in)
					}
				}
			}
		})
	}

	var r secrets.Redactor
	r.Add(pasted)
	assert.Equal(t, "line ****, again ****", r.Redact("line "+lines[1]+", again "+lines[2]))
	assert.Equal(t, "it must start with -----BEGIN PRIVATE KEY-----", r.Redact("it must start with -----BEGIN PRIVATE KEY-----"))
}

func TestASecretOfSeveralLinesThatIsNoKeyIsMaskedToo(t *testing.T) {
	var r secrets.Redactor
	r.Add("first line of it\nsecond line of it\nshort")
	assert.Equal(t, "****", r.Redact("first line of it\nsecond line of it\nshort"))
	assert.Equal(t, "a **** b short", r.Redact("a second line of it b short"))
}

func TestSecretsMayBeAddedWhileTextsAreRedacted(t *testing.T) {
	var r secrets.Redactor
	r.Add("token-first")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 20 {
				r.Add(fmt.Sprintf("token-%d-%d.", i, j))
				assert.Equal(t, "****", r.Redact("token-first"))
				assert.Equal(t, "****", r.Redact(fmt.Sprintf("token-%d-%d.", i, j)))
			}
		})
	}
	wg.Wait()
	assert.Equal(t, "**** ****", r.Redact("token-0-0. token-7-19."))
}

func BenchmarkRedact(b *testing.B) {
	text := strings.Repeat("GET https://acme.okta.com/api/v1/users?limit=200 answered 200 in 120 ms. ", 3)
	key := make([]byte, 1700)
	_, _ = rand.Read(key)
	lines := base64.StdEncoding.EncodeToString(key)
	pemKey := "-----BEGIN PRIVATE KEY-----\n"
	for len(lines) > 64 {
		pemKey, lines = pemKey+lines[:64]+"\n", lines[64:]
	}
	for name, secret := range map[string]string{"nothing": "", "token": "00aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789abcd", "key": pemKey} {
		b.Run(name, func(b *testing.B) {
			var r secrets.Redactor
			r.Add(secret)
			b.ReportAllocs()
			for b.Loop() {
				r.Redact(text)
			}
		})
	}
}
