package oktasim

import (
	"bytes"
	"strconv"
	"strings"
)

// customRole and resourceSet are what /api/v1/iam lists; a binding is a role on a set, with members.
type customRole struct {
	id          ident
	label       string
	at          int64
	permissions []int // in permissionLabels
}

type resourceSet struct {
	id    ident
	label string
	at    int64
	bound []int // custom roles
}

var permissionLabels = [...]string{
	"okta.users.read", "okta.groups.read", "okta.users.create", "okta.users.userprofile.manage", "okta.users.lifecycle.manage",
	"okta.users.credentials.manage", "okta.users.groupMembership.manage", "okta.groups.members.manage", "okta.apps.read",
	"okta.apps.assignment.manage", "okta.groups.manage", "okta.customizations.read",
}

var roleLabels = [...]string{
	"UserCreator", "GroupMembershipManager", "Auditor", "AppOwner", "ServiceDesk", "RegionalAdmin", "Offboarder", "BrandManager",
}

func (w *world) buildIAM() {
	born := w.config.Born
	w.roles = make([]customRole, max(0, w.config.CustomRoles))
	axis := newAxis(w.seed, saltRoleID, len(w.roles), 0, 400, born, secondly)
	for i := range w.roles {
		h := w.seed.at(saltRoleID, i)
		at, _ := axis.locate(i)
		r := customRole{id: w.seed.id(customRoleIDs, i), label: roleLabels[i%len(roleLabels)], at: at}
		if i >= len(roleLabels) {
			r.label += strconv.Itoa(i)
		}
		for p := range permissionLabels {
			if p == i%len(permissionLabels) || h>>(p*2)%4 == 0 {
				r.permissions = append(r.permissions, p)
			}
		}
		w.roles[i] = r
	}
	w.sets = make([]resourceSet, max(0, w.config.ResourceSets))
	axis = newAxis(w.seed, saltSetID, len(w.sets), 0, 400, born, secondly)
	for i := range w.sets {
		at, _ := axis.locate(i)
		s := resourceSet{id: w.seed.id(setIDs, i), label: "SF-IT-" + strconv.Itoa(i+1), at: at}
		for r := range w.roles {
			if w.seed.pair(saltBinding, i, r)%4 == 0 || r == i {
				s.bound = append(s.bound, r)
			}
		}
		w.sets[i] = s
	}
}

// iamPage writes a page of a list under /api/v1/iam: wrapped in a member, the way on in the body. size items stand from
// 0 on; write appends one. more are further members of _links, each with a comma behind it.
func (c *call) iamPage(member string, size, limit int, write func(b []byte, i int) []byte, more string) *apiError {
	from, e := c.afterPosition()
	if e != nil {
		return e
	}
	asked := -1
	if text := c.query.Get("limit"); text != "" {
		asked, _ = strconv.Atoi(text)
	}
	admin := c.adminOrigin()
	self := c.pageURL(admin, c.query.Get("after"), asked)
	c.links = append(c.links, "<"+self+`>; rel="self"`)
	c.b = append(append(append(c.b, `{"`...), member...), `":[`...)
	end := min(size, from+limit)
	for i := min(from, end); i < end; i++ {
		if i > from {
			c.b = append(c.b, ',')
		}
		c.b = write(c.b, i)
	}
	c.b = append(c.b, `],"_links":{`...)
	if member != "value" { // assignees alone have no self
		c.b = append(append(append(c.b, `"self":{"href":"`...), self...), `"},`...)
	}
	c.b = append(c.b, more...)
	if end < size {
		c.b = append(append(append(c.b, `"next":{"href":"`...), c.pageURL(admin, c.sealPosition(end), asked)...), `"},`...)
	}
	c.b = append(bytes.TrimSuffix(c.b, []byte{','}), "}}"...)
	return nil
}

