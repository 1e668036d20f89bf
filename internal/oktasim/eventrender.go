package oktasim

import "strconv"

// eventKind is a type of event: https://developer.okta.com/docs/reference/api/event-types/.
type eventKind struct {
	name, message, legacy, uri string
	weight                     int // among base events
	system                     bool
	failure                    string // the reason, for kinds that report failures
}

var eventKinds = [...]eventKind{
	{name: "user.session.start", message: "User login to Okta", legacy: "core.user_auth.login_success", uri: "/idp/idx/identify", weight: 24},
	{name: "user.authentication.sso", message: "User single sign on to app", legacy: "app.auth.sso", uri: "/oauth2/v1/authorize", weight: 26},
	{name: "policy.evaluate_sign_on", message: "Evaluation of sign-on policy", uri: "/idp/idx/identify", weight: 16},
	{name: "user.authentication.auth_via_mfa", message: "Authentication of user via MFA", legacy: "core.user.factor.attempt_success", uri: "/idp/idx/challenge/answer", weight: 14},
	{name: "user.session.end", message: "User logout from Okta", legacy: "core.user_auth.logout_success", uri: "/login/signout", weight: 6},
	{name: "user.account.lock", message: "Max sign in attempts exceeded", legacy: "core.user_auth.account_locked", uri: "/idp/idx/challenge/answer", weight: 2, failure: "LOCKED_OUT"},
	{name: "application.user_membership.add", message: "Add user to application membership", legacy: "app.user_management.provision_user", uri: "/api/v1/apps", weight: 3},
	{name: "app.oauth2.token.grant.access_token", message: "OAuth2 access token is granted", legacy: "app.oauth2.token.grant.access_token_success", uri: "/oauth2/v1/token", weight: 6},
	{name: "system.import.start", message: "import started", legacy: "app.generic.import.started", uri: "", weight: 2, system: true},
	{name: "user.account.update_password", message: "User update password for Okta", legacy: "core.user.config.password_update.success", uri: "/idp/idx/challenge/answer", weight: 1},
}

// The kinds that changes to the world are logged as.
var (
	userCreated       = eventKind{name: "user.lifecycle.create", message: "Create Okta user", legacy: "core.user.config.user_creation.success", uri: "/api/v1/users"}
	userUpdated       = eventKind{name: "user.account.update_profile", message: "Update user profile for Okta", legacy: "core.user.config.profile_update.success", uri: "/api/v1/users"}
	userDeactivated   = eventKind{name: "user.lifecycle.deactivate", message: "Deactivate Okta user", legacy: "core.user.config.user_deactivated", uri: "/api/v1/users"}
	userDeletion      = eventKind{name: "user.lifecycle.delete.initiated", message: "Delete Okta user initiated", uri: "/api/v1/users"}
	userDeleted       = eventKind{name: "user.lifecycle.delete.completed", message: "Delete Okta user completed", uri: "/api/v1/users"}
	groupCreated      = eventKind{name: "group.lifecycle.create", message: "Create Okta group", uri: "/api/v1/groups"}
	groupUpdated      = eventKind{name: "group.profile.update", message: "Update Okta group", uri: "/api/v1/groups"}
	groupDeleted      = eventKind{name: "group.lifecycle.delete", message: "Delete Okta group", uri: "/api/v1/groups"}
	membershipAdded   = eventKind{name: "group.user_membership.add", message: "Add user to group membership", legacy: "core.user_group_member.user_add", uri: "/api/v1/groups"}
	membershipRemoved = eventKind{name: "group.user_membership.remove", message: "Remove user from group membership", legacy: "core.user_group_member.user_remove", uri: "/api/v1/groups"}
	deviceEnrolled    = eventKind{name: "device.enrollment.create", message: "Enroll new device", uri: "/api/v1/devices"}
	deviceUpdated     = eventKind{name: "device.user.add", message: "Add device to user", uri: "/api/v1/devices"}
	deviceDeleted     = eventKind{name: "device.lifecycle.delete", message: "Delete device", uri: "/api/v1/devices"}
	userRoleGranted   = eventKind{name: "user.account.privilege.grant", message: "Grant user privilege", legacy: "core.user.admin_privilege.granted", uri: "/api/v1/users"}
	userRoleRevoked   = eventKind{name: "user.account.privilege.revoke", message: "Revoke user privilege", legacy: "core.user.admin_privilege.revoked", uri: "/api/v1/users"}
	groupRoleGranted  = eventKind{name: "group.privilege.grant", message: "Grant group privilege", uri: "/api/v1/groups"}
	groupRoleRevoked  = eventKind{name: "group.privilege.revoke", message: "Revoke group privilege", uri: "/api/v1/groups"}
)

