package okta

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// maxKeyText is more than the longest key that Okta takes; checking a key's numbers costs more than their length.
const maxKeyText = 16 << 10

// signingKey is a private key as an assertion needs it.
type signingKey struct {
	key crypto.Signer
	alg jose.SignatureAlgorithm
	id  string // kid, where the key's own form names one
}

// keyError is what is wrong with a private key, and what to do. It never shows any of the key.
type keyError struct{ what, remedy string }

func (e *keyError) Error() string { return "private_key " + e.what }

const (
	copyAgain = "copy the whole private key of the API Services app again"
	newKey    = "add another public key to the API Services app (General → Client Credentials) and use its private key"
)

var (
	errKeyEmpty     = &keyError{"is empty", copyAgain}
	errKeyLong      = &keyError{"is far longer than any private key", copyAgain}
	errKeyUnknown   = &keyError{"is neither a PEM block (-----BEGIN PRIVATE KEY-----) nor a JWK", copyAgain}
	errKeyCutOff    = &keyError{"starts like a PEM block but has no -----END line, so part of it was lost in copying", copyAgain}
	errKeyBroken    = &keyError{"cannot be read as the key it says it is, so it was changed or cut off in copying", copyAgain}
	errKeyPublic    = &keyError{"holds a public key or a certificate, not the private key", "copy the private key that was shown when the key pair was made"}
	errKeyEncrypted = &keyError{"is encrypted with a pass phrase, which cannot be entered here", "decrypt it first, for example with openssl pkey"}
	errKeyOpenSSH   = &keyError{"is in OpenSSH's own form", "convert it first, for example with ssh-keygen -p -m PKCS8"}
	errKeyMismatch  = &keyError{"is a JWK whose private and public half do not belong together", copyAgain}
	errKeyShort     = &keyError{"is an RSA key of less than 2048 bits, which Okta does not accept", newKey}
	errKeyKind      = &keyError{"is of a kind that Okta does not accept (it takes RSA keys, and EC keys on P-256, P-384 or P-521)", newKey}
	errKeyAlgorithm = &keyError{"is a JWK whose alg does not fit the key, or is not among RS256, RS384, RS512, ES256, ES384 and ES512", newKey}
	errKeyNone      = &keyError{"is JSON without a key in it (kty and the key's members, or keys with one such object)", copyAgain}
	errKeySeveral   = &keyError{"is a JWK set in which key_id does not name exactly one key", "set key_id to the kid of one of them, or enter that key alone"}
	errKeyForCrypto = &keyError{"is a JWK that is marked for encryption (use: enc), not for signing", newKey}
)

var (
	escapedBreak = regexp.MustCompile(`\\+[rn]`)
	pemBegin     = regexp.MustCompile(`-+ ?BEGIN ([A-Z0-9 ]+?) ?-+`)
)

// parsePrivateKey reads a private key in any form that survives a form field: PEM (PKCS #1, PKCS #8, SEC 1) with real,
// escaped or lost line breaks, or a JWK, alone or in a set, of which keyID picks one. The error is a *keyError.
func parsePrivateKey(text, keyID string) (*signingKey, error) {
	if len(text) > maxKeyText {
		return nil, errKeyLong
	}
	text = unquote(text)
	var (
		k   *signingKey
		err error
	)
	switch {
	case text == "":
		return nil, errKeyEmpty
	case text[0] == '{':
		k, err = parseJWK(text, keyID)
	default:
		k, err = parsePEM(text)
	}
	if err != nil {
		return nil, err
	}
	if err := k.check(); err != nil {
		return nil, err
	}
	return k, nil
}

