package oktasim

import (
	"strconv"
	"strings"
)

// app is an application. Settings, credentials and links depend on how one signs on to it.
type app struct {
	id               ident
	kind             *appKind
	label            string
	status           string
	created, updated int64
	users, groups    members
	number           int
}

type appKind struct {
	name, mode string
	label      string
	logo       string
	// credentials and settings stand between the members that all apps have; %s is the app's id, %n its number.
	credentials string
	settingsApp string
	settings    string
	oauthClient bool
	secrets     bool
	metadata    bool
	appLink     string
}

var appKinds = [...]appKind{
	{
		name: "saasure", mode: "OPENID_CONNECT", label: "Okta Admin Console", logo: "logos/okta_admin_app.da3325676d57eaf566cb786dd0c7a819.png",
		credentials: `"signing":{"kid":"YAC_CqBzpba6NOipi2Eo6nbzZZcCWPGeGxKxCkeB_8c"}`, settingsApp: `{}`, appLink: "admin",
	},
	{
		name: "bookmark", mode: "BOOKMARK", label: "Wiki", logo: "logos/bookmark-app.b81c03e2607468e5b5f9c9351c99313e.png",
		credentials: `"signing":{}`, settingsApp: `{"requestIntegration":false,"url":"https://wiki.example.com/space/%n"}`,
		settings: `,"emOptInStatus":"NONE","notes":{"admin":null,"enduser":null}`, appLink: "login",
	},
	{
		name: "zoomus", mode: "SAML_2_0", label: "Zoom", logo: "fs/bcg/4/gfs4tu254Ei6Ee3ll5d6",
		credentials: `"signing":{"kid":"8jn49cpSBmcfB2f1ZTnEDevwRU_TdXHTYE-DEwyN3GM"}`,
		settingsApp: `{"subDomain":"acme%n","audience_uri":null,"acs_url":null}`,
		settings: `,"notes":{"admin":null,"enduser":null},"signOn":{"defaultRelayState":null,"ssoAcsUrlOverride":null,"audienceOverride":null,` +
			`"recipientOverride":null,"destinationOverride":null,"attributeStatements":[],"configuredAttributeStatements":[` +
			`{"type":"GROUP","name":"IMGroup","namespace":null,"filterType":null,"filterValue":null},` +
			`{"type":"GROUP","name":"UserGroup","namespace":null,"filterType":null,"filterValue":null}]}`,
		metadata: true, appLink: "login",
	},
	{
		name: "oidc_client", mode: "OPENID_CONNECT", label: "Portal", logo: "logos/default.6770228fb0dab49a1695ef440a5279bb.png",
		credentials: `"signing":{"kid":"YAC_CqBzpba6NOipi2Eo6nbzZZcCWPGeGxKxCkeB_8c"},"oauthClient":{"autoKeyRotation":true,"client_id":"%s",` +
			`"token_endpoint_auth_method":"client_secret_post","pkce_required":true}`,
		settingsApp: `{}`,
		settings: `,"notes":{"admin":null,"enduser":null},"oauthClient":{"client_uri":"https://portal%n.example.com","logo_uri":"https://portal%n.example.com/logo.png",` +
			`"redirect_uris":["https://portal%n.example.com/oauth2/callback"],"post_logout_redirect_uris":["https://portal%n.example.com/bye"],` +
			`"response_types":["code"],"grant_types":["authorization_code","refresh_token"],"application_type":"web","consent_method":"TRUSTED",` +
			`"issuer_mode":"DYNAMIC","idp_initiated_login":{"mode":"DISABLED","default_scope":[]},"wildcard_redirect":"DISABLED",` +
			`"refresh_token":{"rotation_type":"STATIC"},"dpop_bound_access_tokens":false}`,
		oauthClient: true, secrets: true, appLink: "oidc_client_link",
	},
	{
		name: "template_swa", mode: "BROWSER_PLUGIN", label: "Time sheets", logo: "logos/default.6770228fb0dab49a1695ef440a5279bb.png",
		credentials: `"scheme":"EDIT_USERNAME_AND_PASSWORD","revealPassword":true,"signing":{}`,
		settingsApp: `{"buttonField":"btn-login","loginUrlRegex":null,"passwordField":"txtbox-password","usernameField":"txtbox-username","url":"https://time%n.example.com/login.html"}`,
		settings:    `,"notes":{"admin":null,"enduser":null}`, appLink: "login",
	},
	{
		name: "template_basic_auth", mode: "BASIC_AUTH", label: "Print server", logo: "logos/basic-auth.png",
		credentials: `"scheme":"SHARED_USERNAME_AND_PASSWORD","userName":"printing","revealPassword":false,"signing":{}`,
		settingsApp: `{"authURL":"https://print%n.example.com/auth.html","url":"https://print%n.example.com/"}`,
		settings:    `,"notes":{"admin":"Ask facilities","enduser":null}`, appLink: "login",
	},
	{
		name: "template_sps", mode: "SECURE_PASSWORD_STORE", label: "Travel", logo: "logos/default.6770228fb0dab49a1695ef440a5279bb.png",
		credentials: `"scheme":"EXTERNAL_PASSWORD_SYNC","revealPassword":false,"signing":{}`,
		settingsApp: `{"url":"https://travel%n.example.com/login","usernameField":"#user","passwordField":"#pass","optionalField1":"company","optionalField1Value":"acme","optionalField2":null,"optionalField2Value":null,"optionalField3":null,"optionalField3Value":null}`,
		settings:    `,"notes":{"admin":null,"enduser":null}`, appLink: "login",
	},
	{
		name: "example_autologin", mode: "AUTO_LOGIN", label: "Canteen", logo: "logos/default.6770228fb0dab49a1695ef440a5279bb.png",
		credentials: `"scheme":"ADMIN_SETS_CREDENTIALS","revealPassword":false,"signing":{}`,
		settingsApp: `{}`,
		settings:    `,"notes":{"admin":null,"enduser":null},"signOn":{"loginUrl":"https://canteen%n.example.com/login","redirectUrl":"https://canteen%n.example.com/home"}`, appLink: "auto-login",
	},
	{
		name: "template_wsfed", mode: "WS_FEDERATION", label: "Intranet", logo: "logos/default.6770228fb0dab49a1695ef440a5279bb.png",
		credentials: `"signing":{"kid":"SfJtU0sKQshujd3m6stAbFtzpeGNmXtFH_98Zrp-lyg"}`,
		settingsApp: `{"siteURL":"https://intranet%n.example.com","realm":"urn:intranet:%n","attributeStatements":"","audienceRestriction":"urn:intranet:%n","authnContextClassRef":"urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport","groupFilter":"app1.*","groupName":"groups","groupValueFormat":"windowsDomainQualifiedName","nameIDFormat":"urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified","usernameAttribute":"username","wReplyOverride":false,"wReplyURL":"https://intranet%n.example.com/reply"}`,
		settings:    `,"notes":{"admin":null,"enduser":null}`, metadata: true, appLink: "login",
	},
}

