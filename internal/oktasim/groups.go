package oktasim

import (
	"math"
	"strconv"
	"strings"
)

// Groups are few beside users, so all of them are in the tables; group 0 is Everyone.

type group struct {
	head
	kind        string // BUILT_IN, OKTA_GROUP or APP_GROUP
	created     int64
	name        string
	description string // "" is null
	app         int    // APP_GROUP: the app it comes from
	usersCount  int
	appsCount   int
	roles       []assignment
	revision    int
}

const everyone = 0

func (w *world) buildGroups() {
	w.memberSets = make([]members, w.config.Groups+1)
	for n := range w.memberSets {
		w.memberSets[n] = w.makeMembers(n)
	}
	axis := newAxis(w.seed, saltGroup, w.config.Groups, w.config.BulkGroups, 1095, w.config.Born, secondly)
	w.groupAxis = axis
	all := make([]*group, 0, w.config.Groups+1)
	start := axis.start
	all = append(all, &group{
		head: head{n: everyone, id: w.seed.id(groupIDs, 0), updated: start, membership: max(start, w.newestUser())},
		kind: "BUILT_IN", created: start, name: "Everyone", description: "All users in your organization",
		usersCount: w.config.Users,
	})
	for i := range w.config.Groups {
		at, seq := axis.locate(i)
		h := w.seed.at(saltGroup, i)
		g := &group{
			head:    head{n: i + 1, id: w.seed.id(groupIDs, seq+1), updated: at},
			kind:    "OKTA_GROUP",
			created: at - int64(h%(400*86_400))*1000,
			name:    departments[below(h>>8, len(departments))] + " " + groupSuffixes[below(h>>16, len(groupSuffixes))] + " " + strconv.Itoa(i+1),
		}
		if h>>24%3 > 0 {
			g.description = "Members of \"" + g.name + "\",\nkept by IT – see wiki\\groups"
		}
		if h>>28%8 == 0 && w.config.Apps > 0 {
			g.kind, g.app = "APP_GROUP", below(h>>32, w.config.Apps)
		}
		g.usersCount = w.baseMembers(g.n).size
		g.membership = g.created
		if g.usersCount > 0 {
			g.membership += int64(unit(w.seed.at(saltGroupTime, i))*float64(w.born-g.created)) / 1000 * 1000
		}
		g.appsCount = w.appsOfGroup[g.n]
		g.roles = w.baseGroupRoles(g.n, g.created)
		all = append(all, g)
	}
	w.groups.live.load(all)
	w.groups.index.load(all)
	for _, g := range all {
		if len(g.roles) > 0 {
			w.adminGroups[g.n] = true
		}
	}
	w.nextGroup = len(all)
}

var groupSuffixes = [...]string{
	"Leads", "Contractors", "EMEA", "AMER", "APAC", "Pilot", "VPN", "On-call", "Managers", "Read only", "Builders", "Interns",
}

// newestUser is when the last base user was made or changed: Everyone's membership is at least as new.
func (w *world) newestUser() int64 {
	if w.config.Users == 0 {
		return 0
	}
	return w.userAxis.at(w.config.Users - 1)
}

