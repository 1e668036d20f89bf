package okta_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"source-okta/internal/okta"
)

func pemBlock(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func sec1(t testing.TB, key *ecdsa.PrivateKey) string {
	der, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	return pemBlock("EC PRIVATE KEY", der)
}

func pkcs1(key *rsa.PrivateKey) string {
	return pemBlock("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
}

func jwk(t testing.TB, key any, change func(map[string]any)) string {
	b, err := json.Marshal(jose.JSONWebKey{Key: key})
	require.NoError(t, err)
	members := map[string]any{}
	require.NoError(t, json.Unmarshal(b, &members))
	if change != nil {
		change(members)
	}
	b, err = json.Marshal(members)
	require.NoError(t, err)
	return string(b)
}

func set(name string, value any) func(map[string]any) {
	return func(m map[string]any) { m[name] = value }
}

func TestEveryFormOfPrivateKeySignsAssertionsThatVerify(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	require.NoError(t, err)
	quoted := func(s string) string { b, _ := json.Marshal(s); return string(b) }
	joined := func(s, by string) string { return strings.ReplaceAll(strings.TrimSpace(s), "\n", by) }
	body := func(s string) string {
		block, _ := pem.Decode([]byte(s))
		return base64.StdEncoding.EncodeToString(block.Bytes)
	}
	rsaPEM := pkcs8(t, rsaKey())

	for name, c := range map[string]struct {
		text string
		key  crypto.Signer
		alg  jose.SignatureAlgorithm
	}{
		"PKCS 8, RSA":                     {rsaPEM, rsaKey(), jose.RS256},
		"PKCS 1":                          {pkcs1(rsaKey()), rsaKey(), jose.RS256},
		"PKCS 8, P-256":                   {pkcs8(t, ecKey()), ecKey(), jose.ES256},
		"PKCS 8, P-384":                   {pkcs8(t, p384), p384, jose.ES384},
		"SEC 1, P-256":                    {sec1(t, ecKey()), ecKey(), jose.ES256},
		"SEC 1, P-521":                    {sec1(t, p521), p521, jose.ES512},
		"SEC 1 behind its parameters":     {pemBlock("EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}) + sec1(t, ecKey()), ecKey(), jose.ES256},
		"behind its certificate":          {pemBlock("CERTIFICATE", []byte("x")) + rsaPEM, rsaKey(), jose.RS256},
		"behind bag attributes":           {"Bag Attributes\n    friendlyName: okta-1\nKey Attributes: <No Attributes>\n" + rsaPEM, rsaKey(), jose.RS256},
		"escaped line breaks":             {joined(rsaPEM, `\n`), rsaKey(), jose.RS256},
		"line breaks escaped twice":       {joined(rsaPEM, `\\n`), rsaKey(), jose.RS256},
		"escaped CR LF":                   {joined(rsaPEM, `\r\n`), rsaKey(), jose.RS256},
		"real CR LF":                      {joined(rsaPEM, "\r\n"), rsaKey(), jose.RS256},
		"line breaks lost":                {joined(rsaPEM, ""), rsaKey(), jose.RS256},
		"line breaks become spaces":       {joined(rsaPEM, " "), rsaKey(), jose.RS256},
		"blank lines between":             {joined(rsaPEM, "\n\n"), rsaKey(), jose.RS256},
		"indented":                        {joined("\n"+rsaPEM, "\n      "), rsaKey(), jose.RS256},
		"in quotes":                       {`"` + rsaPEM + `"`, rsaKey(), jose.RS256},
		"in single quotes and spaces":     {"  '" + joined(rsaPEM, `\n`) + "' \n", rsaKey(), jose.RS256},
		"as a JSON string":                {quoted(rsaPEM), rsaKey(), jose.RS256},
		"after a byte order mark":         {"\ufeff" + rsaPEM, rsaKey(), jose.RS256},
		"a label that is wrong":           {strings.ReplaceAll(pkcs1(rsaKey()), "RSA PRIVATE", "PRIVATE"), rsaKey(), jose.RS256},
		"the block's body alone":          {body(rsaPEM), rsaKey(), jose.RS256},
		"the file once more in base64":    {base64.StdEncoding.EncodeToString([]byte(rsaPEM)), rsaKey(), jose.RS256},
		"JWK, RSA":                        {jwk(t, rsaKey(), nil), rsaKey(), jose.RS256},
		"JWK, RS384":                      {jwk(t, rsaKey(), set("alg", "RS384")), rsaKey(), jose.RS384},
		"JWK, RS512":                      {jwk(t, rsaKey(), set("alg", "RS512")), rsaKey(), jose.RS512},
		"JWK without CRT members":         {jwk(t, rsaKey(), func(m map[string]any) { delete(m, "dp"); delete(m, "dq"); delete(m, "qi") }), rsaKey(), jose.RS256},
		"JWK, P-256":                      {jwk(t, ecKey(), nil), ecKey(), jose.ES256},
		"JWK, P-384":                      {jwk(t, p384, set("alg", "ES384")), p384, jose.ES384},
		"JWK, P-521":                      {jwk(t, p521, nil), p521, jose.ES512},
		"JWK as a JSON string":            {quoted(jwk(t, ecKey(), nil)), ecKey(), jose.ES256},
		"JWK with escaped quotes":         {strings.ReplaceAll(jwk(t, ecKey(), nil), `"`, `\"`), ecKey(), jose.ES256},
		"JWK set of one":                  {`{"keys":[` + jwk(t, ecKey(), set("kid", "another")) + `]}`, ecKey(), jose.ES256},
		"JWK set in which key_id has one": {`{"keys":[` + jwk(t, rsaKey(), set("kid", "other")) + "," + jwk(t, ecKey(), set("kid", "kid1")) + `]}`, ecKey(), jose.ES256},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, n := newFakeOrg(), &notes{}
				o.keys["kid1"] = c.key.Public()
				auth, err := okta.NewPrivateKey(okta.PrivateKeyOptions{
					OAuthOptions: n.options(o), ClientID: "0oaclient", KeyID: "kid1", PrivateKey: c.text, Scopes: []string{"okta.users.read"},
				})
				require.NoError(t, err)
				require.NoError(t, auth.Login(t.Context()))
				signed, err := jose.ParseSignedCompact(o.posts[0].Get("client_assertion"), sigAlgs)
				require.NoError(t, err)
				assert.Equal(t, string(c.alg), signed.Signatures[0].Header.Algorithm)
				if strings.HasPrefix(name, "JWK") {
					members := map[string]any{}
					require.NoError(t, json.Unmarshal([]byte(jwk(t, c.key, nil)), &members))
					assert.True(t, n.knows(members["d"].(string)))
				}
			})
		})
	}
}