func (w *world) buildApps() {
	axis := newAxis(w.seed, saltApp, w.config.Apps, 0, 1095, w.config.Born, secondly)
	w.appAxis = axis
	w.apps = make([]app, w.config.Apps)
	w.appsOfGroup = map[int]int{}
	for i := range w.apps {
		at, seq := axis.locate(i)
		h := w.seed.at(saltApp, i)
		kind := &appKinds[0]
		if i > 0 {
			kind = &appKinds[1+(i-1)%(len(appKinds)-1)]
		}
		a := app{
			id: w.seed.id(appIDs, seq), kind: kind, status: "ACTIVE", updated: at, number: i,
			created: at - int64(h%(300*86_400))*1000, label: kind.label,
		}
		if i >= len(appKinds) {
			a.label += " " + strconv.Itoa(i)
		}
		if i > 1 && h>>20%12 == 0 {
			a.status = "INACTIVE"
		}
		if users := w.config.Users; users > 0 && kind.mode != "BOOKMARK" {
			size := min(users, 3+below(h>>32, 40))
			if h>>24%16 == 0 {
				size = max(size, users/2)
			}
			a.users = spread(w.seed.at(saltAppUsers, i), size, users)
		}
		if groups := w.config.Groups; groups > 0 && h>>28%4 > 0 {
			size := min(groups, 1+below(h>>40, 30))
			if i == 1 {
				size = groups / 2
			}
			a.groups = spread(w.seed.at(saltAppGroups, i), size, groups)
			for k := range a.groups.size {
				w.appsOfGroup[1+a.groups.at(k, groups)]++
			}
		}
		w.apps[i] = a
	}
}

