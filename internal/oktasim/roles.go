package oktasim

import (
	"encoding/base32"
	"slices"
	"strconv"
)

// roleType is a kind of admin role. Roles that can be limited to targets have a pseudo-id, the base32 of their type, which
// therefore is the same for every user and group that holds one.
type roleType struct {
	name, label string
	pseudo      string
}

var roleTypes = [...]roleType{
	{name: "SUPER_ADMIN", label: "Super Organization Administrator"},
	targeted("APP_ADMIN", "Application Administrator"),
	targeted("HELP_DESK_ADMIN", "Help Desk Administrator"),
	{name: "READ_ONLY_ADMIN", label: "Read-only Administrator"},
	targeted("USER_ADMIN", "Group Administrator"),
	{name: "REPORT_ADMIN", label: "Report Administrator"},
	targeted("GROUP_MEMBERSHIP_ADMIN", "Group Membership Administrator"),
	{name: "ORG_ADMIN", label: "Organizational Administrator"},
	{name: "API_ACCESS_MANAGEMENT_ADMIN", label: "API Access Management Administrator"},
	{name: "CUSTOM"},
}

const superAdmin, custom = 0, len(roleTypes) - 1

func targeted(name, label string) roleType {
	return roleType{name, label, base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(name))}
}

// assignment is a role that a user or group holds.
type assignment struct {
	role int // in roleTypes
	id   string
	at   int64
	cr   int // custom roles: the role and the resource set
	set  int
}

// newAssignment is the n-th role of a holder; holder tells users (positive) from groups (negative).
func (w *world) newAssignment(role, holder, n int, at int64) assignment {
	h := w.seed.pair(saltRole, holder, n)
	a := assignment{role: role, at: at, id: roleTypes[role].pseudo}
	switch {
	case role == custom:
		a.cr, a.set = below(h, len(w.roles)), below(h>>20, len(w.sets))
		a.id = w.seed.id(memberIDs, below(h>>8, 1<<26)).String()
	case a.id == "" && holder < 0:
		a.id = w.seed.id(inheritedIDs, below(h>>8, 1<<26)).String()
	case a.id == "":
		a.id = w.seed.id(assignmentIDs, below(h>>8, 1<<26)).String()
	}
	return a
}

func (w *world) isAdminGroup(n int) bool { return n == 2 || (n > 0 && w.seed.at(saltRole, -n)%64 == 0) }

func (w *world) baseGroupRoles(n int, at int64) []assignment {
	if n == everyone || !w.isAdminGroup(n) {
		return nil
	}
	h := w.seed.at(saltRole, -n)
	out := []assignment{w.newAssignment(1+below(h>>8, len(roleTypes)-2), -n, 0, at)}
	if h>>16%3 == 0 {
		out = append(out, w.newAssignment(custom, -n, 1, at))
	}
	return out
}

func (w *world) buildUserRoles() {
	users := w.config.Users
	stride := max(23, users/200)
	var u user
	for n := 0; n < users; n += stride {
		if w.fillUser(n, &u); u.status == "DEPROVISIONED" {
			continue
		}
		h := w.seed.at(saltRole, n)
		role := below(h, len(roleTypes))
		if n == 0 {
			role = superAdmin
		}
		held := []assignment{w.newAssignment(role, n+1, 0, u.created)}
		if h>>16%4 == 0 && role != custom {
			held = append(held, w.newAssignment(custom, n+1, 1, u.created))
		}
		w.userRoles[n] = held
		w.admins = append(w.admins, n)
	}
}

// rolesOf are the roles that /users/{id}/roles lists: those given to the user, then those of the groups they are in.
func (w *world) rolesOf(u *user) []heldRole {
	if u.status == "DEPROVISIONED" {
		return nil
	}
	var out []heldRole
	seen := map[string]bool{}
	for _, a := range w.userRoles[u.n] {
		out = append(out, heldRole{assignment: a, user: u})
		seen[a.id] = true
	}
	for _, n := range w.sortedAdminGroups() {
		if !w.isMember(n, u.n) {
			continue
		}
		g := w.groups.live.get(n, nil)
		for i, a := range g.roles {
			if seen[a.id] {
				// The pseudo-id is taken by a role of the same type, so the inherited one shows an id of its own.
				a.id = w.seed.id(inheritedIDs, below(w.seed.pair(saltRole, u.n+1, -n-i), 1<<26)).String()
			}
			seen[a.id] = true
			out = append(out, heldRole{assignment: a, user: u, group: g})
		}
	}
	return out
}

