package oktasim

import (
	"net/http"
	"path"
)

// DenyKind is why an org refuses a path.
type DenyKind int

const (
	// DenyRole is 403 E0000006: the admin role doesn't cover the path.
	DenyRole DenyKind = iota
	// DenyScope is 403 with an insufficient_scope challenge.
	DenyScope
	// DenyFeature is 401 E0000015: the org hasn't bought the feature.
	DenyFeature
	// DenyPath is 404 E0000008: the org's pipeline doesn't know the path.
	DenyPath
	// DenyMethod is 405 E0000022: the API behind the path is off.
	DenyMethod
	// DenyDeprecated is 410 E0000215: the endpoint is gone.
	DenyDeprecated
	// DenyStatus is 403 E0000038: not allowed in the user's current status.
	DenyStatus
)

// Deny refuses requests whose path matches Path in the manner of path.Match.
type Deny struct {
	Path string
	Kind DenyKind
}

func (o *Org) denied(r *http.Request, scope string) *apiError {
	for _, d := range o.config.Deny {
		if ok, err := path.Match(d.Path, r.URL.Path); err != nil || !ok {
			continue
		}
		switch d.Kind {
		case DenyRole:
			return accessDenied()
		case DenyScope:
			return insufficientScope(r, scope)
		case DenyFeature:
			return featureOff()
		case DenyPath:
			return noSuchPath()
		case DenyMethod:
			return methodNotAllowed()
		case DenyDeprecated:
			return &apiError{status: 410, code: "E0000215", summary: "This endpoint has been deprecated."}
		case DenyStatus:
			return &apiError{status: 403, code: "E0000038", summary: "This operation is not allowed in the user's current status."}
		}
	}
	return nil
}