// appendTemplate fills in an app's id and number.
func (a *app) appendTemplate(b []byte, s string) []byte {
	for {
		i := strings.IndexByte(s, '%')
		if i < 0 {
			return append(b, s...)
		}
		b = append(b, s[:i]...)
		if s[i+1] == 's' {
			b = append(b, a.id[:]...)
		} else {
			b = strconv.AppendInt(b, int64(a.number), 10)
		}
		s = s[i+2:]
	}
}

func (w *world) appendApp(b []byte, a *app, origin string) []byte {
	id := a.id[:]
	k := a.kind
	b = append(append(append(b, `{"id":"`...), id...), `","orn":"orn:okta:idp:`...)
	b = append(append(append(append(b, w.orgID[:]...), ":apps:"...), k.name...), ':')
	b = append(append(append(b, id...), `","name":"`...), k.name...)
	b = append(append(b, `","label":`...), appendJSON(nil, a.label)...)
	b = append(append(append(b, `,"status":"`...), a.status...), `",`...)
	b = appendTimeMember(b, "lastUpdated", a.updated)
	b = appendTimeMember(b, "created", a.created)
	b = append(b, `"accessibility":{"selfService":false,"errorRedirectUrl":null,"loginRedirectUrl":null},`...)
	b = append(b, `"visibility":{"autoLaunch":false,"autoSubmitToolbar":false,"hide":{"iOS":false,"web":false},"appLinks":{"`...)
	b = append(append(b, k.appLink...), `":true}},"features":[],"signOnMode":"`...)
	b = append(append(b, k.mode...), `","credentials":{"userNameTemplate":{"template":"${source.login}","type":"BUILT_IN"},`...)
	b = append(a.appendTemplate(b, k.credentials), `},"universalLogout":null,"settings":{"app":`...)
	b = a.appendTemplate(b, k.settingsApp)
	b = append(b, `,"notifications":{"vpn":{"network":{"connection":"DISABLED"},"message":null,"helpUrl":null}},"manualProvisioning":false,"implicitAssignment":false`...)
	b = append(a.appendTemplate(b, k.settings), `},"_links":{`...)
	link := func(name, path string) {
		b = append(append(append(append(b, '"'), name...), `":{"href":"`...), origin...)
		b = append(append(append(append(b, "/api/v1/apps/"...), id...), path...), `"},`...)
	}
	hinted := func(name, path, method string) {
		link(name, path)
		b = append(append(append(b[:len(b)-2], `,"hints":{"allow":["`...), method...), `"]}},`...)
	}
	policy := func(name string, p *policy) {
		b = append(append(append(append(b, '"'), name...), `":{"href":"`...), origin...)
		b = append(append(append(b, "/api/v1/policies/"...), p.id[:]...), `"},`...)
	}
	hinted("uploadLogo", "/logo", "POST")
	b = append(append(append(append(b, `"appLinks":[{"name":"`...), k.appLink...), `","href":"`...), origin...)
	b = append(append(append(append(b, "/home/"...), k.name...), '/'), id...)
	b = append(b, `/2557","type":"text/html"}],`...)
	if p := w.firstPolicy("PROFILE_ENROLLMENT"); p != nil {
		policy("profileEnrollment", p)
	}
	hinted("policies", "/policies", "PUT")
	link("groups", "/groups")
	b = append(append(append(b, `"logo":[{"name":"medium","href":"https://ok12static.oktacdn.com/assets/img/`...), k.logo...), `","type":"image/png"}],`...)
	if k.secrets {
		b = append(append(b, `"clientCredentials":[{"name":"secrets","href":"`...), origin...)
		b = append(append(append(b, "/api/v1/apps/"...), id...), `/credentials/secrets"}],`...)
	}
	if k.metadata {
		link("metadata", "/sso/saml/metadata")
		b = append(b[:len(b)-2], `,"type":"application/xml"},`...)
	}
	if p := w.firstPolicy("ACCESS_POLICY"); p != nil {
		policy("accessPolicy", p)
	}
	link("users", "/users")
	if a.status == "ACTIVE" {
		link("deactivate", "/lifecycle/deactivate")
	} else {
		link("activate", "/lifecycle/activate")
	}
	b[len(b)-1] = '}'
	return append(b, '}')
}

