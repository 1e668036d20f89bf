package oktasim

import (
	"iter"
	"time"
)

// What exists, for tests that compare it with what was read. Loops over ids run without a lock, so they may make requests
// and changes; what changes during the loop may or may not be in it.

// Entity is a user, group or device that exists.
type Entity struct {
	ID                    string
	Status                string // of users and devices
	LastUpdated           time.Time
	LastMembershipUpdated time.Time // of groups
}

// Event is an event of the System Log.
type Event struct {
	UUID, Type           string
	Published, Persisted time.Time
}

// Users are all users, the deactivated ones too.
func (o *Org) Users() iter.Seq[Entity] {
	return inBatches(o.world, o.world.users.live, func(u *user) Entity {
		return Entity{ID: u.id.String(), Status: u.status, LastUpdated: instant(u.updated)}
	})
}

// Groups are all groups, Everyone too.
func (o *Org) Groups() iter.Seq[Entity] {
	return inBatches(o.world, o.world.groups.live, func(g *group) Entity {
		return Entity{ID: g.id.String(), LastUpdated: instant(g.updated), LastMembershipUpdated: instant(g.membership)}
	})
}

// Devices are all devices.
func (o *Org) Devices() iter.Seq[Entity] {
	return inBatches(o.world, o.world.devices.live, func(d *device) Entity {
		return Entity{ID: d.id.String(), Status: d.status, LastUpdated: instant(d.updated)}
	})
}

const batch = 512

// inBatches reads a table under the lock and hands on what it read without it.
func inBatches[R any, P record[R]](w *world, t *table[R, P], entity func(*R) Entity) iter.Seq[Entity] {
	return func(yield func(Entity) bool) {
		s := everything(byID)
		rows := make([]Entity, 0, batch)
		for {
			rows = rows[:0]
			w.mu.RLock()
			t.scan(s, func(r *R) bool {
				rows = append(rows, entity(r))
				at := byID.place(P(r).hd())
				s.after = &at
				return len(rows) < batch
			})
			w.mu.RUnlock()
			for _, e := range rows {
				if !yield(e) {
					return
				}
			}
			if len(rows) < batch {
				return
			}
		}
	}
}

// Memberships are the ids of group and user of every membership.
func (o *Org) Memberships() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		w := o.world
		for g := range o.Groups() {
			for from, more := 0, true; more; {
				var users []string
				w.mu.RLock()
				more = false
				if group := w.groupByID(g.ID); group != nil {
					w.eachMember(group.n, from, func(position, n int) bool {
						if u, changed := w.users.live.over[n]; !changed || u != nil {
							users = append(users, w.userID(n).String())
						}
						from = position + 1
						more = len(users) == batch
						return !more
					})
				}
				w.mu.RUnlock()
				for _, u := range users {
					if !yield(g.ID, u) {
						return
					}
				}
			}
		}
	}
}

// Events are the events that are persisted by now and not yet past retention, in the order they were persisted.
func (o *Org) Events() iter.Seq[Event] {
	return func(yield func(Event) bool) {
		w := o.world
		now := millis(o.Now())
		kept := now - logRetention.Milliseconds()
		for from, more := (logPosition{at: kept}), true; more; {
			var events []Event
			skip := from.given
			w.mu.RLock()
			more = false
			w.eachPersisted(from.at, now, func(e *event) bool {
				if skip > 0 && e.persisted == from.at {
					skip--
					return true
				}
				if len(events) == batch {
					more = true
					return false
				}
				if e.persisted != from.at {
					from = logPosition{at: e.persisted}
				}
				from.given++
				if e.published >= kept {
					events = append(events, Event{
						UUID: string(w.appendUUID(nil, e.n)), Type: e.kind.name,
						Published: instant(e.published), Persisted: instant(e.persisted),
					})
				}
				return true
			})
			w.mu.RUnlock()
			for _, e := range events {
				if !yield(e) {
					return
				}
			}
		}
	}
}

// Record is a record of a stream as the API answers it now, with the ids of its parents in the order they nest.
type Record struct {
	Parents [][2]string // name and id, such as groupId and 00g…
	JSON    []byte      // valid until the next record
}

// Streams are the names that Records knows.
func Streams() []string {
	return []string{
		"users", "groups", "group_members", "group_role_assignments", "user_role_assignments", "custom_roles", "permissions",
		"resource_sets", "logs", "applications", "application_users", "application_groups", "user_factors", "policies",
		"policy_rules", "devices", "resource_set_bindings", "resource_set_binding_members", "user_types", "user_schemas",
		"current_user",
	}
}

// Records are all records of a stream as a client of origin ("": Config.Origin) would read them, users with every status.
// A stream that isn't one of Streams has none. The world stands still during the loop: make no requests or changes in it.
func (o *Org) Records(stream, origin string) iter.Seq[Record] {
	if origin == "" {
		origin = o.config.Origin
	}
	return func(yield func(Record) bool) {
		o.world.mu.RLock()
		defer o.world.mu.RUnlock()
		t := teller{o: o, w: o.world, origin: origin, admin: adminOrigin(origin, o.config.Origin), yield: yield}
		t.tell(stream)
	}
}

// teller hands records to a loop until it has enough.
type teller struct {
	o             *Org
	w             *world
	origin, admin string
	yield         func(Record) bool
	b             []byte
}

func (t *teller) give(b []byte, parents ...[2]string) bool {
	t.b = b
	return t.yield(Record{parents, b})
}

