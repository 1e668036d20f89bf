package source_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"source-okta/internal/oktasim"
	"source-okta/streams"
)

// These tests name a fault of airbyte/source-okta each, and hold this connector to its mending.

var nine = streams.In(streams.SetCompatible)

func only(list ...*streams.Stream) []*streams.Stream { return list }

// inBubble runs a test on a simulated org in virtual time.
func inBubble(t *testing.T, cfg oktasim.Config, f func(t *testing.T, org *oktasim.Org)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if cfg.Seed == 0 {
			cfg.Seed = 5
		}
		cfg.RecordRequests = true
		f(t, oktasim.New(cfg))
	})
}

func startDate(at time.Time) string {
	return `"start_date":"` + at.UTC().Format("2006-01-02T15:04:05Z") + `",`
}

func streamState(name, blob string) string {
	return `[{"type":"STREAM","stream":{"stream_descriptor":{"name":"` + name + `"},"stream_state":` + blob + `}}]`
}

func requests(org *oktasim.Org, path string) (out []oktasim.Request) {
	for _, r := range org.Requests() {
		if r.Path == path {
			out = append(out, r)
		}
	}
	return out
}

func TestParentsOfChildrenAreReadWholeWhateverTheStartDate(t *testing.T) {
	inBubble(t, oktasim.Config{Users: 400, Groups: 60}, func(t *testing.T, org *oktasim.Org) {
		p := simRead{options: startDate(time.Now().Add(-24 * time.Hour)), set: streams.SetCompatible, streams: nine}.run(t, org)
		requireGood(t, p)
		requireOnce(t, p, org, "group_members")
		requireOnce(t, p, org, "group_role_assignments")
		requireOnce(t, p, org, "user_role_assignments")
		assert.Less(t, p.count("groups"), 61, "groups themselves are cut by start_date")
		assert.Less(t, p.count("users"), 400, "and so are users")
		warnings := slices.DeleteFunc(slices.Clone(p.logs), func(l string) bool { return !strings.HasPrefix(l, "WARN start_date") })
		require.Len(t, warnings, 1, "one WARN says what start_date cuts")
		assert.Contains(t, warnings[0], "groups, logs, users")
	})
}

func TestListsUnderIAMGoOnByTheirBodysLinks(t *testing.T) {
	inBubble(t, oktasim.Config{Users: 50, CustomRoles: 23, ResourceSets: 17, IAMPage: 5}, func(t *testing.T, org *oktasim.Org) {
		p := simRead{set: streams.SetCompatible, streams: only(streams.CustomRoles, streams.ResourceSets, streams.Permissions)}.run(t, org)
		requireGood(t, p)
		assert.Equal(t, 23, p.count("custom_roles"))
		assert.Equal(t, 17, p.count("resource_sets"))
		for _, r := range org.Requests() {
			assert.Equal(t, "acme.okta.com", r.Host, "never the -admin host that the links name")
		}
	})
}

func TestLogsKeepMillisecondsPageByAThousandAndEnd(t *testing.T) {
	inBubble(t, oktasim.Config{Users: 20, Events: 4_321}, func(t *testing.T, org *oktasim.Org) {
		p := simRead{set: streams.SetCompatible, streams: only(streams.Logs)}.run(t, org)
		requireGood(t, p)
		requireOnce(t, p, org, "logs")
		assert.LessOrEqual(t, len(requests(org, "/api/v1/logs")), 9, "five pages, the polling before and after, and a page for each window more")
		withMillis := 0
		for _, at := range p.values("logs", "published") {
			if !strings.HasSuffix(at, ".000Z") {
				withMillis++
			}
		}
		assert.NotZero(t, withMillis)
		assert.Equal(t, slices.Max(p.values("logs", "published")), p.stateOf("logs").Get("published").Str, "the cursor is the greatest value emitted")
	})
}

func TestAStartDateOfYearsAgoServesLogsToo(t *testing.T) {
	inBubble(t, oktasim.Config{Users: 30, Events: 500}, func(t *testing.T, org *oktasim.Org) {
		p := simRead{options: `"start_date":"1995-01-01T00:00:00Z",`, set: streams.SetCompatible, streams: only(streams.Users, streams.Logs)}.run(t, org)
		requireGood(t, p)
		requireOnce(t, p, org, "users")
		requireOnce(t, p, org, "logs")
	})
}