func (w *world) appendGroup(b []byte, g *group, origin, statsKey string) []byte {
	id := g.id[:]
	b = append(append(append(b, `{"id":"`...), id...), `",`...)
	b = appendTimeMember(b, "created", g.created)
	b = appendTimeMember(b, "lastUpdated", g.updated)
	b = appendTimeMember(b, "lastMembershipUpdated", g.membership)
	if g.kind == "APP_GROUP" {
		b = append(b, `"objectClass":["okta:windows_security_principal"],"type":"APP_GROUP","profile":{"name":`...)
	} else {
		b = append(append(append(b, `"objectClass":["okta:user_group"],"type":"`...), g.kind...), `","profile":{"name":`...)
	}
	b = appendJSON(b, g.name)
	b = append(b, `,"description":`...)
	if g.description == "" {
		b = append(b, "null"...)
	} else {
		b = appendJSON(b, g.description)
	}
	if g.kind == "APP_GROUP" {
		account := strings.ReplaceAll(g.name, " ", "_")
		b = appendJSON(append(b, `,"samAccountName":`...), account)
		b = appendJSON(append(b, `,"windowsDomainQualifiedName":`...), `ACME\`+account)
		b = appendJSON(append(b, `,"dn":`...), "CN="+g.name+",OU=Groups,DC=acme,DC=example,DC=com")
		b = append(appendHex(append(b, `,"externalId":"`...), w.seed.at(saltGroup, g.n), 16), '"')
	}
	b = append(b, '}')
	if statsKey != "" {
		b = append(b, `,"_embedded":{"stats":{"usersCount":`...)
		b = strconv.AppendInt(b, int64(g.usersCount), 10)
		b = append(b, `,"appsCount":`...)
		b = strconv.AppendInt(b, int64(g.appsCount), 10)
		b = append(b, `,"groupPushMappingsCount":0`...)
		if statsKey != "-" {
			b = append(append(append(b, `,"`...), statsKey...), `":`...)
			b = appendBool(b, len(g.roles) > 0)
		}
		b = append(b, `}}`...)
	}
	b = append(b, `,"_links":{"logo":[`...)
	b = append(b, groupLogos...)
	b = append(append(append(b, `],"users":{"href":"`...), origin...), "/api/v1/groups/"...)
	b = append(append(append(b, id...), `/users"},"apps":{"href":"`...), origin...)
	b = append(append(append(b, "/api/v1/groups/"...), id...), `/apps"}`...)
	if g.kind == "APP_GROUP" {
		b = append(append(append(b, `,"source":{"href":"`...), origin...), "/api/v1/apps/"...)
		b = append(append(b, w.apps[g.app].id[:]...), `"}`...)
	}
	return append(b, `}}`...)
}

const groupLogos = `{"name":"medium","href":"https://ok12static.oktacdn.com/assets/img/logos/groups/odyssey/okta-medium.1a5ebe44c4244fb796c235d86b47e3bb.png","type":"image/png"},` +
	`{"name":"large","href":"https://ok12static.oktacdn.com/assets/img/logos/groups/odyssey/okta-large.d9cfbd8a00a4feac1aa5612ba02e99c0.png","type":"image/png"}`

func (w *world) groupByID(id string) *group {
	seq, ok := w.seed.seq(groupIDs, id)
	if !ok {
		return nil
	}
	n := seq
	if seq > 0 && seq <= w.groupAxis.n {
		i, _ := w.groupAxis.indexOf(seq - 1)
		n = i + 1
	}
	return w.groups.live.get(n, nil)
}

func (c *call) pathGroup() (*group, *apiError) {
	if g := c.w.groupByID(c.vars[0]); g != nil {
		return g, nil
	}
	return nil, notFound(c.vars[0], "UserGroup")
}

func getGroup(c *call) *apiError {
	g, e := c.pathGroup()
	if e != nil {
		return e
	}
	c.b = c.w.appendGroup(c.b, g, c.origin, c.statsKey())
	return nil
}

// statsKey is the name of the admin flag if the request expands stats, else "".
func (c *call) statsKey() string {
	for _, part := range strings.Split(c.query.Get("expand"), ",") {
		if strings.TrimSpace(part) == "stats" {
			return c.o.config.StatsAdminKey
		}
	}
	return ""
}

func listGroups(c *call) *apiError {
	search, filter, q := c.query.Get("search"), c.query.Get("filter"), c.query.Get("q")
	if search != "" && filter != "" {
		return searchAndFilter()
	}
	stats := c.statsKey()
	l := listing[group, *group]{
		table: c.w.groups.live,
		want:  anything[group](),
		write: func(b []byte, g *group) []byte { return c.w.appendGroup(b, g, c.origin, stats) },
		def:   200, low: 1, high: 10000,
	}
	var e *apiError
	switch {
	case search != "":
		l.table = c.w.groups.index
		l.sortBy = c.w.groupWords
		if l.want, e = compile(search, c.w.groupWords, false); e != nil {
			return e
		}
	case filter != "":
		l.table = c.w.groups.index
		if l.want, e = compile(filter, c.w.groupFilterWords, true); e != nil {
			return e
		}
	case q != "":
		l.def, l.whole = 300, true
		q = strings.ToLower(q)
		l.want.match = func(g *group) bool { return strings.HasPrefix(strings.ToLower(g.name), q) }
	}
	return l.page(c)
}

func (w *world) groupWords(name string) (attribute[group], bool) {
	text := func(get func(*group) string, ops []operator) (attribute[group], bool) {
		return attribute[group]{text: get, ops: ops}, true
	}
	at := func(get func(*group) int64) (attribute[group], bool) {
		return attribute[group]{at: get, ops: timeSearch}, true
	}
	switch name {
	case "id":
		return text(func(g *group) string { return g.id.String() }, textTests)
	case "type":
		return text(func(g *group) string { return g.kind }, textTests)
	case "source.id":
		return text(func(g *group) string {
			if g.kind != "APP_GROUP" {
				return ""
			}
			return w.apps[g.app].id.String()
		}, textTests)
	case "created":
		return at(func(g *group) int64 { return g.created })
	case "lastUpdated":
		return at(func(g *group) int64 { return g.updated })
	case "lastMembershipUpdated":
		return at(func(g *group) int64 { return g.membership })
	case "profile.name":
		return text(func(g *group) string { return g.name }, nameTests)
	case "profile.description":
		return text(func(g *group) string { return g.description }, nameTests)
	case "profile.samAccountName":
		return text(func(g *group) string {
			if g.kind != "APP_GROUP" {
				return ""
			}
			return strings.ReplaceAll(g.name, " ", "_")
		}, textTests)
	}
	return attribute[group]{}, false
}

func (w *world) groupFilterWords(name string) (attribute[group], bool) {
	switch name {
	case "id", "type":
		a, ok := w.groupWords(name)
		a.ops = equality
		return a, ok
	case "lastUpdated", "lastMembershipUpdated":
		a, ok := w.groupWords(name)
		a.ops = timeTests
		return a, ok
	}
	return attribute[group]{}, false
}

// members are the base members of a group: an arithmetic progression over the users, so that both "who is in it" and
// "is this user in it" cost nothing.
type members struct {
	size, start, step, inverse int
}

func (w *world) baseMembers(n int) members {
	if n >= len(w.memberSets) {
		return members{}
	}
	return w.memberSets[n]
}

// makeMembers is skewed: a third of the groups is empty, most are small, a few hold a good part of the org. Groups that
// hold an admin role are small and never empty.
func (w *world) makeMembers(n int) members {
	users := w.config.Users
	if users == 0 {
		return members{}
	}
	if n == everyone {
		return members{size: users, start: 0, step: 1, inverse: 1}
	}
	h := w.seed.at(saltGroupSize, n)
	m := members{}
	switch {
	case w.isAdminGroup(n):
		m.size = 2 + below(h, 9)
	case h%100 < 35:
		return m
	default:
		// Log-normal: the median has 15 members.
		u1, u2 := unit(mix(h)), unit(mix(h+1))
		normal := math.Sqrt(-2*math.Log(1-u1)) * math.Cos(2*math.Pi*u2)
		m.size = 1 + int(15*math.Exp(1.3*normal))
	}
	return spread(w.seed.at(saltGroupMembers, n), min(m.size, max(1, users/2)), users)
}

// spread picks size of n numbers.
func spread(h uint64, size, n int) members {
	m := members{size: size, start: below(h, n), step: 1 + below(h>>24, n)}
	for gcd(m.step, n) != 1 {
		m.step++
	}
	m.step %= n
	m.inverse = inverse(m.step, n)
	return m
}

// at is the number of the k-th member.
func (m members) at(k, users int) int {
	return int((uint64(m.start) + uint64(k)*uint64(m.step)) % uint64(users))
}

func (m members) has(user, users int) bool {
	if m.size == 0 || user >= users {
		return false
	}
	d := (user - m.start + users) % users
	return int(uint64(d)*uint64(m.inverse)%uint64(users)) < m.size
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// inverse is the multiplicative inverse of a modulo m; a and m have no common divisor.
func inverse(a, m int) int {
	if m == 1 {
		return 0
	}
	t, next, r, rest := 0, 1, m, a%m
	for rest != 0 {
		q := r / rest
		t, next = next, t-q*next
		r, rest = rest, r-q*rest
	}
	return (t + m) % m
}

// roster is what mutations did to a group's members.
type roster struct {
	removed map[int]bool // base members that left
	added   []int        // users in the order they came; -1 where one left again
	where   map[int]int  // place in added
}

func (w *world) isMember(g, user int) bool {
	if r := w.rosters[g]; r != nil {
		if _, ok := r.where[user]; ok {
			return true
		}
		if r.removed[user] {
			return false
		}
	}
	return w.baseMembers(g).has(user, w.config.Users)
}

// eachMember visits members from a position on; the position stays valid while members come and go.
func (w *world) eachMember(g, from int, visit func(position, user int) bool) {
	m := w.baseMembers(g)
	r := w.rosters[g]
	for k := from; k < m.size; k++ {
		n := m.at(k, w.config.Users)
		if r != nil && r.removed[n] {
			continue
		}
		if !visit(k, n) {
			return
		}
	}
	if r == nil {
		return
	}
	for k := max(0, from-m.size); k < len(r.added); k++ {
		if r.added[k] >= 0 && !visit(m.size+k, r.added[k]) {
			return
		}
	}
}

// listMembers lists members whatever their status: Okta keeps deactivated users in their groups.
func listMembers(c *call) *apiError {
	g, e := c.pathGroup()
	if e != nil {
		return e
	}
	limit, e := c.limit(1000, 1, 1000)
	if e != nil {
		return e
	}
	from, e := c.afterPosition()
	if e != nil {
		return e
	}
	c.selfLink(limit)
	shape := c.userShape()
	c.b = append(c.b, '[')
	var scratch user
	written, next := 0, 0
	c.w.eachMember(g.n, from, func(position, n int) bool {
		u := c.w.users.live.get(n, &scratch)
		if u == nil {
			return true
		}
		if written == limit {
			c.nextLink(c.sealPosition(next), limit)
			return false
		}
		if written > 0 {
			c.b = append(c.b, ',')
		}
		c.b = c.w.appendUser(c.b, u, c.origin, shape)
		written++
		next = position + 1
		return true
	})
	c.b = append(c.b, ']')
	return nil
}
