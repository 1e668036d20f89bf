package oktasim

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Changes to the world. They may be made while requests run; each moves the dates that Okta would move, becomes known to
// search after the index lag, and writes the System Log event that Okta would write. The dates of users, groups and
// devices have whole seconds.

// ErrUnknown says that an id names nothing that exists.
var ErrUnknown = errors.New("no such record")

func unknown(kind, id string) error { return fmt.Errorf("%s %q: %w", kind, id, ErrUnknown) }

// change runs a mutation at the org's present.
func (o *Org) change(f func(w *world, now int64) error) error {
	o.world.mu.Lock()
	defer o.world.mu.Unlock()
	return f(o.world, millis(o.Now()))
}

func seconds(ms int64) int64 { return floorDiv(ms, 1000) * 1000 }

// logged writes the event of a change.
func (w *world) logged(now int64, kind *eventKind, targets ...target) {
	e := event{published: now, persisted: now + w.events.delay, kind: kind, targets: targets, actor: 0}
	if w.config.Users == 0 {
		e.actor = -1
	}
	if every := w.events.lateEvery; every > 0 && w.seed.at(saltLate, w.events.next)%uint64(every) == 0 {
		e.persisted += w.lateness(w.events.next)
	}
	w.addEvent(e)
}

func (w *world) userTarget(u *user) target {
	login := string(w.appendLogin(nil, u.n))
	return target{"User", u.id.String(), login, string(w.appendDisplayName(nil, u.n))}
}

func groupTarget(g *group) target { return target{"UserGroup", g.id.String(), "unknown", g.name} }

// liveUser is a copy of a user, to be changed.
func (w *world) liveUser(id string) (*user, error) {
	var scratch user
	u := w.userByID(id, &scratch)
	if u == nil {
		return nil, unknown("user", id)
	}
	c := *u
	return &c, nil
}

func (w *world) liveGroup(id string) (*group, error) {
	g := w.groupByID(id)
	if g == nil {
		return nil, unknown("group", id)
	}
	c := *g
	return &c, nil
}

func (w *world) storeUser(u *user, now int64) {
	w.users.live.put(u)
	w.changed(u.id, now, func() { w.users.index.put(u) })
}

func (w *world) storeGroup(g *group, now int64) {
	w.groups.live.put(g)
	w.changed(g.id, now, func() { w.groups.index.put(g) })
}

// CreateUser makes an active user, who is a member of Everyone, and returns their id. The attributes are added to the
// profile.
func (o *Org) CreateUser(profile map[string]string) string {
	var id string
	_ = o.change(func(w *world, now int64) error {
		u := &user{head: head{n: w.nextUser, updated: seconds(now)}, status: "ACTIVE", profile: profile}
		w.nextUser++
		u.id = w.userID(u.n)
		u.created, u.activated, u.statusChanged, u.passwordSet = u.updated, u.updated, u.updated, u.updated
		w.storeUser(u, now)
		w.join(everyone, u.n, now)
		w.logged(now, &userCreated, w.userTarget(u))
		id = u.id.String()
		return nil
	})
	return id
}

// UpdateUser changes a user's profile: the attributes given, and the title in any case.
func (o *Org) UpdateUser(id string, profile map[string]string) error {
	return o.change(func(w *world, now int64) error {
		u, err := w.liveUser(id)
		if err != nil {
			return err
		}
		merged := make(map[string]string, len(u.profile)+len(profile))
		for _, m := range []map[string]string{u.profile, profile} {
			for name, value := range m {
				merged[name] = value
			}
		}
		u.profile = merged
		u.revision++
		u.updated = seconds(now)
		w.storeUser(u, now)
		w.logged(now, &userUpdated, w.userTarget(u))
		return nil
	})
}

// DeactivateUser makes a user DEPROVISIONED: roles and app assignments end, memberships don't.
func (o *Org) DeactivateUser(id string) error {
	return o.change(func(w *world, now int64) error {
		u, err := w.liveUser(id)
		if err != nil {
			return err
		}
		u.status, u.updated, u.statusChanged = "DEPROVISIONED", seconds(now), seconds(now)
		w.dropRoles(u.n)
		w.storeUser(u, now)
		w.logged(now, &userDeactivated, w.userTarget(u))
		return nil
	})
}