// unquote undoes what happens to a key on its way through JSON, YAML, shells and environment files.
func unquote(text string) string {
	text = strings.TrimFunc(text, blank)
	var inner string
	if strings.HasPrefix(text, `"`) && json.Unmarshal([]byte(text), &inner) == nil {
		text = strings.TrimFunc(inner, blank)
	}
	for _, q := range []string{`"`, `'`, "`"} {
		if len(text) > 1 && strings.HasPrefix(text, q) && strings.HasSuffix(text, q) {
			text = strings.TrimFunc(text[1:len(text)-1], blank)
		}
	}
	if strings.HasPrefix(text, `{\`) {
		text = strings.ReplaceAll(escapedBreak.ReplaceAllString(text, "\n"), `\"`, `"`)
	}
	return text
}

// parsePEM finds the first private key among the blocks of text. It does not need encoding/pem's line structure.
func parsePEM(text string) (*signingKey, error) {
	text = escapedBreak.ReplaceAllString(text, "\n")
	rest, found := text, errKeyUnknown
	for {
		at := pemBegin.FindStringSubmatchIndex(rest)
		if at == nil {
			break
		}
		kind, body := rest[at[2]:at[3]], rest[at[1]:]
		end := strings.Index(body, "-")
		for end >= 0 && !strings.HasPrefix(strings.TrimLeft(body[end:], "- "), "END") {
			// A header line such as DEK-Info has a hyphen too.
			next := strings.Index(body[end+1:], "-")
			if next < 0 {
				end = -1
				break
			}
			end += 1 + next
		}
		if end < 0 {
			return nil, errKeyCutOff
		}
		rest = strings.TrimLeft(body[end:], "- ")
		body = body[:end]
		switch {
		case kind == "ENCRYPTED PRIVATE KEY" || strings.Contains(body, "ENCRYPTED"):
			return nil, errKeyEncrypted
		case kind == "OPENSSH PRIVATE KEY":
			return nil, errKeyOpenSSH
		case strings.HasSuffix(kind, "PRIVATE KEY"):
			return parseDER(body)
		case kind == "PUBLIC KEY" || kind == "RSA PUBLIC KEY" || kind == "CERTIFICATE":
			found = errKeyPublic
		}
	}
	if found == errKeyUnknown && !strings.Contains(text, "-") {
		// The block's body alone, or the whole file once more in base64, as some secret stores keep it.
		if der, err := decodeBase64(text); err == nil && len(der) > 0 {
			if strings.Contains(string(der), "-----BEGIN ") {
				return parsePEM(string(der))
			}
			return parseDER(text)
		}
	}
	return nil, found
}

func decodeBase64(text string) ([]byte, error) {
	text = strings.Map(func(r rune) rune {
		if blank(r) {
			return -1
		}
		return r
	}, text)
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
}

// parseDER tries each structure, since the label of a block is as easily wrong as it is right.
func parseDER(body string) (*signingKey, error) {
	der, err := decodeBase64(body)
	if err != nil {
		return nil, errKeyBroken
	}
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return newSigningKey(key, "", "")
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return newSigningKey(key, "", "")
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return newSigningKey(key, "", "")
	}
	if _, err := x509.ParsePKIXPublicKey(der); err == nil {
		return nil, errKeyPublic
	}
	return nil, errKeyBroken
}

func parseJWK(text, keyID string) (*signingKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
		Kty  string            `json:"kty"`
	}
	if err := json.Unmarshal([]byte(text), &set); err != nil {
		return nil, errKeyBroken
	}
	one := json.RawMessage(text)
	if set.Kty == "" {
		switch len(set.Keys) {
		case 0:
			return nil, errKeyNone
		case 1:
			one = set.Keys[0]
		default:
			var err error
			if one, err = keyOf(set.Keys, keyID); err != nil {
				return nil, err
			}
		}
	}
	var kind struct {
		Kty string `json:"kty"`
		D   string `json:"d"`
		Use string `json:"use"`
	}
	if err := json.Unmarshal(one, &kind); err != nil {
		return nil, errKeyBroken
	}
	switch {
	case kind.Kty == "":
		return nil, errKeyNone
	case kind.Kty != "RSA" && kind.Kty != "EC":
		return nil, errKeyKind
	case kind.D == "":
		return nil, errKeyPublic
	case kind.Use == "enc":
		return nil, errKeyForCrypto
	}
	var jwk jose.JSONWebKey
	if err := json.Unmarshal(one, &jwk); err != nil {
		return nil, errKeyBroken
	}
	return newSigningKey(jwk.Key, jwk.Algorithm, jwk.KeyID)
}

func keyOf(keys []json.RawMessage, id string) (json.RawMessage, error) {
	var found json.RawMessage
	for _, k := range keys {
		var named struct {
			ID string `json:"kid"`
		}
		if json.Unmarshal(k, &named) == nil && named.ID == id && id != "" {
			if found != nil {
				return nil, errKeySeveral
			}
			found = k
		}
	}
	if found == nil {
		return nil, errKeySeveral
	}
	return found, nil
}

// newSigningKey picks the algorithm: the JWK's own, or the usual one for the key.
func newSigningKey(key any, alg, id string) (*signingKey, error) {
	var fits []jose.SignatureAlgorithm
	switch k := key.(type) {
	case *rsa.PrivateKey:
		if k.N.BitLen() < 2048 {
			return nil, errKeyShort
		}
		fits = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512}
	case *ecdsa.PrivateKey:
		switch k.Curve {
		case elliptic.P256():
			fits = []jose.SignatureAlgorithm{jose.ES256}
		case elliptic.P384():
			fits = []jose.SignatureAlgorithm{jose.ES384}
		case elliptic.P521():
			fits = []jose.SignatureAlgorithm{jose.ES512}
		default:
			return nil, errKeyKind
		}
	default:
		return nil, errKeyKind
	}
	signer := key.(crypto.Signer)
	if alg == "" {
		return &signingKey{key: signer, alg: fits[0], id: id}, nil
	}
	for _, f := range fits {
		if alg == string(f) {
			return &signingKey{key: signer, alg: f, id: id}, nil
		}
	}
	return nil, errKeyAlgorithm
}

// check signs once: a JWK's halves are separate members, and Okta's answer to a mismatch is a mere invalid_client.
func (k *signingKey) check() error {
	signer, err := k.signer("")
	if err != nil {
		return errKeyBroken
	}
	signed, err := signer.Sign([]byte("{}"))
	if err != nil {
		return errKeyBroken
	}
	if _, err := signed.Verify(k.key.Public()); err != nil {
		return errKeyMismatch
	}
	return nil
}

func (k *signingKey) signer(keyID string) (jose.Signer, error) {
	if keyID == "" {
		keyID = k.id
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: k.alg, Key: jose.JSONWebKey{Key: k.key, KeyID: keyID}}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, fmt.Errorf("making a signer for %s: %w", k.alg, err)
	}
	return signer, nil
}

// privateParts are the members of a JWK that give the key away, each on its own.
func privateParts(text string) []string {
	var parts []string
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			for name, e := range v {
				if s, ok := e.(string); ok {
					switch name {
					case "d", "p", "q", "dp", "dq", "qi", "k":
						parts = append(parts, s)
					}
					continue
				}
				walk(e)
			}
		}
	}
	var doc any
	if json.Unmarshal([]byte(unquote(text)), &doc) == nil {
		walk(doc)
	}
	return parts
}
