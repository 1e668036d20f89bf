package oktasim

import (
	"net/http"
	"strconv"
)

// apiError is an answer that isn't 200. Codes and summaries are those of Okta's error catalogue:
// https://developer.okta.com/docs/reference/error-codes/.
type apiError struct {
	status  int
	code    string
	summary string
	causes  []string
	header  http.Header
	oauth   bool // the body is OAuth 2.0's
}

func (e *apiError) append(b []byte, id string) []byte {
	if e.oauth {
		return e.appendOAuth(b)
	}
	b = append(b, `{"errorCode":"`...)
	b = append(b, e.code...)
	b = append(b, `","errorSummary":`...)
	b = appendJSON(b, e.summary)
	b = append(b, `,"errorLink":"`...)
	b = append(b, e.code...)
	b = append(b, `","errorId":"oae`...)
	b = append(b, id...)
	b = append(b, `","errorCauses":[`...)
	for i, cause := range e.causes {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"errorSummary":`...)
		b = appendJSON(b, cause)
		b = append(b, '}')
	}
	return append(b, "]}"...)
}

func validationFailed(subject string, causes ...string) *apiError {
	return &apiError{status: 400, code: "E0000001", summary: "Api validation failed: " + subject, causes: causes}
}

func badLimit(value string, low, high int) *apiError {
	return validationFailed("limit",
		"limit: "+value+" is not allowed, it must be from "+strconv.Itoa(low)+" to "+strconv.Itoa(high))
}

func badCursor() *apiError {
	return &apiError{status: 400, code: "E0000029", summary: "Invalid paging request.", causes: []string{"Invalid cursor."}}
}

func badDate() *apiError {
	return &apiError{status: 400, code: "E0000030", summary: "Bad request. Invalid date. Dates must be of the form " +
		"yyyy-MM-dd'T'HH:mm:ss.SSSZZ, e.g. 2013-01-01T12:00:00.000-07:00."}
}

func badSearch(causes ...string) *apiError {
	return &apiError{status: 400, code: "E0000031", summary: "Invalid search criteria.", causes: causes}
}

func searchAndFilter() *apiError {
	return &apiError{
		status: 400, code: "E0000033",
		summary: "Bad request. Can't specify a search query and filter in the same request.",
	}
}

func badSCIMFilter(causes ...string) *apiError {
	return &apiError{status: 400, code: "E0000053", summary: "Invalid SCIM filter.", causes: causes}
}

func invalidToken() *apiError {
	return &apiError{status: 401, code: "E0000011", summary: "Invalid token provided"}
}

func featureOff() *apiError {
	return &apiError{
		status: 401, code: "E0000015",
		summary: "You do not have permission to access the feature you are requesting",
	}
}

func invalidSession() *apiError {
	return &apiError{status: 403, code: "E0000005", summary: "Invalid session"}
}

func accessDenied() *apiError {
	return &apiError{status: 403, code: "E0000006", summary: "You do not have permission to perform the requested action"}
}

func notFound(id, kind string) *apiError {
	return &apiError{status: 404, code: "E0000007", summary: "Not found: Resource not found: " + id + " (" + kind + ")"}
}

func noSuchPath() *apiError {
	return &apiError{status: 404, code: "E0000008", summary: "The requested path was not found"}
}

func methodNotAllowed() *apiError {
	return &apiError{status: 405, code: "E0000022", summary: "The endpoint does not support the provided HTTP method"}
}

func tooManyRequests() *apiError {
	return &apiError{status: 429, code: "E0000047", summary: "API call exceeded rate limit due to too many requests."}
}

func serverError(status int) *apiError {
	switch status {
	case 503:
		return &apiError{status: 503, code: "E0000010", summary: "Service is in read only mode"}
	case 502:
		return &apiError{status: 502, code: "E0000240", summary: "The directory agent did not answer."}
	case 504:
		return &apiError{status: 504, code: "E0000241", summary: "The directory agent took too long."}
	}
	return &apiError{status: status, code: "E0000009", summary: "Internal Server Error"}
}
