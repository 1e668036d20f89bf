package oktasim

import (
	"sort"
	"strconv"
	"strings"
)

// user is what is known of a user beside what their number says.
type user struct {
	head
	status                                                    string
	created, activated, statusChanged, lastLogin, passwordSet int64 // ms; 0: null
	revision                                                  int
	profile                                                   map[string]string // set by mutations
}

var userStatuses = [...]struct {
	below  uint64 // per mille
	status string
}{
	{790, "ACTIVE"},
	{850, "DEPROVISIONED"},
	{885, "SUSPENDED"},
	{915, "STAGED"},
	{945, "PROVISIONED"},
	{965, "PASSWORD_EXPIRED"},
	{985, "LOCKED_OUT"},
	{1000, "RECOVERY"},
}

// Even the smallest org has these.
var firstStatuses = [...]string{"ACTIVE", "DEPROVISIONED", "ACTIVE", "SUSPENDED"}

// fillUser sets u to base user i.
func (w *world) fillUser(i int, u *user) {
	at, seq := w.userAxis.locate(i)
	h := w.seed.at(saltUser, i)
	*u = user{head: head{n: i, id: w.seed.id(userIDs, seq), updated: at}}
	if i < len(firstStatuses) {
		u.status = firstStatuses[i]
	} else {
		for _, s := range userStatuses {
			if h%1000 < s.below {
				u.status = s.status
				break
			}
		}
	}
	times := w.seed.at(saltUserTime, i)
	u.created = at - int64(times%(700*86_400))*1000
	switch u.status {
	case "STAGED":
	case "PROVISIONED":
		u.activated, u.statusChanged = u.created+1000, u.created+1000
	default:
		u.activated = min(at, u.created+1000)
		u.statusChanged = at - int64(times>>24%3)*3_600_000
		u.passwordSet = at - int64(times>>28%90)*86_400_000
		u.statusChanged = max(u.statusChanged, u.activated)
		u.passwordSet = max(u.passwordSet, u.activated)
		// A login does not move lastUpdated, so lastLogin is mostly later.
		if times>>36%8 > 0 {
			u.lastLogin = at + int64(unit(mix(times))*float64(w.born-at))/1000*1000
		}
	}
}

// names are derived from the number, so a login never needs to be stored.
func (w *world) userNames(n int) (first, last int) {
	h := w.seed.at(saltUserName, n)
	return below(h, len(firstNames)), below(h>>20, len(lastNames))
}

func (w *world) appendLogin(b []byte, n int) []byte {
	f, l := w.userNames(n)
	b = append(b, asciiFirst[f]...)
	b = append(b, '.')
	b = append(b, asciiLast[l]...)
	b = strconv.AppendInt(b, int64(n), 10)
	return append(b, "@example.com"...)
}

// appendProfileMember writes `"name":value,`, the value as a mutation set it or else as given.
func (u *user) appendProfileMember(b []byte, name string, value func([]byte) []byte) []byte {
	b = append(b, '"')
	b = append(b, name...)
	b = append(b, `":`...)
	if v, ok := u.profile[name]; ok {
		b = appendJSON(b, v)
	} else {
		b = value(b)
	}
	return append(b, ',')
}

