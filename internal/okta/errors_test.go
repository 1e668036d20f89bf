package okta

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func oktaError(code string) string {
	return fmt.Sprintf(`{"errorCode":"%s","errorSummary":"What happened","errorLink":"%s","errorId":"oae1","errorCauses":[]}`, code, code)
}

func TestEveryErrorOfOktaHasOneMeaning(t *testing.T) {
	const scope = `Bearer authorization_uri="http://acme.okta.com/oauth2/v1/authorize", realm="http://acme.okta.com", scope="okta.apps.read okta.users.read", error="insufficient_scope", error_description="The access token provided does not contain the required scopes.", resource="/api/v1/apps"`
	for _, row := range []struct {
		name      string
		status    int
		body      string
		challenge string
		want      Class
		code      string
		scope     string
	}{
		{"authentication failed", 401, oktaError("E0000004"), "", Unauthorized, "E0000004", ""},
		{"invalid token", 401, oktaError("E0000011"), "", Unauthorized, "E0000011", ""},
		{"feature not enabled", 401, oktaError("E0000015"), "", FeatureOff, "E0000015", ""},
		{"wrong kind of token", 403, oktaError("E0000005"), "", Unauthorized, "E0000005", ""},
		{"no permission", 403, oktaError("E0000006"), "", Forbidden, "E0000006", ""},
		{"missing scope", 403, "", scope, Forbidden, "insufficient_scope", "okta.apps.read okta.users.read"},
		{"missing scope, with a body", 403, oktaError("E0000006"), scope, Forbidden, "E0000006", "okta.apps.read okta.users.read"},
		{"missing scope, unquoted", 403, "", `DPoP Error=insufficient_scope, Scope=okta.apps.read`, Forbidden, "insufficient_scope", "okta.apps.read"},
		{"not in this status", 403, oktaError("E0000038"), "", Gone, "E0000038", ""},
		{"entity gone", 404, oktaError("E0000007"), "", Gone, "E0000007", ""},
		{"no such path", 404, oktaError("E0000008"), "", FeatureOff, "E0000008", ""},
		{"no such method", 405, oktaError("E0000022"), "", FeatureOff, "E0000022", ""},
		{"no such method, no body", 405, "", "", FeatureOff, "", ""},
		{"deprecated", 404, oktaError("E0000026"), "", FeatureOff, "E0000026", ""},
		{"removed", 410, oktaError("E0000215"), "", FeatureOff, "E0000215", ""},
		{"removed, no body", 410, "", "", FeatureOff, "", ""},
		{"validation", 400, oktaError("E0000001"), "", BadRequest, "E0000001", ""},
		{"bad paging", 400, oktaError("E0000029"), "", BadRequest, "E0000029", ""},
		{"bad paging, other code", 400, oktaError("E0000054"), "", BadRequest, "E0000054", ""},
		{"bad date", 400, oktaError("E0000030"), "", BadRequest, "E0000030", ""},
		{"bad search", 400, oktaError("E0000031"), "", BadRequest, "E0000031", ""},
		{"search and filter", 400, oktaError("E0000033"), "", BadRequest, "E0000033", ""},
		{"bad filter", 400, oktaError("E0000053"), "", BadRequest, "E0000053", ""},
		{"filter unsupported", 400, oktaError("E0000094"), "", BadRequest, "E0000094", ""},
		{"unknown code", 400, oktaError("E0009999"), "", BadRequest, "E0009999", ""},
		{"log query that took too long", 500, oktaError("E0000053"), "", Transient, "E0000053", ""},
		{"internal error", 500, oktaError("E0000009"), "", Transient, "E0000009", ""},
		{"read-only org", 503, oktaError("E0000010"), "", Transient, "E0000010", ""},
		{"search unavailable", 503, oktaError("E0000100"), "", Transient, "E0000100", ""},
		{"permission code with a server error", 500, oktaError("E0000006"), "", Transient, "E0000006", ""},
		{"schema change under way", 409, oktaError("E0000145"), "", Transient, "E0000145", ""},
		{"policies being reconciled", 423, oktaError("E0000239"), "", Transient, "E0000239", ""},
		{"directory agent", 502, oktaError("E0000240"), "", Transient, "E0000240", ""},
		{"directory agent timed out", 504, oktaError("E0000241"), "", Transient, "E0000241", ""},
		{"request time-out", 408, "", "", Transient, "", ""},
		{"conflict of another kind", 409, oktaError("E0000001"), "", Unexpected, "E0000001", ""},
		{"header too large", 414, oktaError("E0000256"), "", Unexpected, "E0000256", ""},
		{"HTML, 401", 401, "<html>Sign in</html>", "", Unauthorized, "", ""},
		{"HTML, 403", 403, "<html>Access denied. Reference #18.a1</html>", "", Forbidden, "", ""},
		{"HTML, 404", 404, "<html>Not found</html>", "", Unexpected, "", ""},
		{"HTML, 400", 400, "<html>Bad request</html>", "", BadRequest, "", ""},
		{"HTML, 503", 503, "<html>Maintenance</html>", "", Transient, "", ""},
		{"empty, 404", 404, "", "", Unexpected, "", ""},
		{"empty, 401", 401, "", "", Unauthorized, "", ""},
		{"empty, 418", 418, "", "", Unexpected, "", ""},
		{"JSON that is no error", 404, `["errorCode"]`, "", Unexpected, "", ""},
		{"code of the wrong type", 403, `{"errorCode":6}`, "", Forbidden, "", ""},
		{"truncated JSON", 401, `{"errorCode":"E0000015","errorSu`, "", Unauthorized, "", ""},
		{"message that lies", 403, `{"errorCode":"E0000006","errorSummary":"E0000015 feature not enabled 401"}`, "", Forbidden, "E0000006", ""},
		{"OAuth, token", 401, `{"error":"invalid_token","error_description":"The token has expired"}`, "", Unauthorized, "invalid_token", ""},
		{"OAuth, client", 400, `{"error":"invalid_client"}`, "", Unauthorized, "invalid_client", ""},
		{"OAuth, request", 400, `{"error":"invalid_request"}`, "", BadRequest, "invalid_request", ""},
		{"DPoP nonce", 401, "", `DPoP error="use_dpop_nonce", error_description="x"`, Unauthorized, "use_dpop_nonce", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rt := roundTrip(func(*http.Request) (*http.Response, error) {
					resp := answer(row.status, row.body, "X-Okta-Request-Id", "Zreq1")
					if row.challenge != "" {
						resp.Header.Set("WWW-Authenticate", row.challenge)
					}
					return resp, nil
				})
				_, err := clientOf(rt).Get(t.Context(), Request{Bucket: "b", Path: "/api/v1/apps?q=secret"})
				var e *Error
				require.ErrorAs(t, err, &e)
				assert.Equal(t, row.want, e.Class)
				assert.Equal(t, row.status, e.Status)
				assert.Equal(t, row.code, e.Code)
				assert.Equal(t, row.scope, e.Scope)
				assert.Equal(t, "Zreq1", e.RequestID)
				assert.Equal(t, "/api/v1/apps", e.Path)
				assert.NotContains(t, err.Error(), "secret")
				assert.NotContains(t, err.Error(), "html")
			})
		})
	}
}

func TestAnErrorReadsAsOneShortLine(t *testing.T) {
	e := &Error{Class: Forbidden, Status: 403, Code: "E0000006", Summary: "You do not have permission", RequestID: "Zx1", Path: "/api/v1/apps"}
	assert.Equal(t, "GET /api/v1/apps: 403 E0000006 You do not have permission (request Zx1)", e.Error())

	long := responseError("/x", answer(400, `{"errorCode":"E0000001","errorSummary":"`+strings.Repeat("ä\\n", 500)+`"}`), `{"errorCode":"E0000001","errorSummary":"`+strings.Repeat("ä\\n", 500)+`"}`)
	assert.Less(t, len(long.Error()), 300)
	assert.NotContains(t, long.Error(), "\n")
}