func (t *teller) tell(stream string) {
	w := t.w
	switch stream {
	case "users":
		w.users.live.scan(everything(byID), func(u *user) bool {
			return t.give(w.appendUser(t.b[:0], u, t.origin, userShape{}))
		})
	case "groups":
		w.groups.live.scan(everything(byID), func(g *group) bool { return t.give(w.appendGroup(t.b[:0], g, t.origin, "")) })
	case "devices":
		if !w.config.Classic {
			w.devices.live.scan(everything(byID), func(d *device) bool { return t.give(w.appendDevice(t.b[:0], d, t.origin)) })
		}
	case "group_members":
		var scratch user
		w.groups.live.scan(everything(byID), func(g *group) bool {
			ok := true
			w.eachMember(g.n, 0, func(_, n int) bool {
				if u := w.users.live.get(n, &scratch); u != nil {
					ok = t.give(w.appendUser(t.b[:0], u, t.origin, userShape{}), [2]string{"groupId", g.id.String()})
				}
				return ok
			})
			return ok
		})
	case "group_role_assignments":
		w.groups.live.scan(everything(byID), func(g *group) bool {
			for _, a := range g.roles {
				r := heldRole{assignment: a, group: g}
				if !t.give(w.appendRole(t.b[:0], &r, t.origin), [2]string{"groupId", g.id.String()}) {
					return false
				}
			}
			return true
		})
	case "user_role_assignments":
		w.users.live.scan(everything(byID), func(u *user) bool {
			for _, r := range w.rolesOf(u) {
				if !t.give(w.appendRole(t.b[:0], &r, t.origin), [2]string{"userId", u.id.String()}) {
					return false
				}
			}
			return true
		})
	case "user_factors":
		w.users.live.scan(everything(byID), func(u *user) bool {
			for i := range factorKinds {
				if u.status == "DEPROVISIONED" || !w.hasFactor(u, i) {
					continue
				}
				if !t.give(w.appendFactor(t.b[:0], u, i, t.origin), [2]string{"userId", u.id.String()}) {
					return false
				}
			}
			return true
		})
	case "current_user":
		var scratch user
		if u := w.users.live.get(0, &scratch); u != nil {
			t.give(w.appendUser(t.b[:0], u, t.origin, userShape{}))
		}
	case "logs":
		now := millis(t.o.Now())
		kept := now - logRetention.Milliseconds()
		w.eachPersisted(kept, now, func(e *event) bool {
			return e.published < kept || t.give(w.appendEvent(t.b[:0], e))
		})
	case "applications", "application_users", "application_groups":
		t.tellApps(stream)
	case "policies", "policy_rules":
		t.tellPolicies(stream)
	case "user_types", "user_schemas":
		for i := range w.userTypes {
			b := w.appendUserType(t.b[:0], i, t.origin)
			if stream == "user_schemas" {
				b = w.appendUserSchema(t.b[:0], i, t.origin)
			}
			if !t.give(b) {
				return
			}
		}
	default:
		t.tellIAM(stream)
	}
}

func (t *teller) tellApps(stream string) {
	w := t.w
	for i := range w.apps {
		a := &w.apps[i]
		ok := true
		parent := [2]string{"appId", a.id.String()}
		switch stream {
		case "applications":
			ok = t.give(w.appendApp(t.b[:0], a, t.origin))
		case "application_users":
			w.eachAppUser(a, 0, func(k int, u *user) bool {
				ok = t.give(w.appendAppUser(t.b[:0], a, k, u, t.origin), parent)
				return ok
			})
		default:
			w.eachAppGroup(a, 0, func(k int, g *group) bool {
				ok = t.give(w.appendAppGroup(t.b[:0], a, k, g, t.origin), parent)
				return ok
			})
		}
		if !ok {
			return
		}
	}
}

func (t *teller) tellPolicies(stream string) {
	for i := range t.w.policies {
		p := &t.w.policies[i]
		if t.w.policyRefusal(p.kind) != nil {
			continue
		}
		if stream == "policies" {
			if !t.give(t.w.appendPolicy(t.b[:0], p, t.origin)) {
				return
			}
			continue
		}
		for k := range p.rules {
			if !t.give(t.w.appendRule(t.b[:0], p, &p.rules[k], t.origin), [2]string{"policyId", p.id.String()}) {
				return
			}
		}
	}
}

func (t *teller) tellIAM(stream string) {
	w := t.w
	switch stream {
	case "custom_roles", "permissions":
		for i := range w.roles {
			r := &w.roles[i]
			if stream == "custom_roles" {
				if !t.give(w.appendCustomRole(t.b[:0], r, t.admin)) {
					return
				}
				continue
			}
			for _, p := range r.permissions {
				if !t.give(w.appendPermission(t.b[:0], r, p, t.admin), [2]string{"roleId", r.id.String()}) {
					return
				}
			}
		}
	case "resource_sets", "resource_set_bindings", "resource_set_binding_members":
		for i := range w.sets {
			s := &w.sets[i]
			set := [2]string{"resourceSetId", s.id.String()}
			if stream == "resource_sets" {
				if !t.give(w.appendResourceSet(t.b[:0], s, t.admin)) {
					return
				}
				continue
			}
			for _, bound := range s.bound {
				r := &w.roles[bound]
				if stream == "resource_set_bindings" {
					if !t.give(w.appendBinding(t.b[:0], s, r, t.admin), set) {
						return
					}
					continue
				}
				for k := range w.bindingSize(i, bound) {
					if !t.give(w.appendBindingMember(t.b[:0], i, bound, k, t.admin), set, [2]string{"roleId", r.id.String()}) {
						return
					}
				}
			}
		}
	}
}