// DeleteUser removes a user from the org and from their groups, whose lastMembershipUpdated stays.
func (o *Org) DeleteUser(id string) error {
	return o.change(func(w *world, now int64) error {
		u, err := w.liveUser(id)
		if err != nil {
			return err
		}
		for n := range w.nextGroup {
			if g := w.groups.live.get(n, nil); g != nil && w.isMember(n, u.n) {
				w.leave(n, u.n, 0, now)
			}
		}
		w.dropRoles(u.n)
		w.users.live.del(u.n)
		w.changed(u.id, now, func() { w.users.index.del(u.n) })
		w.logged(now, &userDeletion, w.userTarget(u))
		w.logged(now, &userDeleted, w.userTarget(u))
		return nil
	})
}

func (w *world) dropRoles(n int) {
	delete(w.userRoles, n)
	if i, ok := slices.BinarySearch(w.admins, n); ok {
		w.admins = slices.Delete(w.admins, i, i+1)
	}
}

// CreateGroup makes an empty OKTA_GROUP and returns its id.
func (o *Org) CreateGroup(name string) string {
	var id string
	_ = o.change(func(w *world, now int64) error {
		at := seconds(now)
		g := &group{head: head{n: w.nextGroup, updated: at, membership: at}, kind: "OKTA_GROUP", created: at, name: name}
		w.nextGroup++
		g.id = w.seed.id(groupIDs, g.n)
		w.storeGroup(g, now)
		w.logged(now, &groupCreated, groupTarget(g))
		id = g.id.String()
		return nil
	})
	return id
}

// UpdateGroup changes a group's description, which moves lastUpdated and not lastMembershipUpdated.
func (o *Org) UpdateGroup(id string) error {
	return o.change(func(w *world, now int64) error {
		g, err := w.liveGroup(id)
		if err != nil {
			return err
		}
		g.revision++
		g.description = "Revision " + strconv.Itoa(g.revision)
		g.updated = seconds(now)
		w.storeGroup(g, now)
		w.logged(now, &groupUpdated, groupTarget(g))
		return nil
	})
}

// DeleteGroup removes a group.
func (o *Org) DeleteGroup(id string) error {
	return o.change(func(w *world, now int64) error {
		g, err := w.liveGroup(id)
		if err != nil {
			return err
		}
		delete(w.adminGroups, g.n)
		w.groups.live.del(g.n)
		w.changed(g.id, now, func() { w.groups.index.del(g.n) })
		w.logged(now, &groupDeleted, groupTarget(g))
		return nil
	})
}

// AddMember puts a user into a group, which moves lastMembershipUpdated and not lastUpdated. Who is in it already stays.
func (o *Org) AddMember(group, user string) error {
	return o.change(func(w *world, now int64) error { return w.setMember(group, user, true, now) })
}

// RemoveMember takes a user out of a group.
func (o *Org) RemoveMember(group, user string) error {
	return o.change(func(w *world, now int64) error { return w.setMember(group, user, false, now) })
}

func (w *world) setMember(group, id string, member bool, now int64) error {
	g, err := w.liveGroup(group)
	if err != nil {
		return err
	}
	u, err := w.liveUser(id)
	if err != nil {
		return err
	}
	switch {
	case w.isMember(g.n, u.n) == member:
		return nil
	case member:
		w.join(g.n, u.n, now)
		w.logged(now, &membershipAdded, w.userTarget(u), groupTarget(g))
	default:
		w.leave(g.n, u.n, seconds(now), now)
		w.logged(now, &membershipRemoved, w.userTarget(u), groupTarget(g))
	}
	return nil
}

func (w *world) roster(g int) *roster {
	r := w.rosters[g]
	if r == nil {
		r = &roster{removed: map[int]bool{}, where: map[int]int{}}
		w.rosters[g] = r
	}
	return r
}

func (w *world) join(g, user int, now int64) {
	r := w.roster(g)
	if r.removed[user] {
		delete(r.removed, user)
	} else {
		r.where[user] = len(r.added)
		r.added = append(r.added, user)
	}
	w.recount(g, 1, seconds(now), now)
}