func (w *world) appByID(id string) *app {
	seq, ok := w.seed.seq(appIDs, id)
	if !ok || seq >= len(w.apps) {
		return nil
	}
	i, _ := w.appAxis.indexOf(seq)
	return &w.apps[i]
}

func (c *call) pathApp() (*app, *apiError) {
	if a := c.w.appByID(c.vars[0]); a != nil {
		return a, nil
	}
	return nil, notFound(c.vars[0], "AppInstance")
}

func getApp(c *call) *apiError {
	a, e := c.pathApp()
	if e != nil {
		return e
	}
	c.b = c.w.appendApp(c.b, a, c.origin)
	return nil
}

// listApps: filter knows four attributes and lastUpdated isn't one, as connectors keep finding out.
func listApps(c *call) *apiError {
	limit, e := c.limit(20, 1, 200)
	if e != nil {
		return e
	}
	after, e := c.afterPosition()
	if e != nil {
		return e
	}
	want := anything[app]()
	if filter := c.query.Get("filter"); filter != "" {
		if want, e = compile(filter, appWords, true); e != nil {
			return e
		}
	}
	q := strings.ToLower(c.query.Get("q"))
	c.selfLink(limit)
	c.b = append(c.b, '[')
	written := 0
	for seq := after; seq < len(c.w.apps); seq++ {
		i, _ := c.w.appAxis.indexOf(seq)
		a := &c.w.apps[i]
		if !want.match(a) || !(strings.HasPrefix(strings.ToLower(a.label), q) || strings.HasPrefix(a.kind.name, q)) {
			continue
		}
		if written == limit {
			c.nextLink(c.sealPosition(seq), limit)
			break
		}
		if written > 0 {
			c.b = append(c.b, ',')
		}
		c.b = c.w.appendApp(c.b, a, c.origin)
		written++
	}
	c.b = append(c.b, ']')
	return nil
}

func appWords(name string) (attribute[app], bool) {
	text := func(get func(*app) string) (attribute[app], bool) {
		return attribute[app]{text: get, ops: equality}, true
	}
	switch name {
	case "id":
		return text(func(a *app) string { return a.id.String() })
	case "status":
		return text(func(a *app) string { return a.status })
	case "name":
		return text(func(a *app) string { return a.kind.name })
	case "credentials.signing.kid":
		return text(func(a *app) string { return memberText([]byte("{"+a.kind.credentials+"}"), "signing.kid") })
	case "settings.slo.enabled":
		return text(func(*app) string { return "false" })
	}
	return attribute[app]{}, false
}

// eachAppUser visits the assignments of an app from a position on. Deactivated users lose theirs.
func (w *world) eachAppUser(a *app, from int, visit func(position int, u *user) bool) {
	var scratch user
	for k := from; k < a.users.size; k++ {
		u := w.users.live.get(a.users.at(k, w.config.Users), &scratch)
		if u == nil || u.status == "DEPROVISIONED" {
			continue
		}
		if !visit(k, u) {
			return
		}
	}
}

func (w *world) appendAppUser(b []byte, a *app, k int, u *user, origin string) []byte {
	h := w.seed.pair(saltAppUser, a.number, k)
	created := min(w.born, max(a.created, u.created)+int64(h%86_400)*1000)
	updated := min(w.born, created+int64(h>>20%1000)*1000)
	b = append(append(append(b, `{"id":"`...), u.id[:]...), `","externalId":null,`...)
	b = appendTimeMember(b, "created", created)
	b = appendTimeMember(b, "lastUpdated", updated)
	byGroup := h>>32%3 == 0 && a.groups.size > 0
	if byGroup {
		b = append(b, `"scope":"GROUP",`...)
	} else {
		b = append(b, `"scope":"USER",`...)
	}
	b = append(b, `"status":"ACTIVE",`...)
	b = appendTimeMember(b, "statusChanged", updated)
	b = append(b, `"passwordChanged":null,"syncState":"DISABLED","lastSync":null,"credentials":{"userName":"`...)
	b = append(w.appendLogin(b, u.n), `"},"profile":{`...)
	if h>>40%2 == 0 && a.kind.mode == "SAML_2_0" {
		b = append(w.appendLogin(append(b, `"email":"`...), u.n), `","role":null,"seats":`...)
		b = strconv.AppendUint(b, 1+h>>44%5, 10)
	}
	b = append(append(append(append(b, `},"_links":{"app":{"href":"`...), origin...), "/api/v1/apps/"...), a.id[:]...)
	b = append(b, `"},`...)
	if byGroup {
		g := w.groups.live.get(1+a.groups.at(below(h>>48, a.groups.size), w.config.Groups), nil)
		if g != nil {
			b = append(appendJSON(append(b, `"group":{"name":`...), g.name), `,"href":"`...)
			b = append(append(append(append(b, origin...), "/api/v1/groups/"...), g.id[:]...), `"},`...)
		}
	}
	b = append(append(append(append(b, `"user":{"href":"`...), origin...), "/api/v1/users/"...), u.id[:]...)
	return append(b, `"}}}`...)
}