func (w *world) appendCustomRole(b []byte, r *customRole, admin string) []byte {
	b = append(append(append(b, `{"id":"`...), r.id[:]...), `","label":"`...)
	b = append(append(append(append(b, r.label...), `","description":"May `...), r.label...), `",`...)
	b = appendTimeMember(b, "created", r.at)
	b = appendTimeMember(b, "lastUpdated", r.at)
	b = append(append(append(append(b, `"_links":{"permissions":{"href":"`...), admin...), "/api/v1/iam/roles/"...), r.id[:]...)
	b = append(append(append(b, `/permissions"},"self":{"href":"`...), admin...), "/api/v1/iam/roles/"...)
	return append(append(b, r.id[:]...), `"}}}`...)
}

func listCustomRoles(c *call) *apiError {
	admin := c.adminOrigin()
	return c.iamPage("roles", len(c.w.roles), c.o.config.IAMPage, func(b []byte, i int) []byte {
		return c.w.appendCustomRole(b, &c.w.roles[i], admin)
	}, "")
}

// roleIndex and setIndex also take labels, as Okta does.
func (c *call) roleIndex(text string) (int, *apiError) {
	for i := range c.w.roles {
		if c.w.roles[i].id.String() == text || c.w.roles[i].label == text {
			return i, nil
		}
	}
	return 0, notFound(text, "CustomRole")
}

func (c *call) setIndex(text string) (int, *apiError) {
	for i := range c.w.sets {
		if c.w.sets[i].id.String() == text || c.w.sets[i].label == text {
			return i, nil
		}
	}
	return 0, notFound(text, "IAMPolicy")
}

func (w *world) appendPermission(b []byte, r *customRole, p int, admin string) []byte {
	label := permissionLabels[p]
	b = append(append(append(b, `{"label":"`...), label...), `",`...)
	b = appendTimeMember(b, "created", r.at)
	b = appendTimeMember(b, "lastUpdated", r.at)
	if label == "okta.users.read" && r.at/1000%2 == 0 {
		b = append(b, `"conditions":{"include":{"okta:ResourceAttribute/User/Profile":["city","state","zipCode"]}},`...)
	} else {
		b = append(b, `"conditions":null,`...)
	}
	b = append(append(append(append(b, `"_links":{"role":{"href":"`...), admin...), "/api/v1/iam/roles/"...), r.id[:]...)
	b = append(append(append(append(b, `"},"self":{"href":"`...), admin...), "/api/v1/iam/roles/"...), r.id[:]...)
	return append(append(append(b, "/permissions/"...), label...), `"}}}`...)
}

func listPermissions(c *call) *apiError {
	i, e := c.roleIndex(c.vars[0])
	if e != nil {
		return e
	}
	admin := c.adminOrigin()
	c.b = append(c.b, `{"permissions":[`...)
	for k, p := range c.w.roles[i].permissions {
		if k > 0 {
			c.b = append(c.b, ',')
		}
		c.b = c.w.appendPermission(c.b, &c.w.roles[i], p, admin)
	}
	c.b = append(c.b, "]}"...)
	return nil
}

func (w *world) appendResourceSet(b []byte, s *resourceSet, admin string) []byte {
	b = append(append(append(b, `{"id":"`...), s.id[:]...), `","label":"`...)
	b = append(append(append(append(b, s.label...), `","description":"Resources of `...), s.label...), `",`...)
	b = appendTimeMember(b, "created", s.at)
	b = appendTimeMember(b, "lastUpdated", s.at)
	b = append(b, `"_links":{`...)
	for _, l := range [...]struct{ name, path string }{{"self", ""}, {"resources", "/resources"}, {"bindings", "/bindings"}} {
		b = append(append(append(append(b, '"'), l.name...), `":{"href":"`...), admin...)
		b = append(append(append(append(b, "/api/v1/iam/resource-sets/"...), s.id[:]...), l.path...), `"},`...)
	}
	b[len(b)-1] = '}'
	return append(b, '}')
}

func listResourceSets(c *call) *apiError {
	admin := c.adminOrigin()
	return c.iamPage("resource-sets", len(c.w.sets), c.o.config.IAMPage, func(b []byte, i int) []byte {
		return c.w.appendResourceSet(b, &c.w.sets[i], admin)
	}, "")
}