func TestTheKeyIDOfAJWKServesWhenNoneIsConfigured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, n := newFakeOrg(), &notes{}
		auth, err := okta.NewPrivateKey(okta.PrivateKeyOptions{
			OAuthOptions: n.options(o), ClientID: "0oaclient", PrivateKey: jwk(t, ecKey(), set("kid", "kid1")), Scopes: []string{"okta.users.read"},
		})
		require.NoError(t, err)
		require.NoError(t, auth.Login(t.Context()))
	})
}

func badKeys(t testing.TB) map[string]struct{ text, says string } {
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	require.NoError(t, err)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	public, err := x509.MarshalPKIXPublicKey(rsaKey().Public())
	require.NoError(t, err)
	good := pkcs8(t, rsaKey())
	foreign := func(m map[string]any) {
		theirs := map[string]any{}
		_ = json.Unmarshal([]byte(jwk(t, other, nil)), &theirs)
		m["d"] = theirs["d"]
	}
	return map[string]struct{ text, says string }{
		"nothing":                  {"  \n", "private_key is empty"},
		"a path":                   {"/home/me/key.pem", "neither a PEM block"},
		"a word":                   {"changeme", "cannot be read"},
		"far too much":             {strings.Repeat("A", 20<<10), "far longer"},
		"a public key":             {pemBlock("PUBLIC KEY", public), "public key or a certificate"},
		"a public key's body":      {base64.StdEncoding.EncodeToString(public), "public key or a certificate"},
		"a certificate":            {pemBlock("CERTIFICATE", public), "public key or a certificate"},
		"an encrypted key":         {pemBlock("ENCRYPTED PRIVATE KEY", []byte("xxxx")), "pass phrase"},
		"an old encrypted key":     {"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----", "pass phrase"},
		"an OpenSSH key":           {pemBlock("OPENSSH PRIVATE KEY", []byte("openssh-key-v1")), "ssh-keygen"},
		"a key cut off":            {good[:len(good)/2], "no -----END line"},
		"a key cut in the middle":  {good[:200] + good[300:], "changed or cut off"},
		"a key with other letters": {strings.Replace(good, "M", "ü", 1), "changed or cut off"},
		"a short RSA key":          {pkcs1(short), "less than 2048 bits"},
		"a P-224 key":              {sec1(t, p224), "of a kind that Okta does not accept"},
		"an Ed25519 key":           {pkcs8(t, ed), "of a kind that Okta does not accept"},
		"JSON cut off":             {jwk(t, ecKey(), nil)[:50], "changed or cut off"},
		"JSON of something else":   {`{"client_id":"x"}`, "without a key in it"},
		"an empty set":             {`{"keys":[]}`, "without a key in it"},
		"a set of a null":          {`{"keys":[null]}`, "without a key in it"},
		"a set without our key":    {`{"keys":[` + jwk(t, rsaKey(), nil) + "," + jwk(t, ecKey(), nil) + `]}`, "key_id does not name exactly one"},
		"a set with our key twice": {`{"keys":[` + jwk(t, rsaKey(), set("kid", "kid1")) + "," + jwk(t, ecKey(), set("kid", "kid1")) + `]}`, "key_id does not name exactly one"},
		"a public JWK":             {jwk(t, ecKey().Public(), nil), "public key"},
		"a symmetric JWK":          {`{"kty":"oct","k":"AAAA"}`, "of a kind that Okta does not accept"},
		"an Ed25519 JWK":           {jwk(t, ed, nil), "of a kind that Okta does not accept"},
		"a JWK for encryption":     {jwk(t, ecKey(), set("use", "enc")), "marked for encryption"},
		"a JWK of another alg":     {jwk(t, ecKey(), set("alg", "RS256")), "alg does not fit"},
		"a JWK of an alg too good": {jwk(t, rsaKey(), set("alg", "PS256")), "alg does not fit"},
		"a JWK without primes":     {jwk(t, rsaKey(), func(m map[string]any) { delete(m, "p") }), "changed or cut off"},
		"a JWK of two keys":        {jwk(t, ecKey(), foreign), "do not belong together"},
	}
}

