package oktasim_test

import (
	"runtime"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"source-okta/internal/oktasim"
)

func itoa(n int) string { return strconv.Itoa(n) }

var born = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func TestTheSameSeedMakesTheSameWorld(t *testing.T) {
	make := func(seed uint64) []string {
		clock := func() time.Time { return born.Add(time.Hour) }
		o := oktasim.New(oktasim.Config{Seed: seed, Users: 80, Groups: 20, Apps: 9, Events: 200, Devices: 30, Born: born, Clock: clock, Late: 0.1})
		o.Mutate(200)
		var all []string
		for _, stream := range oktasim.Streams() {
			all = append(all, collect(o, stream)...)
		}
		return all
	}
	assert.Equal(t, make(4), make(4))
	assert.NotEqual(t, make(4), make(5))
}

func TestAMillionUsersCostNothingToSetUp(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	o := oktasim.New(oktasim.Config{Seed: 1, Users: 1_000_000, Groups: 1000, Apps: 100, Events: 1_000_000, Devices: 100_000, Late: 0.02})
	runtime.ReadMemStats(&after)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20))

	a := get(t, o, "/api/v1/users"+query("search", `lastUpdated ge "1970-01-01T00:00:00.000Z"`, "sortBy", "lastUpdated", "sortOrder", "desc", "limit", "200"))
	assert.Len(t, gjson.Parse(a.body).Array(), 200)
	a = get(t, o, a.link("next"))
	assert.Len(t, gjson.Parse(a.body).Array(), 200)
	a = get(t, o, "/api/v1/logs?limit=1000")
	assert.Len(t, gjson.Parse(a.body).Array(), 1000)
}

func TestTheZeroOrgIsEmptyButWhole(t *testing.T) {
	o := oktasim.New(oktasim.Config{})
	for _, path := range []string{"/api/v1/users", "/api/v1/apps", "/api/v1/devices", "/api/v1/logs"} {
		assert.Equal(t, "[]", get(t, o, path).body, path)
	}
	groups, _ := walk(t, o, "/api/v1/groups", "")
	require.Len(t, groups, 1)
	assert.Equal(t, "BUILT_IN", gjson.Get(groups[0], "type").String())
	o.Mutate(100)
	id := o.CreateUser(map[string]string{"nickName": `O"x`})
	a := get(t, o, "/api/v1/users/"+id)
	assert.Equal(t, `O"x`, gjson.Get(a.body, "profile.nickName").String())
}

func TestDeactivatedUsersHideFromThePlainList(t *testing.T) {
	o := smallOrg()
	plain, _ := walk(t, o, "/api/v1/users", "")
	filtered, _ := walk(t, o, "/api/v1/users"+query("filter", `lastUpdated gt "1970-01-01T00:00:00.000Z"`), "")
	gone, _ := walk(t, o, "/api/v1/users"+query("filter", `status eq "DEPROVISIONED"`), "")
	require.NotEmpty(t, gone)
	assert.Len(t, filtered, 200)
	assert.Len(t, plain, 200-len(gone))

	id := gjson.Get(gone[0], "id").String()
	assert.Equal(t, 200, get(t, o, "/api/v1/users/"+id).StatusCode)
	a := get(t, o, "/api/v1/users/"+id+"/factors")
	assert.Equal(t, 404, a.StatusCode)
	assert.Equal(t, "Not found: Resource not found: "+id+" (User)", gjson.Get(a.body, "errorSummary").String())
	assert.Equal(t, "E0000007", a.code())
}

func TestGroupsSayHowManyMembersTheyHave(t *testing.T) {
	o := oktasim.New(oktasim.Config{Seed: 2, Users: 800, Groups: 200, Apps: 30})
	groups, _ := walk(t, o, "/api/v1/groups?expand=stats", "")
	empty, admins, total := 0, 0, 0
	for _, g := range groups {
		id := gjson.Get(g, "id").String()
		members, _ := walk(t, o, "/api/v1/groups/"+id+"/users", "")
		assert.Equal(t, int(gjson.Get(g, "_embedded.stats.usersCount").Int()), len(members))
		held, _ := walk(t, o, "/api/v1/groups/"+id+"/roles", "")
		assert.Equal(t, gjson.Get(g, "_embedded.stats.hasAdminPrivilege").Bool(), len(held) > 0)
		if len(held) > 0 {
			admins++
			assert.NotEmpty(t, members)
		}
		if len(members) == 0 {
			empty++
		}
		if gjson.Get(g, "type").String() == "BUILT_IN" {
			assert.Len(t, members, 800)
		} else {
			total += len(members)
		}
	}
	assert.InDelta(t, 0.35, float64(empty)/200, 0.1)
	assert.Positive(t, admins)
	assert.Greater(t, total, 2000)

	for key, want := range map[string]string{"hasAdminPrivileges": "hasAdminPrivileges", "-": ""} {
		o := oktasim.New(oktasim.Config{Groups: 1, StatsAdminKey: key})
		stats := gjson.Get(get(t, o, "/api/v1/groups?expand=stats").body, "0._embedded.stats")
		assert.Equal(t, want != "", stats.Get("hasAdminPrivileges").Exists())
		assert.False(t, stats.Get("hasAdminPrivilege").Exists())
	}
}

