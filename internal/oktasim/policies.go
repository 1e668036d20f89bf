package oktasim

import "strconv"

type policy struct {
	id     ident
	kind   string
	name   string
	system bool
	prio   int
	at     int64
	rules  []policyRule
}

type policyRule struct {
	id     ident
	name   string
	prio   int
	at     int64
	system bool
}

// policyTypes are the types that Okta knows, with how many policies an org of ours has beside the default one, and
// whether they need Identity Engine.
var policyTypes = [...]struct {
	name  string
	extra int
	oie   bool
}{
	{"OKTA_SIGN_ON", 2, false},
	{"PASSWORD", 1, false},
	{"MFA_ENROLL", 1, false},
	{"IDP_DISCOVERY", 0, false},
	{"ACCESS_POLICY", 5, true},
	{"PROFILE_ENROLLMENT", 1, true},
	{"POST_AUTH_SESSION", 0, true},
	{"ENTITY_RISK", 0, true},
	{"DEVICE_SIGNAL_COLLECTION", 0, true},
	{"SESSION_VIOLATION_DETECTION", 0, true},
	{"CLIENT_UPDATE", 0, true},
	{"IDENTITY_CLAIM_SOURCING", 0, true},
}

// DefaultPolicyErrors are the types of policies that the org lacks: each way of lacking one that was seen.
func DefaultPolicyErrors() map[string]int {
	return map[string]int{
		"ENTITY_RISK": 403, "DEVICE_SIGNAL_COLLECTION": 400, "SESSION_VIOLATION_DETECTION": 403, "CLIENT_UPDATE": 404,
		"IDENTITY_CLAIM_SOURCING": 400,
	}
}

func (w *world) buildPolicies() {
	start := w.config.Born.Add(-700 * day).UnixMilli()
	seq := 0
	for t, kind := range policyTypes {
		for i := 0; i <= kind.extra; i++ {
			ids := policyIDs
			if kind.oie {
				ids = rstPolicyIDs
			}
			p := policy{
				id: w.seed.id(ids, seq), kind: kind.name, prio: i + 1, system: i == kind.extra,
				at: start + int64(w.seed.at(saltPolicy, seq)%(600*86_400))*1000, name: "Default Policy",
			}
			if !p.system {
				p.name = departments[(t+i)%len(departments)] + " policy"
			}
			for r := range 1 + below(w.seed.at(saltPolicy, seq)>>40, 4) {
				rule := policyRule{id: w.seed.id(ruleIDs, seq<<4+r), name: "Rule " + strconv.Itoa(r+1), prio: r + 1, at: p.at + int64(r)*60_000}
				p.rules = append(p.rules, rule)
			}
			last := &p.rules[len(p.rules)-1]
			last.name, last.prio, last.system = "Catch-all Rule", 99, true
			w.policies = append(w.policies, p)
			seq++
		}
	}
}

func (w *world) firstPolicy(kind string) *policy {
	if w.config.Classic {
		return nil
	}
	for i := range w.policies {
		if w.policies[i].kind == kind {
			return &w.policies[i]
		}
	}
	return nil
}

func (w *world) appendPolicy(b []byte, p *policy, origin string) []byte {
	b = append(append(append(b, `{"id":"`...), p.id[:]...), `","status":"ACTIVE","name":"`...)
	b = append(append(append(b, p.name...), `","description":"`...), p.name...)
	b = strconv.AppendInt(append(b, ` for the org.","priority":`...), int64(p.prio), 10)
	b = append(appendBool(append(b, `,"system":`...), p.system), `,"conditions":`...)
	group := w.groups.live.get(everyone, nil)
	switch p.kind {
	case "OKTA_SIGN_ON", "MFA_ENROLL":
		b = append(append(append(b, `{"people":{"groups":{"include":["`...), group.id[:]...), `"]}}},`...)
	case "PASSWORD":
		b = append(append(append(b, `{"people":{"groups":{"include":["`...), group.id[:]...), `"]}},"authProvider":{"provider":"OKTA"}},`...)
	default:
		b = append(b, "null,"...)
	}
	b = appendTimeMember(b, "created", p.at)
	b = appendTimeMember(b, "lastUpdated", p.at)
	switch p.kind {
	case "PASSWORD":
		b = append(append(append(b, `"settings":`...), passwordSettings...), ',')
	case "MFA_ENROLL":
		b = append(b, `"settings":{"type":"AUTHENTICATORS","authenticators":[{"key":"okta_email","enroll":{"self":"NOT_ALLOWED"}},{"key":"okta_verify","enroll":{"self":"OPTIONAL"}},{"key":"okta_password","enroll":{"self":"REQUIRED"}}]},`...)
	}
	b = append(b, `"_links":{`...)
	link := func(name, path, methods string) {
		b = append(append(append(append(b, '"'), name...), `":{"href":"`...), origin...)
		b = append(append(append(b, "/api/v1/policies/"...), p.id[:]...), path...)
		b = append(append(append(b, `","hints":{"allow":[`...), methods...), `]}},`...)
	}
	if p.kind == "ACCESS_POLICY" {
		link("mappings", "/mappings", `"GET","POST"`)
	}
	if p.system {
		link("self", "", `"GET","PUT"`)
	} else {
		link("self", "", `"GET","PUT","DELETE"`)
		link("deactivate", "/lifecycle/deactivate", `"POST"`)
	}
	link("rules", "/rules", `"GET","POST"`)
	b = append(append(b[:len(b)-1], `},"type":"`...), p.kind...)
	return append(b, `"}`...)
}