func (w *world) appendProfile(b []byte, u *user) []byte {
	h := w.seed.at(saltUserName, u.n)
	place := &cities[below(h>>40, len(cities))]
	text := func(s string) func([]byte) []byte {
		return func(b []byte) []byte { return append(append(append(b, '"'), s...), '"') }
	}
	b = append(b, '{')
	f, l := w.userNames(u.n)
	b = u.appendProfileMember(b, "firstName", text(firstNames[f]))
	b = u.appendProfileMember(b, "lastName", text(lastNames[l]))
	b = u.appendProfileMember(b, "mobilePhone", func(b []byte) []byte {
		if h>>50%3 == 0 {
			return append(b, "null"...)
		}
		b = append(b, `"+1 555 01`...)
		b = strconv.AppendUint(b, 10+h>>52%90, 10)
		return append(b, '"')
	})
	b = u.appendProfileMember(b, "secondEmail", text0)
	b = u.appendProfileMember(b, "login", func(b []byte) []byte { return append(w.appendLogin(append(b, '"'), u.n), '"') })
	b = u.appendProfileMember(b, "email", func(b []byte) []byte { return append(w.appendLogin(append(b, '"'), u.n), '"') })
	b = u.appendProfileMember(b, "title", func(b []byte) []byte {
		b = append(append(b, '"'), titles[below(h>>8, len(titles))]...)
		if u.revision > 0 {
			b = append(b, ' ')
			b = strconv.AppendInt(b, int64(u.revision), 10)
		}
		return append(b, '"')
	})
	b = u.appendProfileMember(b, "department", text(departments[below(h>>12, len(departments))]))
	b = u.appendProfileMember(b, "organization", text(`Acme \"Worldwide\" Ltd`))
	b = u.appendProfileMember(b, "costCenter", func(b []byte) []byte {
		return append(strconv.AppendUint(append(b, `"CC-`...), 100+h>>16%900, 10), '"')
	})
	b = u.appendProfileMember(b, "city", text(place.name))
	b = u.appendProfileMember(b, "state", text(place.state))
	b = u.appendProfileMember(b, "countryCode", text(place.country))
	b = u.appendProfileMember(b, "zipCode", text(place.zip))
	for i := range w.config.CustomAttributes {
		a := &customAttributes[i%len(customAttributes)]
		if h>>uint(i%13)%5 == 4 {
			continue // most users lack an attribute or two
		}
		b = append(b, '"')
		b = appendAttributeName(b, i)
		b = append(b, `":`...)
		b = a.value(b, mix(h+uint64(i)))
		b = append(b, ',')
	}
	extra := make([]string, 0, len(u.profile))
	for name := range u.profile {
		if !baseProfile[name] {
			extra = append(extra, name)
		}
	}
	sort.Strings(extra)
	for _, name := range extra {
		b = append(append(appendJSON(b, name), ':'), appendJSON(nil, u.profile[name])...)
		b = append(b, ',')
	}
	b[len(b)-1] = '}'
	return b
}

func text0(b []byte) []byte { return append(b, "null"...) }

var baseProfile = map[string]bool{
	"firstName": true, "lastName": true, "mobilePhone": true, "secondEmail": true, "login": true, "email": true,
	"title": true, "department": true, "organization": true, "costCenter": true, "city": true, "state": true,
	"countryCode": true, "zipCode": true,
}

// userShape is what the okta-response parameter of a request's Content-Type leaves out of users:
// https://developer.okta.com/docs/reference/api/users/#okta-response.
type userShape struct{ noCredentials, noCredentialLinks bool }

func (c *call) userShape() userShape {
	_, wish, ok := strings.Cut(c.r.Header.Get("Content-Type"), "okta-response=")
	if !ok {
		return userShape{}
	}
	wishes := "," + strings.Trim(wish, `"`) + ","
	return userShape{
		strings.Contains(wishes, ",omitCredentials,"), strings.Contains(wishes, ",omitCredentialsLinks,"),
	}
}

var (
	lifecycleLinks  = []userLink{{"suspend", "/lifecycle/suspend"}, {"deactivate", "/lifecycle/deactivate"}}
	credentialLinks = []userLink{
		{"resetPassword", "/lifecycle/reset_password"},
		{"expirePassword", "/lifecycle/expire_password"},
		{"forgotPassword", "/credentials/forgot_password"},
	}
)

type userLink struct{ name, path string }