func TestAChangeInTheSecondOfTheCursorIsNotLost(t *testing.T) {
	inBubble(t, oktasim.Config{Users: 30, Groups: 5}, func(t *testing.T, org *oktasim.Org) {
		ids := userIDs(org)
		require.NoError(t, org.UpdateUser(ids[0], map[string]string{"nickName": "first"}))
		p := simRead{streams: only(streams.Users)}.run(t, org)
		requireGood(t, p)
		// The same second: the cursor does not move, and a strict "greater than" would not see it.
		require.NoError(t, org.UpdateUser(ids[1], map[string]string{"nickName": "second"}))
		require.NoError(t, org.UpdateUser(ids[0], map[string]string{"nickName": "third"}))
		q := simRead{streams: only(streams.Users), state: p.stateFile()}.run(t, org)
		requireGood(t, q)
		assert.ElementsMatch(t, []string{ids[0], ids[1]}, q.values("users", "id"))
	})
}

func TestAPauseOfMonthsLosesNothing(t *testing.T) {
	inBubble(t, oktasim.Config{Users: 50, Groups: 10}, func(t *testing.T, org *oktasim.Org) {
		p := simRead{streams: only(streams.Users, streams.Groups, streams.Logs)}.run(t, org)
		requireGood(t, p)
		time.Sleep(time.Hour)
		changed := userIDs(org)[3]
		require.NoError(t, org.UpdateUser(changed, map[string]string{"nickName": "early"}))
		event := org.AppendEvent("user.session.start", time.Now(), time.Now())
		time.Sleep(60 * 24 * time.Hour)
		q := simRead{streams: only(streams.Users, streams.Groups, streams.Logs), state: p.stateFile()}.run(t, org)
		requireGood(t, q)
		assert.Equal(t, []string{changed}, q.values("users", "id"))
		assert.Contains(t, q.values("logs", "uuid"), event)
	})
}

func TestDeprovisionedUsersAreReadInBothModes(t *testing.T) {
	inBubble(t, oktasim.Config{Users: 100}, func(t *testing.T, org *oktasim.Org) {
		p := simRead{streams: only(streams.Users), mode: "full_refresh"}.run(t, org)
		requireGood(t, p)
		requireOnce(t, p, org, "users")
		assert.Contains(t, p.values("users", "status"), "DEPROVISIONED")

		p = simRead{streams: only(streams.Users)}.run(t, org)
		var active string
		for u := range org.Users() {
			if u.Status == "ACTIVE" {
				active = u.ID
			}
		}
		time.Sleep(time.Hour)
		require.NoError(t, org.DeactivateUser(active))
		q := simRead{streams: only(streams.Users), state: p.stateFile()}.run(t, org)
		requireGood(t, q)
		assert.Equal(t, []string{"DEPROVISIONED"}, q.values("users", "status"))
	})
}

func TestAChangeOfMembershipIsAChangeOfTheGroup(t *testing.T) {
	inBubble(t, oktasim.Config{Users: 50, Groups: 20}, func(t *testing.T, org *oktasim.Org) {
		p := simRead{streams: only(streams.Groups)}.run(t, org)
		requireGood(t, p)
		time.Sleep(time.Hour)
		created := org.CreateGroup("new")
		time.Sleep(time.Hour)
		require.NoError(t, org.AddMember(groupIDs(org)[2], userIDs(org)[1]))
		q := simRead{streams: only(streams.Groups), state: p.stateFile()}.run(t, org)
		requireGood(t, q)
		assert.ElementsMatch(t, []string{created, groupIDs(org)[2]}, q.values("groups", "id"))

		r := simRead{streams: only(streams.Groups), state: q.stateFile()}.run(t, org)
		requireGood(t, r)
		assert.Zero(t, r.count("groups"))
	})
}

func TestAGroupThatIsGoneDoesNotStopItsStream(t *testing.T) {
	inBubble(t, oktasim.Config{Users: 100, Groups: 30}, func(t *testing.T, org *oktasim.Org) {
		victim := ""
		for g := range org.Memberships() {
			victim = g
		}
		var once sync.Once
		p := simRead{streams: only(streams.GroupMembers)}.run(t, hook{org, func(req *http.Request) {
			if strings.HasSuffix(req.URL.Path, "/users") {
				once.Do(func() { assert.NoError(t, org.DeleteGroup(victim)) })
			}
		}})
		requireGood(t, p)
		requireOnce(t, p, org, "group_members")
	})
}

// hook runs before each request.
type hook struct {
	next   http.RoundTripper
	before func(req *http.Request)
}

func (h hook) RoundTrip(req *http.Request) (*http.Response, error) {
	h.before(req)
	return h.next.RoundTrip(req)
}

func TestAWindowOfTheRateLimitIsWaitedForAndNotAMinute(t *testing.T) {
	inBubble(t, oktasim.Config{Users: 3_000, Window: 10 * time.Second, Limits: map[string]int{oktasim.BucketUsers: 10}}, func(t *testing.T, org *oktasim.Org) {
		began := time.Now()
		p := simRead{streams: only(streams.Users)}.run(t, org)
		requireGood(t, p)
		requireOnce(t, p, org, "users")
		assert.Less(t, time.Since(began), 25*time.Second, "15 pages at 8 a window of 10 s")
		assert.Zero(t, org.Stats()[oktasim.BucketUsers].Window429)
	})
}