// leave ends a membership; moved is the new lastMembershipUpdated, or 0 to keep the old one.
func (w *world) leave(g, user int, moved, now int64) {
	r := w.roster(g)
	if i, ok := r.where[user]; ok {
		r.added[i] = -1
		delete(r.where, user)
	} else {
		r.removed[user] = true
	}
	w.recount(g, -1, moved, now)
}

func (w *world) recount(n, by int, moved, now int64) {
	g := *w.groups.live.get(n, nil)
	g.usersCount += by
	if moved > 0 {
		g.membership = moved
	}
	w.storeGroup(&g, now)
}

// GrantUserRole gives a user an admin role, such as APP_ADMIN or CUSTOM.
func (o *Org) GrantUserRole(user, role string) error {
	return o.change(func(w *world, now int64) error {
		u, err := w.liveUser(user)
		if err != nil {
			return err
		}
		kind, err := roleNumber(role)
		if err != nil {
			return err
		}
		held := slices.Clone(w.userRoles[u.n])
		w.userRoles[u.n] = append(held, w.newAssignment(kind, u.n+1, w.changes+len(held), seconds(now)))
		if i, ok := slices.BinarySearch(w.admins, u.n); !ok {
			w.admins = slices.Insert(w.admins, i, u.n)
		}
		w.logged(now, &userRoleGranted, w.userTarget(u))
		return nil
	})
}

// RevokeUserRoles takes all roles of their own from a user.
func (o *Org) RevokeUserRoles(user string) error {
	return o.change(func(w *world, now int64) error {
		u, err := w.liveUser(user)
		if err != nil {
			return err
		}
		w.dropRoles(u.n)
		w.logged(now, &userRoleRevoked, w.userTarget(u))
		return nil
	})
}

// GrantGroupRole gives a group an admin role, which its members inherit. No date of the group moves.
func (o *Org) GrantGroupRole(group, role string) error {
	return o.change(func(w *world, now int64) error {
		g, err := w.liveGroup(group)
		if err != nil {
			return err
		}
		kind, err := roleNumber(role)
		if err != nil {
			return err
		}
		g.roles = append(slices.Clone(g.roles), w.newAssignment(kind, -g.n, w.changes+len(g.roles), seconds(now)))
		w.adminGroups[g.n] = true
		w.storeGroup(g, now)
		w.logged(now, &groupRoleGranted, groupTarget(g))
		return nil
	})
}

// RevokeGroupRoles takes all roles from a group.
func (o *Org) RevokeGroupRoles(group string) error {
	return o.change(func(w *world, now int64) error {
		g, err := w.liveGroup(group)
		if err != nil {
			return err
		}
		g.roles = nil
		delete(w.adminGroups, g.n)
		w.storeGroup(g, now)
		w.logged(now, &groupRoleRevoked, groupTarget(g))
		return nil
	})
}

func roleNumber(name string) (int, error) {
	for i := range roleTypes {
		if roleTypes[i].name == name {
			return i, nil
		}
	}
	return 0, unknown("role", name)
}

// CreateDevice makes an active device and returns its id.
func (o *Org) CreateDevice() string {
	var id string
	_ = o.change(func(w *world, now int64) error {
		d := &device{head: head{n: w.config.Devices + w.madeDevices, updated: seconds(now)}, status: "ACTIVE", created: seconds(now)}
		w.madeDevices++
		d.id = w.seed.id(deviceIDs, d.n)
		w.devices.live.put(d)
		w.changed(d.id, now, func() { w.devices.index.put(d) })
		w.logged(now, &deviceEnrolled, target{"Device", d.id.String(), "", string(w.appendDeviceSerial(nil, d))})
		id = d.id.String()
		return nil
	})
	return id
}

// UpdateDevice changes a device's profile. The System Log knows no such event, so the one of a further user stands in.
func (o *Org) UpdateDevice(id string) error {
	return o.change(func(w *world, now int64) error {
		d, err := w.liveDevice(id)
		if err != nil {
			return err
		}
		d.revision++
		d.updated = seconds(now)
		w.devices.live.put(d)
		w.changed(d.id, now, func() { w.devices.index.put(d) })
		w.logged(now, &deviceUpdated, target{"Device", id, "", string(w.appendDeviceSerial(nil, d))})
		return nil
	})
}

