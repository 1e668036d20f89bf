package okta

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/go-jose/go-jose/v4"
)

// serverKind tells whose nonce a nonce is: RFC 9449 §8 and §9 let the two servers hand out their own.
type serverKind int

const (
	tokenServer serverKind = iota
	resourceServer
)

// prover makes DPoP proofs with a key that lives as long as the process.
// https://developer.okta.com/docs/guides/dpop/nonoktaresourceserver/main/
type prover struct {
	signer jose.Signer
	clock  *serverClock

	mu     sync.Mutex
	nonces [2]string // by serverKind; empty until the server has sent one
}

// newProver makes the key. ES256 costs a twentieth of RS256 per proof, and a proof is made for each request.
func newProver(clock *serverClock, onSecret func(string)) (*prover, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the DPoP key: %w", err)
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key}},
		(&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"))
	if err != nil {
		return nil, fmt.Errorf("making the DPoP signer: %w", err)
	}
	p := &prover{signer: signer, clock: clock}
	// Proofs are as many as requests, too many to be remembered one by one. What they share, the header with the
	// public key, is enough to make what is left of a proof useless.
	sample, err := p.proof(http.MethodGet, &url.URL{}, resourceServer, "")
	if err != nil {
		return nil, err
	}
	header, _, _ := strings.Cut(sample, ".")
	onSecret(header)
	return p, nil
}

type proofClaims struct {
	ID     string `json:"jti"`
	Method string `json:"htm"`
	URL    string `json:"htu"`
	Issued int64  `json:"iat"`
	Nonce  string `json:"nonce,omitempty"`
	Token  string `json:"ath,omitempty"`
}

// proof makes a new proof for one request, bound to accessToken unless that is empty.
func (p *prover) proof(method string, u *url.URL, kind serverKind, accessToken string) (string, error) {
	claims := proofClaims{
		ID:     rand.Text(),
		Method: method,
		// Okta compares htu with the address as it was asked for, less query and fragment.
		URL:    (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String(),
		Issued: p.clock.now().Unix(),
		Nonce:  p.nonce(kind),
	}
	if accessToken != "" {
		sum := sha256.Sum256([]byte(accessToken))
		claims.Token = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return signClaims(p.signer, claims)
}

func (p *prover) nonce(kind serverKind) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.nonces[kind]
}

// learnNonce keeps the nonce that a server sent, with whatever status, for the proofs to come, and returns it.
func (p *prover) learnNonce(kind serverKind, h http.Header) string {
	nonce := h.Get("DPoP-Nonce")
	if p == nil || nonce == "" {
		return ""
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nonces[kind] = nonce
	return nonce
}

// carriedNonce is the nonce in a proof of our own.
func carriedNonce(proof string) string {
	parts := strings.Split(proof, ".")
	if len(parts) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims proofClaims
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		return ""
	}
	return claims.Nonce
}

// signClaims serialises claims as a signed JWT.
func signClaims(signer jose.Signer, claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encoding a JWT: %w", err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("signing a JWT: %w", err)
	}
	return signed.CompactSerialize()
}
