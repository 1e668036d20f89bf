package source

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"source-okta/internal/airbyte"
	"source-okta/internal/okta"
	"source-okta/streams"
)

// failure is an error told to the user: a sentence, the cause for the log, and whether a retry may help.
type failure struct {
	kind     airbyte.FailureType
	message  string
	internal string
	stack    string
}

func (f *failure) Error() string {
	if f.internal != "" {
		return f.message + " (" + f.internal + ")"
	}
	return f.message
}

// configError is a failure that only the user can mend.
func configError(format string, args ...any) error {
	return &failure{kind: airbyte.ConfigError, message: fmt.Sprintf(format, args...)}
}

// explain turns any error into what the user is told. It is the one place where an Okta error's class becomes a failure
// type; s is nil for an error that belongs to no stream.
func explain(err error, s *streams.Stream) *failure {
	var own *failure
	if errors.As(err, &own) {
		return own
	}
	var auth *okta.AuthError
	if errors.As(err, &auth) {
		return &failure{kind: airbyte.ConfigError, message: authSentence(auth), internal: err.Error()}
	}
	var api *okta.Error
	if !errors.As(err, &api) {
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return &failure{kind: airbyte.TransientError, message: "The read was stopped before its end.", internal: err.Error()}
		}
		return &failure{kind: airbyte.SystemError, message: "The connector met a fault of its own. Please report it with the log of this run.", internal: err.Error()}
	}
	what := "Okta"
	if s != nil {
		what = "Okta, asked for " + s.Name + ","
	}
	f := &failure{kind: airbyte.ConfigError, internal: err.Error()}
	switch api.Class {
	case okta.Unauthorized:
		f.message = what + " refused the credentials: the token is wrong, revoked or expired (an API token dies after 30 days without use, and with the account of the admin who made it). Check credentials in the config and make a new token."
	case okta.Forbidden:
		f.message = what + " refused: " + forbiddenRemedy(api, s)
	case okta.FeatureOff:
		f.message = what + " says that this organization does not have the feature."
	case okta.Gone:
		f.message = what + " says that there is no such thing."
		f.kind = airbyte.SystemError
	case okta.BadRequest:
		f.message = what + " did not understand the request. Please report it with the log of this run."
		f.kind = airbyte.SystemError
	case okta.RateLimited:
		f.message = what + " did not free any of its rate limit for 15 minutes. Try again later, or ask an Okta admin to raise the share of this token (Security, API, Tokens)."
		f.kind = airbyte.TransientError
	case okta.Transient:
		f.message = what + " could not be reached or did not answer as it should, after several attempts. Try again later."
		f.kind = airbyte.TransientError
	default:
		f.message = what + " gave an answer that the connector does not know. Please report it with the log of this run."
		f.kind = airbyte.SystemError
	}
	return f
}

func forbiddenRemedy(api *okta.Error, s *streams.Stream) string {
	scope := api.Scope
	if scope == "" && s != nil {
		scope = s.Scope
	}
	if api.Code == "insufficient_scope" || api.Scope != "" {
		return "the scope " + scope + " was not granted. Grant it in the Admin Console (Applications, your API Services app, Okta API Scopes), or leave the stream out."
	}
	sentence := "the credentials have no admin role that may read this."
	if scope != "" {
		sentence = "the credentials have no admin role that may read this (it also takes the scope " + scope + ")."
	}
	return sentence + " Give the token's owner, or the app (Admin roles), a role such as Read-only Administrator, or leave the stream out."
}

// authSentence is the token endpoint's refusal with the config's fields to check.
func authSentence(e *okta.AuthError) string {
	sentence := strings.TrimSuffix(e.Error(), ".") + "."
	if len(e.Fields) > 0 {
		sentence += " Check in the config: credentials." + strings.Join(e.Fields, ", credentials.") + "."
	}
	return strings.ToUpper(sentence[:1]) + sentence[1:]
}

// class is the Okta class of an error, or -1.
func class(err error) okta.Class {
	var api *okta.Error
	if errors.As(err, &api) {
		return api.Class
	}
	return -1
}
