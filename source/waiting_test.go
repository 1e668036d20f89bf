package source_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"source-okta/internal/oktasim"
	"source-okta/streams"
)

func TestALongWaitBeatsWithStatesAndSaysUntilWhen(t *testing.T) {
	inBubble(t, oktasim.Config{Users: 900, Limits: map[string]int{oktasim.BucketUsers: 2}, Window: 12 * time.Minute}, func(t *testing.T, org *oktasim.Org) {
		p := newTapeRead(t, org, streams.Users)
		requireGood(t, p.tape)
		requireOnce(t, p.tape, org, "users")
		last := p.began
		for _, at := range append(p.states, p.ended) {
			assert.LessOrEqual(t, at.Sub(last), 5*time.Minute, "a STATE at least every 5 minutes")
			last = at
		}
		require.NotEmpty(t, p.resets)
		for _, r := range p.resets {
			assert.Greater(t, r.quota.Sub(r.at), time.Duration(0))
			assert.LessOrEqual(t, r.quota.Sub(r.at), 13*time.Minute)
		}
	})
}

type timedRead struct {
	*tape
	began, ended time.Time
	states       []time.Time
	resets       []struct{ at, quota time.Time }
}

func newTapeRead(t *testing.T, org http.RoundTripper, list ...*streams.Stream) *timedRead {
	t.Helper()
	r := &timedRead{began: time.Now()}
	r.tape = simRead{streams: list, onLine: func(line []byte) {
		m := gjson.ParseBytes(line)
		if m.Get("type").Str == "STATE" {
			r.states = append(r.states, time.Now())
		}
		if reason := m.Get("trace.stream_status.reasons.0"); reason.Exists() {
			assert.Equal(t, "RATE_LIMITED", reason.Get("type").Str)
			r.resets = append(r.resets, struct{ at, quota time.Time }{time.Now(), time.UnixMilli(reason.Get("rate_limited.quota_reset").Int())})
		}
	}}.run(t, org)
	r.ended = time.Now()
	return r
}

func TestAWaitEndsAfterFifteenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newListing(streams.UserTypes, 2)
		l.before = func(req *http.Request, _ int) *http.Response {
			if !l.own(req) {
				return nil
			}
			resp := failureOf(req, 429, "E0000047")
			resp.Header.Set("X-Rate-Limit-Limit", "100")
			resp.Header.Set("X-Rate-Limit-Remaining", "0")
			resp.Header.Set("X-Rate-Limit-Reset", unix(time.Now().Add(50*time.Minute)))
			return resp
		}
		began := time.Now()
		r := readStream(t, l, streams.UserTypes, "")
		requireIncomplete(t, r, streams.UserTypes, "transient_error")
		assert.InDelta(t, 15, time.Since(began).Minutes(), 1)
	})
}

func TestAnEstimateIsGivenWhereOktaCounts(t *testing.T) {
	inBubble(t, oktasim.Config{Users: 300, Groups: 30}, func(t *testing.T, org *oktasim.Org) {
		rows := int64(0)
		p := simRead{streams: only(streams.GroupMembers), onLine: func(line []byte) {
			if e := gjson.GetBytes(line, "trace.estimate"); e.Exists() {
				assert.Equal(t, "group_members", e.Get("name").Str)
				assert.Equal(t, "STREAM", e.Get("type").Str)
				rows = e.Get("row_estimate").Int()
			}
		}}.run(t, org)
		requireGood(t, p)
		assert.Equal(t, int64(p.count("group_members")), rows)
	})
}

func TestAHostThatIsNoOrgGetsNoCredentials(t *testing.T) {
	for name, page := range map[string]string{"HTML": "<html>hello</html>", "JSON": `{"hello":"world"}`, "nothing": "", "a list": "[]"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				transport := roundTrip(func(req *http.Request) (*http.Response, error) {
					asked++
					assert.Empty(t, req.Header.Get("Authorization"))
					return answer(req, 200, page), nil
				})
				files := map[string]string{"c.json": goodConfig, "k.json": goodCatalog}
				r := runWith(t, transport, files, nil, "check", "--config", "c.json")
				assert.Zero(t, r.code)
				status := r.of("CONNECTION_STATUS")[0].Get("connectionStatus")
				assert.Equal(t, "FAILED", status.Get("status").Str)
				assert.Contains(t, status.Get("message").Str, "no Okta org answers at acme.okta.com")
				r = runWith(t, transport, files, nil, "read", "--config", "c.json", "--catalog", "k.json")
				assert.Equal(t, 1, r.code)
				require.Len(t, r.errors(), 1)
				assert.Equal(t, "config_error", r.errors()[0].Get("failure_type").Str)
				assert.Equal(t, 2, asked)
			})
		})
	}
}

func TestACheckThatGetsNoAnswerEndsAfterTwentySeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		r := runWith(t, roundTrip(func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		}), map[string]string{"c.json": goodConfig}, nil, "check", "--config", "c.json")
		assert.Equal(t, 1, r.code)
		assert.Equal(t, 20*time.Second, time.Since(began).Round(time.Second))
		require.Len(t, r.errors(), 1)
		assert.Equal(t, "transient_error", r.errors()[0].Get("failure_type").Str)
		assert.Contains(t, r.errors()[0].Get("message").Str, "20s")
	})
}

func TestOneStreamsFailureIsItsOwnAndTheTracesAreInOrder(t *testing.T) {
	inBubble(t, oktasim.Config{
		Users: 50, Groups: 10, Apps: 5, Deny: []oktasim.Deny{{Path: "/api/v1/apps", Kind: oktasim.DenyRole}},
		Faults: []oktasim.Fault{{Kind: oktasim.FaultStatus, Path: "/api/v1/devices", Status: 503}},
	}, func(t *testing.T, org *oktasim.Org) {
		p := simRead{streams: only(streams.Applications, streams.ApplicationUsers, streams.Devices, streams.Users, streams.Groups)}.run(t, org)
		assert.Equal(t, 1, p.code)
		requireOnce(t, p, org, "users")
		requireOnce(t, p, org, "groups")
		var told []string
		for _, e := range p.errors {
			told = append(told, e.Get("stream_descriptor.name").Str+" "+e.Get("failure_type").Str)
		}
		assert.Equal(t, []string{"devices transient_error", "application_users config_error", "applications config_error"}, told)
		assert.Equal(t, "INCOMPLETE", p.status["application_users"])
		assert.Equal(t, "COMPLETE", p.status["users"])
	})
}

func TestPolicyTypesThatTheOrgLacksAreANotice(t *testing.T) {
	inBubble(t, oktasim.Config{Users: 5}, func(t *testing.T, org *oktasim.Org) {
		p := simRead{streams: only(streams.Policies, streams.PolicyRules)}.run(t, org)
		requireGood(t, p)
		requireOnce(t, p, org, "policies")
		requireOnce(t, p, org, "policy_rules")
		notice := ""
		for _, l := range p.logs {
			if strings.HasPrefix(l, "WARN") {
				notice += l
			}
		}
		for _, missing := range oktasim.DefaultPolicyErrors() {
			assert.Contains(t, []int{400, 403, 404}, missing, strconv.Itoa(missing))
		}
		for kind := range oktasim.DefaultPolicyErrors() {
			assert.Contains(t, notice, "type="+kind)
		}
	})
}