func pickEventKind(h uint64) *eventKind {
	v := int(h % 100)
	for i := range eventKinds {
		if v -= eventKinds[i].weight; v < 0 {
			return &eventKinds[i]
		}
	}
	return &eventKinds[0]
}

var userAgents = [...]struct{ raw, os, browser string }{
	{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36", "Mac OS X", "CHROME"},
	{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0", "Windows 10", "EDGE"},
	{"Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0", "Linux", "FIREFOX"},
	{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1", "iOS (iPhone)", "SAFARI"},
}

func (w *world) appendEvent(b []byte, e *event) []byte {
	h := w.seed.at(saltEvent, e.n+1<<40)
	h2 := mix(h)
	place := &cities[below(h>>4, len(cities))]
	agent := &userAgents[below(h>>12, len(userAgents))]

	if e.actor < 0 {
		b = append(append(append(b, `{"actor":{"id":"`...), w.orgAdmin()...), `","type":"SystemPrincipal","alternateId":"system@okta.com","displayName":"Okta System","detailEntry":null},`...)
		b = append(b, `"client":{"userAgent":null,"zone":null,"device":null,"id":null,"ipAddress":null,"geographicalContext":null},"device":null,`...)
	} else {
		id := w.userID(e.actor)
		b = append(append(append(b, `{"actor":{"id":"`...), id[:]...), `","type":"User","alternateId":"`...)
		b = append(w.appendLogin(b, e.actor), `","displayName":"`...)
		b = append(w.appendDisplayName(b, e.actor), `","detailEntry":null},"client":{"userAgent":{"rawUserAgent":"`...)
		b = append(append(append(b, agent.raw...), `","os":"`...), agent.os...)
		b = append(append(append(b, `","browser":"`...), agent.browser...), `"},"zone":"null","device":"Computer","id":null,"ipAddress":"`...)
		b = append(appendIP(b, h), `","geographicalContext":`...)
		b = append(appendPlace(b, place), "},"...)
		b = append(b, `"device":`...)
		b = append(w.appendEventDevice(b, h), ',')
	}
	b = append(b, `"authenticationContext":{"authenticationProvider":null,"credentialProvider":null,"credentialType":null,"issuer":null,"interface":null,"authenticationStep":0,"rootSessionId":"idx`...)
	b = appendBase62(appendBase62(b, h, 11), h2, 11)
	b = append(b, `","externalSessionId":"idx`...)
	b = append(appendBase62(appendBase62(b, h, 11), h2, 11), `"},"displayMessage":`...)
	b = append(appendJSON(b, e.kind.message), `,"eventType":`...)
	b = appendJSON(b, e.kind.name)
	if e.kind.failure != "" {
		b = append(append(append(b, `,"outcome":{"result":"FAILURE","reason":"`...), e.kind.failure...), `"},`...)
	} else {
		b = append(b, `,"outcome":{"result":"SUCCESS","reason":null},`...)
	}
	b = append(appendTime(append(b, `"published":"`...), e.published), `",`...)
	if e.actor < 0 {
		b = append(b, `"securityContext":{"asNumber":null,"asOrg":null,"isp":null,"domain":null,"isProxy":null},"severity":"INFO",`...)
	} else {
		b = strconv.AppendUint(append(b, `"securityContext":{"asNumber":`...), 1000+h2%60_000, 10)
		b = append(b, `,"asOrg":"example telecom","isp":"example telecom","domain":"example.net","isProxy":false},"severity":"`...)
		if e.kind.failure != "" {
			b = append(b, `WARN",`...)
		} else {
			b = append(b, `INFO",`...)
		}
	}
	b = append(b, `"debugContext":{"debugData":{"requestId":"`...)
	b = append(appendHex(appendHex(b, h, 16), h2, 16), `","dtHash":"`...)
	b = appendHex(appendHex(appendHex(appendHex(b, h2, 16), mix(h2), 16), h, 16), h^h2, 16)
	b = append(append(append(b, `","requestUri":"`...), e.kind.uri...), `","threatSuspected":"false","risk":"{level=LOW}","behaviors":"{New Geo-Location=NEGATIVE, New Device=NEGATIVE, New IP=`...)
	if h>>60 == 0 {
		b = append(b, "POSITIVE"...)
	} else {
		b = append(b, "NEGATIVE"...)
	}
	b = append(append(append(b, `, New State=NEGATIVE, New Country=NEGATIVE, Velocity=NEGATIVE, New City=NEGATIVE}","url":"`...), e.kind.uri...), `?"}},"legacyEventType":`...)
	if e.kind.legacy == "" {
		b = append(b, "null"...)
	} else {
		b = appendJSON(b, e.kind.legacy)
	}
	b = append(appendHex(appendHex(append(b, `,"transaction":{"type":"WEB","id":"`...), h, 16), h2, 16), `","detail":{}},"uuid":"`...)
	b = w.appendUUID(b, e.n)
	b = append(b, `","version":"0","request":{"ipChain":[`...)
	if e.actor >= 0 {
		b = append(appendIP(append(b, `{"ip":"`...), h), `","geographicalContext":`...)
		b = append(appendPlace(b, place), `,"version":"V4","source":null}`...)
	}
	b = append(b, `]},"target":[`...)
	b = w.appendTargets(b, e, h2)
	return append(b, `]}`...)
}

func (w *world) appendUUID(b []byte, n int) []byte {
	h := w.seed.at(saltEvent, -1-n)
	b = append(appendHex(b, h>>32, 8), '-')
	b = append(appendHex(b, h>>16, 4), '-')
	b = append(appendHex(append(b, '1'), h, 3), '-')
	h = mix(h ^ uint64(n))
	return appendHex(append(appendHex(append(b, '8'), h>>52, 3), '-'), h, 12)
}

func (w *world) appendDisplayName(b []byte, n int) []byte {
	f, l := w.userNames(n)
	return append(append(append(b, firstNames[f]...), ' '), lastNames[l]...)
}

func appendIP(b []byte, h uint64) []byte {
	b = append(b, "203.0.113."...)
	return strconv.AppendUint(b, h>>24&255, 10)
}

func appendPlace(b []byte, c *city) []byte {
	b = append(append(append(append(b, `{"city":"`...), c.name...), `","state":"`...), c.state...)
	b = append(append(append(append(b, `","country":"`...), c.countryName...), `","postalCode":"`...), c.zip...)
	b = append(append(append(append(b, `","geolocation":{"lat":`...), c.lat...), `,"lon":`...), c.lon...)
	return append(b, "}}"...)
}

// appendEventDevice: an object for one event in five, else null.
func (w *world) appendEventDevice(b []byte, h uint64) []byte {
	if w.config.Devices == 0 || h>>20%5 != 0 {
		return append(b, "null"...)
	}
	id := w.seed.id(deviceIDs, below(h>>28, w.config.Devices))
	b = append(append(b, `{"id":"`...), id[:]...)
	return append(b, `","name":"Mac15,6","os_platform":"OSX","os_version":"14.6.0","managed":false,"registered":true,"device_integrator":null,"disk_encryption_type":"ALL_INTERNAL_VOLUMES","screen_lock_type":"BIOMETRIC","jailbreak":null,"secure_hardware_present":true}`...)
}

func (w *world) appendTargets(b []byte, e *event, h uint64) []byte {
	if len(e.targets) > 0 {
		for i, t := range e.targets {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(append(append(b, `{"id":"`...), t.id...), `","type":"`...)
			b = appendJSON(append(append(b, t.kind...), `","alternateId":`...), t.alternate)
			b = appendJSON(append(b, `,"displayName":`...), t.display)
			b = append(b, `,"detailEntry":null}`...)
		}
		return b
	}
	wrote := false
	if len(w.apps) > 0 {
		a := &w.apps[below(h, len(w.apps))]
		b = append(append(append(b, `{"id":"`...), a.id[:]...), `","type":"AppInstance","alternateId":`...)
		b = appendJSON(append(appendJSON(b, a.label), `,"displayName":`...), a.label)
		b = append(append(append(b, `,"detailEntry":{"signOnModeType":"`...), a.kind.mode...), `"}}`...)
		wrote = true
	}
	if e.actor >= 0 {
		if wrote {
			b = append(b, ',')
		}
		id := w.userID(e.actor)
		b = append(append(append(b, `{"id":"`...), id[:]...), `","type":"AppUser","alternateId":"`...)
		b = append(w.appendLogin(b, e.actor), `","displayName":"`...)
		b = append(w.appendDisplayName(b, e.actor), `","detailEntry":null}`...)
	}
	return b
}
