package oktasim

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Nonces of the token endpoint and of the API are not interchangeable.
const (
	nonceOfTokens = "token"
	nonceOfAPI    = "api"
)

// nonceDays is how long one of Okta's nonces is good: https://developer.okta.com/docs/guides/dpop/.
const nonceDays = 3

// wrongNonce is what checkProof says of a proof that would be right with another nonce.
const wrongNonce = "nonce"

// nonce is what proofs must hold now.
func (a *authServer) nonce(now time.Time, kind string) string {
	every := a.config.NonceLife
	if every == 0 {
		every = 24 * time.Hour
	}
	return a.nonceOf(int(floorDiv(now.UnixNano(), int64(every))), kind)
}

func (a *authServer) nonceOf(period int, kind string) string {
	return kind + "." + string(appendBase62(nil, a.seed.pair(saltNonce, period, len(kind)), 20))
}

func (a *authServer) goodNonce(now time.Time, kind, nonce string) bool {
	if a.config.NonceLife > 0 {
		return nonce == a.nonce(now, kind)
	}
	for age := range nonceDays {
		if nonce == a.nonce(now.AddDate(0, 0, -age), kind) {
			return true
		}
	}
	return false
}

// A proof is good for as long as a request may take, by either clock.
const (
	proofAge    = 5 * time.Minute
	proofFuture = 30 * time.Second
)

// checkProof returns the thumbprint of the key of a request's DPoP proof, or what is wrong with the proof: RFC 9449 §4.3.
// The proof must hold the kind of nonce, unless that is "", and the hash of token, unless that is "".
func (a *authServer) checkProof(now time.Time, r *http.Request, kind, token string) (thumbprint, wrong string) {
	proofs := r.Header.Values("DPoP")
	if len(proofs) == 0 {
		return "", "The DPoP proof JWT header is missing."
	}
	signed, err := jose.ParseSignedCompact(proofs[0], signatures)
	if err != nil || len(proofs) > 1 || len(signed.Signatures) != 1 {
		return "", "The DPoP proof JWT is malformed."
	}
	header := signed.Signatures[0].Protected
	if header.ExtraHeaders["typ"] != "dpop+jwt" {
		return "", "The typ of the DPoP proof JWT must be dpop+jwt."
	}
	if header.JSONWebKey == nil || !header.JSONWebKey.IsPublic() {
		return "", "The jwk of the DPoP proof JWT must be a public key."
	}
	payload, err := signed.Verify(header.JSONWebKey)
	if err != nil {
		return "", "The DPoP proof JWT signature is invalid."
	}
	var claims struct {
		ID     string `json:"jti"`
		Method string `json:"htm"`
		URL    string `json:"htu"`
		Issued int64  `json:"iat"`
		Nonce  string `json:"nonce"`
		Token  string `json:"ath"`
	}
	if json.Unmarshal(payload, &claims) != nil || claims.ID == "" {
		return "", "The DPoP proof JWT must have a jti."
	}
	issued := time.Unix(claims.Issued, 0)
	sum := sha256.Sum256([]byte(token))
	switch {
	case claims.Method != r.Method:
		return "", "'htm' claim in the DPoP proof JWT is invalid."
	case claims.URL != originOf(r)+r.URL.EscapedPath():
		return "", "'htu' claim in the DPoP proof JWT is invalid."
	case now.Sub(issued) > proofAge || issued.Sub(now) > proofFuture:
		return "", "'iat' claim in the DPoP proof JWT is invalid."
	case token != "" && claims.Token != base64.RawURLEncoding.EncodeToString(sum[:]):
		return "", "'ath' claim in the DPoP proof JWT is invalid."
	case kind != "" && !a.goodNonce(now, kind, claims.Nonce):
		return "", wrongNonce
	}
	if !a.spend(now, "proof "+claims.ID, issued.Add(proofAge)) {
		return "", "The DPoP proof JWT has already been used."
	}
	key, err := header.JSONWebKey.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", "The jwk of the DPoP proof JWT is invalid."
	}
	return base64.RawURLEncoding.EncodeToString(key), ""
}