func TestRolesAreInheritedFromGroups(t *testing.T) {
	o := smallOrg()
	assignees, _ := walk(t, o, "/api/v1/iam/assignees/users?limit=5", "value")
	direct := ids(assignees)
	require.NotEmpty(t, direct)
	inherited, hidden := 0, 0
	byID := map[string]int{}
	for u := range o.Users() {
		roles, _ := walk(t, o, "/api/v1/users/"+u.ID+"/roles", "")
		own := map[string]bool{}
		for _, r := range roles {
			id := gjson.Get(r, "id").String()
			assert.False(t, own[id], "ids of a user's roles differ")
			own[id] = true
			byID[id]++
			if gjson.Get(r, "assignmentType").String() == "GROUP" {
				inherited++
				assert.Contains(t, gjson.Get(r, "_links.assignee.href").String(), "/api/v1/groups/00g")
				if !slices.Contains(direct, u.ID) {
					hidden++
				}
			} else {
				assert.Contains(t, direct, u.ID)
			}
		}
	}
	assert.Positive(t, inherited)
	assert.Positive(t, hidden, "assignees doesn't list who has a role through a group only")
	repeated := 0
	for _, n := range byID {
		repeated = max(repeated, n)
	}
	assert.Greater(t, repeated, 1, "pseudo-ids repeat between users")
}

func TestChangesMoveTheDatesThatOktaMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := oktasim.New(oktasim.Config{Seed: 1, Users: 50, Groups: 10, Devices: 5, Events: 0})
		user := func(id string) gjson.Result { return gjson.Parse(get(t, o, "/api/v1/users/"+id).body) }
		group := func(id string) gjson.Result { return gjson.Parse(get(t, o, "/api/v1/groups/"+id).body) }
		events := func() (types []string) {
			for e := range o.Events() {
				types = append(types, e.Type)
			}
			return types
		}
		stamp := func() string { return time.Now().UTC().Truncate(time.Second).Format("2006-01-02T15:04:05.000Z") }

		time.Sleep(90 * time.Second)
		id := o.CreateUser(map[string]string{"firstName": "New"})
		assert.Equal(t, stamp(), user(id).Get("lastUpdated").String())
		assert.Equal(t, "New", user(id).Get("profile.firstName").String())
		made := o.CreateGroup("Made")
		created := stamp()

		time.Sleep(90*time.Second + 300*time.Millisecond)
		before := user(id)
		require.NoError(t, o.AddMember(made, id))
		assert.Equal(t, created, group(made).Get("lastUpdated").String())
		assert.Equal(t, stamp(), group(made).Get("lastMembershipUpdated").String())
		assert.Equal(t, before.Raw, user(id).Raw, "a membership is the group's affair")
		require.NoError(t, o.AddMember(made, id))
		members, _ := walk(t, o, "/api/v1/groups/"+made+"/users", "")
		assert.Equal(t, []string{id}, ids(members))

		time.Sleep(90 * time.Second)
		joined := group(made).Get("lastMembershipUpdated").String()
		require.NoError(t, o.UpdateGroup(made))
		assert.Equal(t, stamp(), group(made).Get("lastUpdated").String())
		assert.Equal(t, joined, group(made).Get("lastMembershipUpdated").String())
		require.NoError(t, o.UpdateUser(id, map[string]string{"city": "Oslo"}))
		assert.Equal(t, stamp(), user(id).Get("lastUpdated").String())
		assert.Equal(t, "Oslo", user(id).Get("profile.city").String())
		require.NoError(t, o.GrantUserRole(id, "APP_ADMIN"))
		assert.Equal(t, "IFIFAX2BIRGUSTQ", gjson.Get(get(t, o, "/api/v1/users/"+id+"/roles").body, "0.id").String())
		require.NoError(t, o.DeactivateUser(id))
		assert.Equal(t, "DEPROVISIONED", user(id).Get("status").String())
		members, _ = walk(t, o, "/api/v1/groups/"+made+"/users", "")
		assert.Equal(t, []string{id}, ids(members), "the deactivated stay in their groups")
		require.NoError(t, o.DeleteUser(id))
		assert.Equal(t, 404, get(t, o, "/api/v1/users/"+id).StatusCode)
		assert.Equal(t, joined, group(made).Get("lastMembershipUpdated").String())
		assert.Zero(t, gjson.Get(get(t, o, "/api/v1/groups/"+made+"?expand=stats").body, "_embedded.stats.usersCount").Int())
		require.NoError(t, o.DeleteGroup(made))
		assert.Equal(t, "E0000007", get(t, o, "/api/v1/groups/"+made+"/users").code())
		assert.Equal(t, []string{
			"user.lifecycle.create", "group.lifecycle.create", "group.user_membership.add", "group.profile.update",
			"user.account.update_profile", "user.account.privilege.grant", "user.lifecycle.deactivate",
			"user.lifecycle.delete.initiated", "user.lifecycle.delete.completed", "group.lifecycle.delete",
		}, events())
		assert.ErrorIs(t, o.UpdateUser(id, nil), oktasim.ErrUnknown)
		assert.ErrorIs(t, o.AddMember(made, id), oktasim.ErrUnknown)
	})
}

func TestSearchLearnsOfChangesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := oktasim.New(oktasim.Config{Seed: 1, Users: 50, Groups: 4, IndexLag: 10 * time.Second})
		since := o.Now().UTC().Format("2006-01-02T15:04:05.000Z")
		found := func(path string) int {
			records, _ := walk(t, o, path+query("search", `lastUpdated ge "`+since+`"`), "")
			return len(records)
		}
		time.Sleep(time.Second)
		var some []string
		for u := range o.Users() {
			some = append(some, u.ID)
		}
		require.NoError(t, o.UpdateUser(some[3], nil))
		id := o.CreateUser(nil)
		o.CreateGroup("New")
		require.NoError(t, o.DeleteUser(some[4]))
		assert.Equal(t, 200, get(t, o, "/api/v1/users/"+id).StatusCode, "an id look-up is current")
		assert.Zero(t, found("/api/v1/users"))
		time.Sleep(9*time.Second + 999*time.Millisecond)
		assert.Zero(t, found("/api/v1/users"))
		assert.Zero(t, found("/api/v1/groups"))
		all, _ := walk(t, o, "/api/v1/users"+query("filter", `lastUpdated gt "1970-01-01T00:00:00.000Z"`), "")
		assert.Len(t, all, 50, "the index still has the deleted user and not yet the new one")
		time.Sleep(time.Millisecond)
		assert.Equal(t, 2, found("/api/v1/users"))
		assert.Equal(t, 1, found("/api/v1/groups"))
		all, _ = walk(t, o, "/api/v1/users"+query("filter", `lastUpdated gt "1970-01-01T00:00:00.000Z"`), "")
		assert.Len(t, all, 50)
	})
}

func TestJitterLetsLaterChangesShowFirstButKeepsARecordsOwnInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := oktasim.New(oktasim.Config{Seed: 6, Users: 200, IndexLagJitter: time.Minute})
		var all []string
		for u := range o.Users() {
			all = append(all, u.ID)
		}
		overtaken, greatest := false, ""
		shown := map[string]string{}
		for i := range 100 {
			require.NoError(t, o.UpdateUser(all[i%40], nil))
			time.Sleep(time.Second)
			records, _ := walk(t, o, "/api/v1/users"+query("search", `lastUpdated ge "1999-12-01T00:00:00.000Z"`, "sortBy", "lastUpdated"), "")
			for _, r := range records {
				id, at := gjson.Get(r, "id").String(), gjson.Get(r, "lastUpdated").String()
				assert.LessOrEqual(t, shown[id], at)
				if shown[id] != at && at < greatest {
					overtaken = true
				}
				shown[id], greatest = at, max(greatest, at)
			}
		}
		assert.True(t, overtaken)
		time.Sleep(time.Minute)
		records, _ := walk(t, o, "/api/v1/users"+query("search", "id pr"), "")
		var exists []string
		for r := range o.Records("users", "") {
			exists = append(exists, string(r.JSON))
		}
		assert.ElementsMatch(t, exists, records)
	})
}