func TestTheStateOfEveryEraIsCarriedOn(t *testing.T) {
	base := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	second, millis := base.Format("2006-01-02T15:04:05Z"), base.Format("2006-01-02T15:04:05.000Z")
	for name, states := range map[string]map[string]string{
		"python, before 0.2.0": {"users": `{"lastUpdated":"` + millis + `"}`, "groups": `{"lastUpdated":"` + millis + `"}`, "logs": `{"published":"` + second + `"}`},
		"0.3.22 and later":     {"users": `{"lastUpdated":"` + base.Format("2006-01-02T15:04:05.000000Z") + `"}`, "logs": `{"published":"` + second + `"}`},
		"without a fraction":   {"users": `{"lastUpdated":"` + second + `"}`},
		"nanoseconds":          {"users": `{"lastUpdated":"` + base.Format("2006-01-02T15:04:05.000000000Z") + `"}`},
		"an offset":            {"users": `{"lastUpdated":"2000-01-01T02:00:00.000+02:00"}`, "groups": `{"lastUpdated":"2000-01-01T02:00:00.000+0200"}`},
		"concurrent slices":    {"users": `{"state_type":"date-range","slices":[{"start":"1999-01-01T00:00:00.000000Z","end":"2000-01-01T00:00:00.000000Z","most_recent_cursor_value":"` + millis + `"}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, oktasim.Config{Users: 80, Groups: 20, Events: 900}, func(t *testing.T, org *oktasim.Org) {
				time.Sleep(time.Hour)
				changed := userIDs(org)[7]
				require.NoError(t, org.UpdateUser(changed, map[string]string{"nickName": "new"}))
				var entries []string
				var list []*streams.Stream
				for stream, blob := range states {
					s, _ := streams.Named(stream)
					list = append(list, s)
					entries = append(entries, strings.Trim(streamState(stream, blob), "[]"))
				}
				state := "[" + strings.Join(entries, ",") + "]"
				// Trim takes the closing bracket of slices too.
				if strings.Contains(state, "slices") {
					state = streamState("users", states["users"])
				}
				p := simRead{set: streams.SetCompatible, streams: list, state: state}.run(t, org)
				requireGood(t, p)
				assert.Equal(t, []string{changed}, p.values("users", "id"))
				if states["logs"] != "" {
					assert.Less(t, p.count("logs"), 60, "the events of the last minutes before the cursor and the new one")
					assert.NotZero(t, p.count("logs"))
				}
			})
		})
	}
}

func TestStatesWithoutACursorMeanEverything(t *testing.T) {
	for _, blob := range []string{`{}`, `null`, `{"__ab_no_cursor_state_message":true}`, `{"__ab_full_refresh_sync_complete":true}`, `{"id":"00u1"}`, `{"lastUpdated":null}`} {
		inBubble(t, oktasim.Config{Users: 20}, func(t *testing.T, org *oktasim.Org) {
			p := simRead{streams: only(streams.Users), state: streamState("users", blob)}.run(t, org)
			requireGood(t, p)
			requireOnce(t, p, org, "users")
		})
	}
}

func TestACursorInTheFutureReadsNothingAndComesBack(t *testing.T) {
	future := map[*streams.Stream]string{
		streams.Users:   `{"lastUpdated":"3021-09-08T07:04:28.000Z"}`,
		streams.Groups:  `{"lastUpdated":"3021-09-08T07:04:28.000Z"}`,
		streams.Logs:    `{"published":"3021-09-08T07:04:28.000Z"}`,
		streams.Devices: `{"lastUpdated":"3021-09-08T07:04:28.000Z"}`,
	}
	for s, blob := range future {
		inBubble(t, oktasim.Config{Users: 20, Groups: 5, Events: 50, Devices: 5}, func(t *testing.T, org *oktasim.Org) {
			p := simRead{streams: only(s), state: streamState(s.Name, blob)}.run(t, org)
			requireGood(t, p)
			assert.Zero(t, p.count(s.Name))
			assert.JSONEq(t, blob, p.stateOf(s.Name).Raw)
			assert.Empty(t, requests(org, s.Path), "Okta is not asked")
		})
	}
}

// TestAStateSurvivesATripThroughTheOfficialConnector has it do what that one does: hand unknown members on unchanged
// while it moves the cursor, and rewrite the cursor in its own form.
func TestAStateSurvivesATripThroughTheOfficialConnector(t *testing.T) {
	inBubble(t, oktasim.Config{Users: 60, Groups: 10, Events: 300}, func(t *testing.T, org *oktasim.Org) {
		list := only(streams.Users, streams.Logs)
		p := simRead{set: streams.SetCompatible, streams: list}.run(t, org)
		requireGood(t, p)
		cursor := p.stateOf("users").Get("lastUpdated").Str
		assert.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`, cursor, "the one form that every version reads")

		// It moved on: what we remember is stale, and nothing after its cursor is lost.
		time.Sleep(time.Hour)
		missed := userIDs(org)[4]
		require.NoError(t, org.UpdateUser(missed, map[string]string{"nickName": "seen by the official one"}))
		moved := time.Now().UTC()
		late := org.AppendEvent("user.session.start", moved.Add(time.Second), moved.Add(time.Second))
		time.Sleep(time.Hour)
		ours := userIDs(org)[5]
		require.NoError(t, org.UpdateUser(ours, map[string]string{"nickName": "after it"}))
		trip := func(s *streams.Stream, at string) string {
			blob := p.stateOf(s.Name).Raw
			return strings.Replace(blob, `"`+s.Cursor.Field+`":"`+p.stateOf(s.Name).Get(s.Cursor.Field).Str+`"`, `"`+s.Cursor.Field+`":"`+at+`"`, 1)
		}
		users := trip(streams.Users, moved.Format("2006-01-02T15:04:05.000000Z"))
		logs := trip(streams.Logs, moved.Format("2006-01-02T15:04:05Z"))
		state := fmt.Sprintf(`[%s,%s]`, unwrap(streamState("users", users)), unwrap(streamState("logs", logs)))
		q := simRead{set: streams.SetCompatible, streams: list, state: state}.run(t, org)
		requireGood(t, q)
		assert.Contains(t, q.values("users", "id"), ours)
		assert.Contains(t, q.values("logs", "uuid"), late)
		assert.LessOrEqual(t, q.count("users"), 2, "the overlap may repeat what the official one has read")

		// It only rewrote the cursor: what we remember still counts, and nothing comes twice.
		same := trip(streams.Users, strings.Replace(cursor, ".000Z", ".000000Z", 1))
		r := simRead{set: streams.SetCompatible, streams: only(streams.Users), state: streamState("users", same)}.run(t, oktasim.New(oktasim.Config{Seed: 5, Users: 60, Groups: 10, Events: 300, Born: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)}))
		requireGood(t, r)
		assert.Zero(t, r.count("users"))
	})
}