func (w *world) appendUser(b []byte, u *user, origin string, shape userShape) []byte {
	b = append(b, `{"id":"`...)
	b = append(b, u.id[:]...)
	b = append(b, `","status":"`...)
	b = append(b, u.status...)
	b = append(b, `",`...)
	b = appendTimeMember(b, "created", u.created)
	b = appendTimeMember(b, "activated", u.activated)
	b = appendTimeMember(b, "statusChanged", u.statusChanged)
	b = appendTimeMember(b, "lastLogin", u.lastLogin)
	b = appendTimeMember(b, "lastUpdated", u.updated)
	b = appendTimeMember(b, "passwordChanged", u.passwordSet)
	b = append(b, `"type":{"id":"`...)
	b = append(b, w.userTypes[w.userType(u.n)].id[:]...)
	b = append(b, `"},"profile":`...)
	b = w.appendProfile(b, u)
	if !shape.noCredentials {
		b = append(b, `,"credentials":{"password":{},"emails":[{"value":"`...)
		b = w.appendLogin(b, u.n)
		b = append(b, `","status":"VERIFIED","type":"PRIMARY"}],"provider":{"type":"OKTA","name":"OKTA"}}`...)
	}
	b = append(b, `,"_links":{`...)
	link := func(l userLink) {
		b = append(append(b, '"'), l.name...)
		b = append(append(append(b, `":{"href":"`...), origin...), "/api/v1/users/"...)
		b = append(append(append(b, u.id[:]...), l.path...), `","method":"POST"},`...)
	}
	if u.status == "ACTIVE" {
		for _, l := range lifecycleLinks {
			link(l)
		}
		if !shape.noCredentialLinks {
			for _, l := range credentialLinks {
				link(l)
			}
		}
	}
	b = append(append(append(b, `"self":{"href":"`...), origin...), "/api/v1/users/"...)
	return append(append(b, u.id[:]...), `"}}}`...)
}

// user is the user with this id in the live view, or nil; scratch may hold it.
func (w *world) userByID(id string, scratch *user) *user {
	seq, ok := w.seed.seq(userIDs, id)
	if !ok {
		return nil
	}
	return w.users.live.get(w.userNumber(seq), scratch)
}

// userNumber maps a sequence number to a number: those of the base are permuted, later ones are equal.
func (w *world) userNumber(seq int) int {
	if seq >= w.userAxis.n {
		return seq
	}
	n, _ := w.userAxis.indexOf(seq)
	return n
}

func (w *world) userID(n int) ident {
	if n >= w.userAxis.n {
		return w.seed.id(userIDs, n)
	}
	return w.seed.id(userIDs, w.userAxis.seqOf(n))
}

// ownerID is user 0, who made the API token.
func (w *world) ownerID() string { return w.userID(0).String() }

func (c *call) pathUser() (*user, *apiError) {
	var scratch user
	if u := c.w.userByID(c.vars[0], &scratch); u != nil {
		return u, nil
	}
	// Okta also takes a login; the number is in it.
	if name, _, ok := strings.Cut(c.vars[0], "@example.com"); ok {
		if n, err := strconv.Atoi(name[len(strings.TrimRight(name, "0123456789")):]); err == nil {
			if u := c.w.users.live.get(n, &scratch); u != nil && string(c.w.appendLogin(nil, n)) == c.vars[0] {
				return u, nil
			}
		}
	}
	return nil, notFound(c.vars[0], "User")
}

func getUser(c *call) *apiError {
	u, e := c.pathUser()
	if e != nil {
		return e
	}
	c.b = c.w.appendUser(c.b, u, c.origin, c.userShape())
	return nil
}

func getMe(c *call) *apiError {
	if c.who.UserID == "" {
		return notFound("me", "User")
	}
	c.vars = []string{c.who.UserID}
	return getUser(c)
}

var (
	equality   = []operator{opEq}
	timeTests  = []operator{opEq, opGt, opGe, opLt, opLe}
	textTests  = []operator{opEq, opSw, opGt, opGe, opLt, opLe, opPr}
	nameTests  = append([]operator{opCo}, textTests...)
	timeSearch = append([]operator{opPr}, timeTests...)
)