// DeleteDevice removes a device.
func (o *Org) DeleteDevice(id string) error {
	return o.change(func(w *world, now int64) error {
		d, err := w.liveDevice(id)
		if err != nil {
			return err
		}
		w.devices.live.del(d.n)
		w.changed(d.id, now, func() { w.devices.index.del(d.n) })
		w.logged(now, &deviceDeleted, target{"Device", id, "", string(w.appendDeviceSerial(nil, d))})
		return nil
	})
}

func (w *world) liveDevice(id string) (*device, error) {
	n, ok := w.seed.seq(deviceIDs, id)
	if !ok {
		return nil, unknown("device", id)
	}
	if n < w.deviceAxis.n {
		n, _ = w.deviceAxis.indexOf(n)
	}
	var scratch device
	d := w.devices.live.get(n, &scratch)
	if d == nil {
		return nil, unknown("device", id)
	}
	c := *d
	return &c, nil
}

// AppendEvent writes an event of any type to the System Log and returns its uuid. It is persisted when persisted says,
// but not before the org's present: what was written can't change behind a reader.
func (o *Org) AppendEvent(eventType string, published, persisted time.Time) string {
	var uuid string
	_ = o.change(func(w *world, now int64) error {
		e := event{
			published: millis(published), persisted: max(millis(persisted), now), actor: -1,
			kind: &eventKind{name: eventType, message: eventType},
		}
		uuid = string(w.appendUUID(nil, w.events.next))
		w.addEvent(e)
		return nil
	})
	return uuid
}

// Mutate makes n changes of mixed kinds to records picked by the seed and how many changes there were before, so the
// same calls always do the same. It returns how many of each kind were made.
func (o *Org) Mutate(n int) map[string]int {
	done := map[string]int{}
	for range n {
		o.world.mu.Lock()
		o.world.moves++
		h := o.world.seed.at(saltMove, o.world.moves)
		user, okUser := o.world.pickUser(h >> 8)
		group, okGroup := o.world.pickGroup(h >> 16)
		device, okDevice := o.world.pickDevice(h >> 24)
		o.world.mu.Unlock()
		var err error
		kind := ""
		switch v := h % 100; {
		case v < 45 && okUser:
			kind, err = "UpdateUser", o.UpdateUser(user, nil)
		case v < 60 && okUser && okGroup:
			kind, err = "AddMember", o.AddMember(group, user)
		case v < 70 && okUser && okGroup:
			kind, err = "RemoveMember", o.RemoveMember(group, user)
		case v < 76:
			kind = "CreateUser"
			o.CreateUser(nil)
		case v < 80 && okUser:
			kind, err = "DeactivateUser", o.DeactivateUser(user)
		case v < 83 && okUser:
			kind, err = "DeleteUser", o.DeleteUser(user)
		case v < 90 && okGroup:
			kind, err = "UpdateGroup", o.UpdateGroup(group)
		case v < 93:
			kind = "CreateGroup"
			o.CreateGroup("Made " + strconv.FormatUint(h>>40, 36))
		case v < 94 && okGroup:
			kind, err = "DeleteGroup", o.DeleteGroup(group)
		case okDevice:
			kind, err = "UpdateDevice", o.UpdateDevice(device)
		}
		if kind != "" && err == nil {
			done[kind]++
		}
	}
	return done
}

// pickUser is a user that exists, but never the token's owner.
func (w *world) pickUser(h uint64) (string, bool) {
	if w.nextUser < 2 {
		return "", false
	}
	var scratch user
	for range 20 {
		n := 1 + below(h, w.nextUser-1)
		if u := w.users.live.get(n, &scratch); u != nil {
			return u.id.String(), true
		}
		h = mix(h)
	}
	return "", false
}

// pickGroup is a group that exists, but never Everyone.
func (w *world) pickGroup(h uint64) (string, bool) {
	if w.nextGroup < 2 {
		return "", false
	}
	for range 20 {
		if g := w.groups.live.get(1+below(h, w.nextGroup-1), nil); g != nil {
			return g.id.String(), true
		}
		h = mix(h)
	}
	return "", false
}

func (w *world) pickDevice(h uint64) (string, bool) {
	if w.config.Devices+w.madeDevices == 0 {
		return "", false
	}
	var scratch device
	d := w.devices.live.get(below(h, w.config.Devices+w.madeDevices), &scratch)
	if d == nil {
		return "", false
	}
	return d.id.String(), true
}