const passwordSettings = `{"password":{"complexity":{"minLength":8,"minLowerCase":1,"minUpperCase":1,"minNumber":1,"minSymbol":0,"excludeUsername":true,` +
	`"dictionary":{"common":{"exclude":false}},"excludeAttributes":[]},"age":{"maxAgeDays":0,"expireWarnDays":0,"minAgeMinutes":0,"historyCount":4},` +
	`"lockout":{"maxAttempts":10,"autoUnlockMinutes":0,"userLockoutNotificationChannels":[],"showLockoutFailures":false}},"recovery":{"factors":{` +
	`"recovery_question":{"status":"ACTIVE","properties":{"complexity":{"minLength":4}}},"okta_email":{"status":"ACTIVE","properties":{"recoveryToken":{"tokenLifetimeMinutes":60}}},` +
	`"okta_sms":{"status":"INACTIVE"},"okta_call":{"status":"INACTIVE"}}},"delegation":{"options":{"skipUnlock":false}}}`

// ruleBodies are conditions and actions by type of policy, and the type that its rules show.
var ruleBodies = map[string]struct{ kind, body string }{
	"OKTA_SIGN_ON":       {"SIGN_ON", `"conditions":{"people":{"users":{"exclude":[]}},"network":{"connection":"ANYWHERE"},"authContext":{"authType":"ANY"}},"actions":{"signon":{"access":"ALLOW","requireFactor":false,"primaryFactor":"PASSWORD_IDP","rememberDeviceByDefault":false,"session":{"usePersistentCookie":false,"maxSessionIdleMinutes":720,"maxSessionLifetimeMinutes":0}}},`},
	"PASSWORD":           {"PASSWORD", `"conditions":{"people":{"users":{"exclude":[]}},"network":{"connection":"ANYWHERE"}},"actions":{"passwordChange":{"access":"ALLOW"},"selfServicePasswordReset":{"access":"ALLOW","requirement":{"primary":{"methods":["email"]},"stepUp":{"required":false}}},"selfServiceUnlock":{"access":"DENY"}},`},
	"MFA_ENROLL":         {"MFA_ENROLL", `"conditions":{"people":{"users":{"exclude":[]}},"network":{"connection":"ANYWHERE"}},"actions":{"enroll":{"self":"CHALLENGE"}},`},
	"IDP_DISCOVERY":      {"IDP_DISCOVERY", `"conditions":{"network":{"connection":"ANYWHERE"},"platform":{"include":[],"exclude":[]},"userIdentifier":{"patterns":[]},"app":{"include":[],"exclude":[]}},"actions":{"idp":{"providers":[{"type":"OKTA"}],"idpSelectionType":"SPECIFIC"}},`},
	"ACCESS_POLICY":      {"ACCESS_POLICY", `"conditions":null,"actions":{"appSignOn":{"access":"ALLOW","verificationMethod":{"factorMode":"1FA","type":"ASSURANCE","reauthenticateIn":"PT12H","constraints":[]}}},`},
	"PROFILE_ENROLLMENT": {"PROFILE_ENROLLMENT", `"conditions":null,"actions":{"profileEnrollment":{"access":"ALLOW","preRegistrationInlineHooks":null,"profileAttributes":[{"name":"email","label":"Email","required":true}],"targetGroupIds":null,"unknownUserAction":"DENY","activationRequirements":{"emailVerification":true},"uiSchemaId":"uisgu3bb4zTbvwD8S1d7","progressiveProfilingAction":"DISABLED"}},`},
	"POST_AUTH_SESSION":  {"POST_AUTH_SESSION", `"conditions":{"people":{"users":{"exclude":[]},"groups":{"include":[],"exclude":[]}}},"actions":{"postAuthSession":{"failureActions":[{"action":"TERMINATE_SESSION"}]}},`},
}