func listUsers(c *call) *apiError {
	search, filter, q := c.query.Get("search"), c.query.Get("filter"), c.query.Get("q")
	if search != "" && filter != "" {
		return searchAndFilter()
	}
	shape := c.userShape()
	l := listing[user, *user]{
		table: c.w.users.live,
		want:  anything[user](),
		write: func(b []byte, u *user) []byte { return c.w.appendUser(b, u, c.origin, shape) },
		def:   200, low: 1, high: 200,
	}
	var e *apiError
	switch {
	case search != "":
		l.table = c.w.users.index
		l.sortBy = c.w.userWords
		if l.want, e = compile(search, c.w.userWords, false); e != nil {
			return e
		}
	case filter != "":
		l.table = c.w.users.index
		if l.want, e = compile(filter, c.w.userFilterWords, true); e != nil {
			return e
		}
	default:
		// The plain list and q leave out the deactivated: only filter and search show them.
		l.want.match = func(u *user) bool { return u.status != "DEPROVISIONED" }
		if q != "" {
			l.def, l.whole = 10, true
			l.want.match = c.w.userQuery(q)
		}
	}
	return l.page(c)
}

func (w *world) userQuery(q string) func(*user) bool {
	q = strings.ToLower(q)
	return func(u *user) bool {
		if u.status == "DEPROVISIONED" {
			return false
		}
		for _, name := range []string{"firstName", "lastName", "email"} {
			if strings.HasPrefix(strings.ToLower(w.profileText(u, name)), q) {
				return true
			}
		}
		return false
	}
}

// profileText is a profile attribute as text; "" if the user lacks it.
func (w *world) profileText(u *user, name string) string {
	if v, ok := u.profile[name]; ok {
		return v
	}
	switch name {
	case "login", "email":
		return string(w.appendLogin(nil, u.n))
	case "firstName":
		f, _ := w.userNames(u.n)
		return firstNames[f]
	case "lastName":
		_, l := w.userNames(u.n)
		return lastNames[l]
	}
	return memberText(w.appendProfile(nil, u), name)
}

// userWords are what search and sortBy know of users.
func (w *world) userWords(name string) (attribute[user], bool) {
	switch name {
	case "id":
		return attribute[user]{text: func(u *user) string { return u.id.String() }, ops: textTests}, true
	case "status":
		return attribute[user]{text: func(u *user) string { return u.status }, ops: textTests}, true
	case "type.id":
		return attribute[user]{text: func(u *user) string { return w.userTypes[w.userType(u.n)].id.String() }, ops: textTests}, true
	case "lastUpdated":
		return attribute[user]{at: func(u *user) int64 { return u.updated }, ops: timeSearch}, true
	case "created":
		return attribute[user]{at: func(u *user) int64 { return u.created }, ops: timeSearch}, true
	case "activated":
		return attribute[user]{at: func(u *user) int64 { return u.activated }, ops: timeSearch}, true
	case "statusChanged":
		return attribute[user]{at: func(u *user) int64 { return u.statusChanged }, ops: timeSearch}, true
	}
	attr, ok := strings.CutPrefix(name, "profile.")
	if !ok || attr == "" {
		return attribute[user]{}, false
	}
	ops := textTests
	switch attr {
	case "firstName", "lastName", "email", "login":
		ops = nameTests
	}
	return attribute[user]{text: func(u *user) string { return w.profileText(u, attr) }, ops: ops}, true
}

// userFilterWords are the few attributes that filter knows; only lastUpdated takes more than eq.
func (w *world) userFilterWords(name string) (attribute[user], bool) {
	switch name {
	case "id", "status", "profile.login", "profile.email", "profile.firstName", "profile.lastName":
		a, ok := w.userWords(name)
		a.ops = equality
		return a, ok
	case "lastUpdated":
		a, ok := w.userWords(name)
		a.ops = timeTests
		return a, ok
	}
	return attribute[user]{}, false
}