func unwrap(array string) string { return array[1 : len(array)-1] }

func TestAConfigOfBefore020IsMigratedWithItsWholeHost(t *testing.T) {
	r := runWith(t, oktasim.New(oktasim.Config{Users: 2}), map[string]string{
		"c.json": `{"token":"` + oktasim.DefaultToken + `","base_url":"https://acme.oktapreview.com/","x":1}`,
	}, nil, "check", "--config", "c.json")
	assert.Zero(t, r.code)
	require.Len(t, r.of("CONTROL"), 1)
	config := r.of("CONTROL")[0].Get("control.connectorConfig.config")
	assert.Equal(t, "api_token", config.Get("credentials.auth_type").Str)
	assert.Contains(t, config.Get("domain").Str, "acme.oktapreview.com")
	assert.Equal(t, int64(1), config.Get("x").Int(), "the whole config, old keys too")
	assert.Equal(t, "SUCCEEDED", r.of("CONNECTION_STATUS")[0].Get("connectionStatus.status").Str)
}

func TestPermissionsOfSeveralRolesKeepTheirRole(t *testing.T) {
	inBubble(t, oktasim.Config{Users: 5, CustomRoles: 6}, func(t *testing.T, org *oktasim.Org) {
		p := simRead{streams: only(streams.Permissions)}.run(t, org)
		requireGood(t, p)
		requireOnce(t, p, org, "permissions")
		keys := map[string]bool{}
		for _, rec := range p.kept["permissions"] {
			keys[rec.Get("roleId").Str+rec.Get("label").Str] = true
		}
		assert.Len(t, keys, p.count("permissions"))

		q := simRead{set: streams.SetCompatible, streams: only(streams.Permissions)}.run(t, org)
		requireGood(t, q)
		assert.NotContains(t, q.kept["permissions"][0].Raw, "roleId", "the compatible set has no such column")
	})
}

func userIDs(org *oktasim.Org) (ids []string) {
	for u := range org.Users() {
		ids = append(ids, u.ID)
	}
	return ids
}

func groupIDs(org *oktasim.Org) (ids []string) {
	for g := range org.Groups() {
		ids = append(ids, g.ID)
	}
	return ids
}