func (w *world) appendRule(b []byte, p *policy, r *policyRule, origin string) []byte {
	body, ok := ruleBodies[p.kind]
	if !ok {
		body.kind, body.body = p.kind, `"conditions":null,"actions":{},`
	}
	b = append(append(append(b, `{"id":"`...), r.id[:]...), `","status":"ACTIVE","name":"`...)
	b = strconv.AppendInt(append(append(b, r.name...), `","priority":`...), int64(r.prio), 10)
	b = append(b, ',')
	b = appendTimeMember(b, "created", r.at)
	b = appendTimeMember(b, "lastUpdated", r.at)
	b = append(appendBool(append(b, `"system":`...), r.system), ',')
	b = append(append(b, body.body...), `"_links":{`...)
	link := func(name, path, methods string) {
		b = append(append(append(append(b, '"'), name...), `":{"href":"`...), origin...)
		b = append(append(append(append(b, "/api/v1/policies/"...), p.id[:]...), "/rules/"...), r.id[:]...)
		b = append(append(append(append(b, path...), `","hints":{"allow":[`...), methods...), `]}},`...)
	}
	if r.system {
		link("self", "", `"GET","PUT"`)
	} else {
		link("self", "", `"GET","PUT","DELETE"`)
		link("deactivate", "/lifecycle/deactivate", `"POST"`)
	}
	b = append(append(b[:len(b)-1], `},"type":"`...), body.kind...)
	return append(b, `"}`...)
}

// policyRefusal is how the org refuses a type that it lacks, or nil.
func (w *world) policyRefusal(kind string) *apiError {
	known, oie := false, false
	for _, t := range policyTypes {
		if t.name == kind {
			known, oie = true, t.oie
		}
	}
	switch {
	case kind == "":
		return validationFailed("type", "type: The type of the policy is required.")
	case !known:
		return validationFailed("type", "type: Invalid policy type specified.")
	case oie && w.config.Classic:
		return featureOff()
	}
	switch w.config.PolicyErrors[kind] {
	case 0:
		return nil
	case 403:
		return accessDenied()
	case 404:
		return noSuchPath()
	}
	return validationFailed("type", "type: Invalid policy type specified.")
}

func listPolicies(c *call) *apiError {
	kind := c.query.Get("type")
	if e := c.w.policyRefusal(kind); e != nil {
		return e
	}
	limit, e := c.limit(-1, 1, 200)
	if e != nil {
		return e
	}
	from, e := c.afterPosition()
	if e != nil {
		return e
	}
	c.selfLink(limit)
	c.b = append(c.b, '[')
	at, written := 0, 0
	for i := range c.w.policies {
		p := &c.w.policies[i]
		if p.kind != kind {
			continue
		}
		if at++; at <= from {
			continue
		}
		if limit > 0 && written == limit {
			c.nextLink(c.sealPosition(at-1), limit)
			break
		}
		if written > 0 {
			c.b = append(c.b, ',')
		}
		c.b = c.w.appendPolicy(c.b, p, c.origin)
		written++
	}
	c.b = append(c.b, ']')
	return nil
}

func listRules(c *call) *apiError {
	for i := range c.w.policies {
		p := &c.w.policies[i]
		if p.id.String() != c.vars[0] || c.w.policyRefusal(p.kind) != nil {
			continue
		}
		c.b = append(c.b, '[')
		for k := range p.rules {
			if k > 0 {
				c.b = append(c.b, ',')
			}
			c.b = c.w.appendRule(c.b, p, &p.rules[k], c.origin)
		}
		c.b = append(c.b, ']')
		return nil
	}
	return notFound(c.vars[0], "Policy")
}