func TestAPrivateKeyThatCannotBeUsedIsRefusedWithItsOwnSentence(t *testing.T) {
	for name, c := range badKeys(t) {
		t.Run(name, func(t *testing.T) {
			o, n := newFakeOrg(), &notes{}
			_, err := okta.NewPrivateKey(okta.PrivateKeyOptions{
				OAuthOptions: n.options(o), ClientID: "0oaclient", KeyID: "kid1", PrivateKey: c.text, Scopes: []string{"okta.users.read"},
			})
			refused := requireAuthError(t, err)
			assert.Equal(t, []string{"private_key"}, refused.Fields)
			assert.Contains(t, refused.Error(), c.says)
			assert.NotEmpty(t, refused.Remedy)
			assert.NotContains(t, refused.Error(), "\n")
			for _, line := range strings.Fields(c.text) {
				if len(line) > 20 && !strings.Contains(line, ".pem") {
					assert.NotContains(t, refused.Error(), line)
				}
			}
			assert.Empty(t, o.posts)
		})
	}
}

func TestAServiceAppWithoutClientOrScopeIsRefusedBeforeAnythingIsSent(t *testing.T) {
	for field, o := range map[string]okta.PrivateKeyOptions{
		"client_id": {ClientID: " ", Scopes: []string{"okta.users.read"}},
		"scope":     {ClientID: "0oaclient", Scopes: []string{" "}},
	} {
		o.PrivateKey, o.Origin = pkcs8(t, ecKey()), origin
		_, err := okta.NewPrivateKey(o)
		assert.Equal(t, []string{field}, requireAuthError(t, err).Fields)
	}
}

func FuzzPrivateKey(f *testing.F) {
	for _, text := range []string{pkcs8(f, ecKey()), sec1(f, ecKey()), pkcs1(rsaKey()), jwk(f, ecKey(), nil), jwk(f, rsaKey(), nil), `{"keys":[` + jwk(f, ecKey(), nil) + `]}`} {
		f.Add(text)
		f.Add(strings.ReplaceAll(text, "\n", `\n`))
	}
	for bad := range maps.Values(badKeys(f)) {
		f.Add(bad.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, err := okta.NewPrivateKey(okta.PrivateKeyOptions{
			OAuthOptions: okta.OAuthOptions{Origin: origin}, ClientID: "0oaclient", KeyID: "kid1", PrivateKey: text, Scopes: []string{"okta.users.read"},
		})
		if err != nil && (len(requireAuthError(t, err).Fields) != 1 || !strings.HasPrefix(err.Error(), "private_key ")) {
			t.Errorf("not a sentence about private_key: %v", err)
		}
	})
}