func listAppUsers(c *call) *apiError {
	a, e := c.pathApp()
	if e != nil {
		return e
	}
	limit, e := c.limit(50, 1, 500)
	if e != nil {
		return e
	}
	from, e := c.afterPosition()
	if e != nil {
		return e
	}
	expand := c.query.Get("expand") == "user"
	c.selfLink(limit)
	c.b = append(c.b, '[')
	written, next := 0, 0
	c.w.eachAppUser(a, from, func(k int, u *user) bool {
		if written == limit {
			c.nextLink(c.sealPosition(next), limit)
			return false
		}
		if written > 0 {
			c.b = append(c.b, ',')
		}
		c.b = c.w.appendAppUser(c.b, a, k, u, c.origin)
		if expand {
			c.b = append(c.b[:len(c.b)-1], `,"_embedded":{"user":`...)
			c.b = append(c.w.appendUser(c.b, u, c.origin, userShape{}), "}}"...)
		}
		written++
		next = k + 1
		return true
	})
	c.b = append(c.b, ']')
	return nil
}

func (w *world) eachAppGroup(a *app, from int, visit func(position int, g *group) bool) {
	for k := from; k < a.groups.size; k++ {
		g := w.groups.live.get(1+a.groups.at(k, w.config.Groups), nil)
		if g != nil && !visit(k, g) {
			return
		}
	}
}

func (w *world) appendAppGroup(b []byte, a *app, k int, g *group, origin string) []byte {
	at := min(w.born, max(a.created, g.created)+int64(w.seed.pair(saltAppUser, -1-a.number, k)%86_400)*1000)
	b = append(append(append(b, `{"id":"`...), g.id[:]...), `",`...)
	b = appendTimeMember(b, "lastUpdated", at)
	b = append(strconv.AppendInt(append(b, `"priority":`...), int64(k), 10), `,"profile":{},"_links":{"app":{"href":"`...)
	b = append(append(append(b, origin...), "/api/v1/apps/"...), a.id[:]...)
	b = append(append(append(append(b, `"},"self":{"href":"`...), origin...), "/api/v1/apps/"...), a.id[:]...)
	b = append(append(append(append(b, "/groups/"...), g.id[:]...), `"},"group":{"href":"`...), origin...)
	return append(append(append(b, "/api/v1/groups/"...), g.id[:]...), `"}}}`...)
}

// listAppGroups has a minimum page size too: https://developer.okta.com/docs/reference/api/apps/#list-groups-assigned-to-application.
func listAppGroups(c *call) *apiError {
	a, e := c.pathApp()
	if e != nil {
		return e
	}
	limit, e := c.limit(20, 20, 200)
	if e != nil {
		return e
	}
	from, e := c.afterPosition()
	if e != nil {
		return e
	}
	c.selfLink(limit)
	c.b = append(c.b, '[')
	written, next := 0, 0
	c.w.eachAppGroup(a, from, func(k int, g *group) bool {
		if written == limit {
			c.nextLink(c.sealPosition(next), limit)
			return false
		}
		if written > 0 {
			c.b = append(c.b, ',')
		}
		c.b = c.w.appendAppGroup(c.b, a, k, g, c.origin)
		written++
		next = k + 1
		return true
	})
	c.b = append(c.b, ']')
	return nil
}