func (w *world) sortedAdminGroups() []int {
	out := make([]int, 0, len(w.adminGroups))
	for n := range w.adminGroups {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// heldRole is an assignment as a list shows it: of user, or of group (inherited by user if there is one).
type heldRole struct {
	assignment
	user  *user
	group *group
}

func (w *world) appendRole(b []byte, r *heldRole, origin string) []byte {
	t := &roleTypes[r.role]
	b = append(append(append(b, `{"id":"`...), r.id...), `",`...)
	label := t.label
	if r.role == custom {
		b = append(append(append(b, `"role":"`...), w.roles[r.cr].id[:]...), `",`...)
		label = w.roles[r.cr].label
	}
	b = append(append(append(b, `"label":"`...), label...), `","type":"`...)
	b = append(append(b, t.name...), `","status":"ACTIVE",`...)
	b = appendTimeMember(b, "created", r.at)
	b = appendTimeMember(b, "lastUpdated", r.at)
	if r.group == nil {
		b = append(b, `"assignmentType":"USER",`...)
	} else {
		b = append(b, `"assignmentType":"GROUP",`...)
	}
	if r.role == custom {
		b = append(append(append(b, `"resource-set":"`...), w.sets[r.set].id[:]...), `",`...)
	}
	b = append(append(b, `"_links":{"assignee":{"href":"`...), origin...)
	if r.group == nil {
		b = append(append(b, "/api/v1/users/"...), r.user.id[:]...)
	} else {
		b = append(append(b, "/api/v1/groups/"...), r.group.id[:]...)
	}
	b = append(b, `"}`...)
	if r.role == custom {
		role, set := w.roles[r.cr].id[:], w.sets[r.set].id[:]
		b = append(append(append(append(b, `,"resource-set":{"href":"`...), origin...), "/api/v1/iam/resource-sets/"...), set...)
		b = append(append(append(append(b, `"},"member":{"href":"`...), origin...), "/api/v1/iam/resource-sets/"...), set...)
		b = append(append(append(append(append(b, "/bindings/"...), role...), "/members/"...), r.id...), `"},"role":{"href":"`...)
		b = append(append(append(append(b, origin...), "/api/v1/iam/roles/"...), role...), `"},"permissions":{"href":"`...)
		b = append(append(append(append(b, origin...), "/api/v1/iam/roles/"...), role...), `/permissions"}`...)
	}
	return append(b, `}}`...)
}

func listUserRoles(c *call) *apiError {
	u, e := c.pathUser()
	if e != nil {
		return e
	}
	c.appendRoles(c.w.rolesOf(u))
	return nil
}

func listGroupRoles(c *call) *apiError {
	g, e := c.pathGroup()
	if e != nil {
		return e
	}
	var held []heldRole
	for _, a := range g.roles {
		held = append(held, heldRole{assignment: a, group: g})
	}
	c.appendRoles(held)
	return nil
}

func (c *call) appendRoles(held []heldRole) {
	c.b = append(c.b, '[')
	for i := range held {
		if i > 0 {
			c.b = append(c.b, ',')
		}
		c.b = c.w.appendRole(c.b, &held[i], c.origin)
	}
	c.b = append(c.b, ']')
}

// factorKind is a type of factor as /users/{id}/factors shows it.
type factorKind struct {
	prefix, factorType, provider, vendor string
	profile                              func(b []byte, w *world, u *user, h uint64) []byte
}

var factorKinds = [...]factorKind{
	{"emf", "email", "OKTA", "OKTA", func(b []byte, w *world, u *user, _ uint64) []byte {
		return append(w.appendLogin(append(b, `{"email":"`...), u.n), `"}`...)
	}},
	{"opf", "push", "OKTA", "OKTA", func(b []byte, w *world, u *user, h uint64) []byte {
		b = append(w.appendLogin(append(b, `{"credentialId":"`...), u.n), `","deviceType":"SmartPhone_IPhone","keys":[{"kty":"EC","use":"sig","kid":"default","x":"`...)
		b = append(appendBase62(b, h, 43), `","y":"`...)
		return append(appendBase62(b, mix(h), 43), `","crv":"P-256"}],"name":"iPhone","platform":"IOS","version":"18.0.0"}`...)
	}},
	{"mbl", "sms", "OKTA", "OKTA", func(b []byte, _ *world, _ *user, h uint64) []byte {
		return append(strconv.AppendUint(append(b, `{"phoneNumber":"+1555`...), 1_000_000+h%9_000_000, 10), `"}`...)
	}},
	{"ost", "token:software:totp", "OKTA", "OKTA", func(b []byte, w *world, u *user, _ uint64) []byte {
		return append(w.appendLogin(append(b, `{"credentialId":"`...), u.n), `"}`...)
	}},
	{"fwf", "webauthn", "FIDO", "FIDO", func(b []byte, _ *world, _ *user, h uint64) []byte {
		return append(appendBase62(append(b, `{"credentialId":"`...), h, 40), `","authenticatorName":"YubiKey 5"}`...)
	}},
	{"ufs", "question", "OKTA", "OKTA", func(b []byte, _ *world, _ *user, _ uint64) []byte {
		return append(b, `{"question":"disliked_food","questionText":"What is the food you least liked as a child?"}`...)
	}},
}

func (w *world) hasFactor(u *user, kind int) bool {
	return u.status != "STAGED" && w.seed.at(saltFactor, u.n)>>(8*kind)%5 < 2
}

func (w *world) appendFactors(b []byte, u *user, origin string) []byte {
	b = append(b, '[')
	for i := range factorKinds {
		if !w.hasFactor(u, i) {
			continue
		}
		if b[len(b)-1] == '}' {
			b = append(b, ',')
		}
		b = w.appendFactor(b, u, i, origin)
	}
	return append(b, ']')
}

func (w *world) appendFactor(b []byte, u *user, kind int, origin string) []byte {
	k := &factorKinds[kind]
	h := w.seed.pair(saltFactor, u.n, kind)
	id := append(appendBase62([]byte(k.prefix), h, 14), cellSuffix...)
	pending := k.factorType == "sms" && h>>40%8 == 0
	at := u.created + int64(h%5_000_000)*1000
	b = append(append(append(b, `{"id":"`...), id...), `","factorType":"`...)
	b = append(append(append(b, k.factorType...), `","provider":"`...), k.provider...)
	b = append(append(b, `","vendorName":"`...), k.vendor...)
	if pending {
		b = append(b, `","status":"PENDING_ACTIVATION",`...)
	} else {
		b = append(b, `","status":"ACTIVE",`...)
	}
	b = appendTimeMember(b, "created", min(at, w.born))
	b = appendTimeMember(b, "lastUpdated", min(at, w.born))
	b = k.profile(append(b, `"profile":`...), w, u, h)
	href := func(name, path, methods string) {
		b = append(append(append(append(b, '"'), name...), `":{"href":"`...), origin...)
		b = append(append(append(b, "/api/v1/users/"...), u.id[:]...), path...)
		b = append(append(append(b, `","hints":{"allow":[`...), methods...), `]}},`...)
	}
	b = append(b, `,"_links":{`...)
	self := "/factors/" + string(id)
	if pending {
		b = append(append(append(append(b, `"resend":[{"name":"sms","href":"`...), origin...), "/api/v1/users/"...), u.id[:]...)
		b = append(append(append(b, self...), `/resend","hints":{"allow":["POST"]}}],`...), ""...)
		href("activate", self+"/lifecycle/activate", `"POST"`)
	} else if k.factorType != "push" {
		href("verify", self+"/verify", `"POST"`)
	}
	href("self", self, `"GET","DELETE"`)
	href("user", "", `"GET"`)
	b[len(b)-1] = '}'
	return append(b, '}')
}

// listFactors refuses deactivated users as if they didn't exist: okta-sdk-java issue 646.
func listFactors(c *call) *apiError {
	u, e := c.pathUser()
	if e != nil {
		return e
	}
	if u.status == "DEPROVISIONED" {
		return notFound(c.vars[0], "User")
	}
	c.b = c.w.appendFactors(c.b, u, c.origin)
	return nil
}