func (w *world) appendBinding(b []byte, s *resourceSet, r *customRole, admin string) []byte {
	b = append(append(append(b, `{"id":"`...), r.id[:]...), `","_links":{"self":{"href":"`...)
	b = append(append(append(append(b, admin...), "/api/v1/iam/roles/"...), r.id[:]...), `"},"members":{"href":"`...)
	b = append(append(append(append(b, admin...), "/api/v1/iam/resource-sets/"...), s.id[:]...), "/bindings/"...)
	return append(append(b, r.id[:]...), `/members"}}}`...)
}

func listBindings(c *call) *apiError {
	i, e := c.setIndex(c.vars[0])
	if e != nil {
		return e
	}
	s, admin := &c.w.sets[i], c.adminOrigin()
	more := `"resource-set":{"href":"` + admin + "/api/v1/iam/resource-sets/" + s.id.String() + `"},`
	return c.iamPage("roles", len(s.bound), c.o.config.IAMPage, func(b []byte, k int) []byte {
		return c.w.appendBinding(b, s, &c.w.roles[s.bound[k]], admin)
	}, more)
}

// bindingSize is how many members the binding of a role on a set has; the first of each set needs more than a page.
func (w *world) bindingSize(set, role int) int {
	if w.config.Users == 0 {
		return 0
	}
	h := w.seed.pair(saltBinding, set, role)
	if w.sets[set].bound[0] == role {
		return w.config.IAMPage + 1 + below(h>>8, 2*w.config.IAMPage)
	}
	return below(h>>8, 8)
}

func (w *world) appendBindingMember(b []byte, set, role, k int, admin string) []byte {
	h := w.seed.pair(saltMemberID, set<<20+role, k)
	id := w.seed.id(memberIDs, set<<16+role<<8+k)
	at := w.sets[set].at + int64(k)*60_000
	b = append(append(append(b, `{"id":"`...), id[:]...), `",`...)
	b = appendTimeMember(b, "created", at)
	b = appendTimeMember(b, "lastUpdated", at)
	b = append(append(b, `"_links":{"self":{"href":"`...), admin...)
	if h%3 == 0 && w.config.Groups > 0 {
		g := w.groups.live.get(1+below(h>>8, w.config.Groups), nil)
		if g != nil {
			return append(append(append(b, "/api/v1/groups/"...), g.id[:]...), `"}}}`...)
		}
	}
	u := w.userID(below(h>>8, w.config.Users))
	return append(append(append(b, "/api/v1/users/"...), u[:]...), `"}}}`...)
}

func listBindingMembers(c *call) *apiError {
	set, e := c.setIndex(c.vars[0])
	if e != nil {
		return e
	}
	role, e := c.roleIndex(c.vars[1])
	if e != nil {
		return e
	}
	bound := false
	for _, r := range c.w.sets[set].bound {
		bound = bound || r == role
	}
	if !bound {
		return notFound(c.vars[1], "IAMPolicyBinding")
	}
	admin := c.adminOrigin()
	self, _, _ := strings.Cut(c.pageURL(admin, "", -1), "/members")
	return c.iamPage("members", c.w.bindingSize(set, role), c.o.config.IAMPage, func(b []byte, k int) []byte {
		return c.w.appendBindingMember(b, set, role, k, admin)
	}, `"binding":{"href":"`+self+`"},`)
}

// listAssignees lists the users that were given a role themselves. Those who have one through a group are not here.
func listAssignees(c *call) *apiError {
	limit, e := c.limit(100, 1, 200)
	if e != nil {
		return e
	}
	admin := c.adminOrigin()
	return c.iamPage("value", len(c.w.admins), limit, func(b []byte, i int) []byte {
		id := c.w.userID(c.w.admins[i])
		b = append(append(append(b, `{"id":"`...), id[:]...), `","orn":"orn:okta:directory:`...)
		b = append(append(append(append(b, c.w.orgID[:]...), ":users:"...), id[:]...), `","_links":{"self":{"href":"`...)
		b = append(append(append(append(b, admin...), "/api/v1/users/"...), id[:]...), `"},"roles":{"href":"`...)
		return append(append(append(append(b, admin...), "/api/v1/users/"...), id[:]...), `/roles"}}}`...)
	}, "")
}
