package okta

import (
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// Class is what an error means for the walk that met it.
type Class int

const (
	Unexpected   Class = iota // an answer that fits nothing known: a fault of Okta's, of something between, or of ours
	Unauthorized              // the credentials themselves are refused
	Forbidden                 // the credentials are good but lack a scope or a role
	FeatureOff                // the org provably lacks the feature or the endpoint
	Gone                      // the entity in the path cannot be read any more
	BadRequest                // Okta refuses the query
	RateLimited               // the rate limit has no room within the time there was to wait
	Transient                 // still failing after all retries
)

// Error is the one kind of error, besides the context's own, that Get returns.
type Error struct {
	Class     Class
	Status    int    // HTTP status; 0 when no answer came
	Code      string // Okta's errorCode, or an OAuth 2.0 error
	Summary   string // Okta's errorSummary, or what is wrong with the answer; for people only
	RequestID string // X-Okta-Request-Id
	Path      string // path of the request, without its query
	Scope     string // the scopes that WWW-Authenticate asks for, separated by spaces
	Err       error
}

// Error is one line without the query, which may hold names and addresses of people.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("GET ")
	b.WriteString(e.Path)
	b.WriteByte(':')
	if e.Status != 0 {
		b.WriteByte(' ')
		b.WriteString(strconv.Itoa(e.Status))
	}
	if e.Code != "" {
		b.WriteByte(' ')
		b.WriteString(e.Code)
	}
	switch {
	case e.Summary != "":
		b.WriteByte(' ')
		b.WriteString(e.Summary)
	case e.Err != nil:
		b.WriteByte(' ')
		b.WriteString(e.Err.Error())
	}
	if e.RequestID != "" {
		b.WriteString(" (request ")
		b.WriteString(e.RequestID)
		b.WriteByte(')')
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// codes says what Okta's error codes, and OAuth's, mean to a reader of lists; what is not here is judged by status.
//
// https://developer.okta.com/docs/reference/error-codes/
var codes = map[string]Class{
	"E0000004": Unauthorized, // authentication failed
	"E0000011": Unauthorized, // invalid token
	"E0000005": Unauthorized, // invalid session, with 403: a token of the wrong kind
	"E0000006": Forbidden,    // no permission
	"E0000015": FeatureOff,   // feature not enabled, with 401 although the token is good
	"E0000007": Gone,         // not found
	"E0000038": Gone,         // not allowed in the user's current status
	"E0000008": FeatureOff,   // path not found
	"E0000022": FeatureOff,   // method not supported
	"E0000026": FeatureOff,   // endpoint deprecated
	"E0000215": FeatureOff,   // endpoint removed
	"E0000009": Transient,    // internal error
	"E0000010": Transient,    // org is read-only for maintenance
	"E0000100": Transient,    // search unavailable
	"E0000145": Transient,    // profiles are being brought in line with a schema that just changed
	"E0000239": Transient,    // policy priorities are being reconciled
	"E0000240": Transient,    // directory agent
	"E0000241": Transient,    // directory agent timed out

	"invalid_token":       Unauthorized,
	"invalid_client":      Unauthorized,
	"invalid_grant":       Unauthorized,
	"unauthorized_client": Unauthorized,
	"invalid_scope":       Unauthorized,
	"invalid_dpop_proof":  Unauthorized,
	"use_dpop_nonce":      Unauthorized,
}

// classify is the one place where an answer is judged: by status, error code and challenge, never by Okta's prose.
func classify(status int, code, challenge string) Class {
	switch {
	case status == http.StatusTooManyRequests:
		return RateLimited
	case status >= 500, status == http.StatusRequestTimeout, status == http.StatusLocked:
		// Before the code: /logs answers a query that took too long with 500 and E0000053, "invalid filter".
		return Transient
	case challenge == "insufficient_scope" && (status == http.StatusForbidden || status == http.StatusUnauthorized):
		return Forbidden
	}
	if class, ok := codes[code]; ok {
		return class
	}
	switch status {
	case http.StatusBadRequest:
		return BadRequest
	case http.StatusUnauthorized:
		return Unauthorized
	case http.StatusForbidden:
		return Forbidden
	case http.StatusMethodNotAllowed, http.StatusGone:
		return FeatureOff
	}
	return Unexpected
}

// responseError reads an answer that is no page. The body may be anything: Okta's JSON, OAuth's, HTML from the edge, or
// nothing.
func responseError(path string, resp *http.Response, body string) *Error {
	e := &Error{Status: resp.StatusCode, Path: path, RequestID: resp.Header.Get("X-Okta-Request-Id")}
	if gjson.Valid(body) {
		if code := gjson.Get(body, "errorCode"); code.Type == gjson.String {
			e.Code, e.Summary = code.Str, gjson.Get(body, "errorSummary").String()
		} else if code := gjson.Get(body, "error"); code.Type == gjson.String {
			e.Code, e.Summary = code.Str, gjson.Get(body, "error_description").String()
		}
	}
	e.Code, e.Summary = oneLine(e.Code, 64), oneLine(e.Summary, 200)
	challenge := challengeParam(resp.Header, "error")
	e.Class = classify(e.Status, e.Code, challenge)
	if challenge == "insufficient_scope" {
		e.Scope = challengeParam(resp.Header, "scope")
	}
	if e.Code == "" {
		e.Code = challenge
	}
	return e
}

// transportError names what kept an answer from arriving whole.
func transportError(path string, err error) *Error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	e := &Error{Class: Transient, Path: path, Err: withoutURL(err)}
	var refused *AuthError
	var domain *DomainError
	switch {
	case errors.As(err, &refused):
		e.Class, e.Status, e.Code, e.Err = Unauthorized, refused.Status, refused.Code, refused
	case errors.As(err, &domain), certificateRefused(err):
		e.Class = Unexpected
	}
	return e
}

var challengePart = regexp.MustCompile(`(?:^|[\s,])([A-Za-z_]+)\s*=\s*(?:"([^"]*)"|([^\s,"]+))`)

// challengeParam is a parameter of a WWW-Authenticate header: RFC 6750 §3, RFC 9449 §7.1.
func challengeParam(h http.Header, name string) string {
	for _, v := range h.Values("WWW-Authenticate") {
		for _, m := range challengePart.FindAllStringSubmatch(v, -1) {
			if strings.EqualFold(m[1], name) {
				return oneLine(m[2]+m[3], 500)
			}
		}
	}
	return ""
}

func oneLine(s string, most int) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "")), " ")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
