package oktasim

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const secondly = time.Second

// world is everything there is in an org. What Config doesn't change lately is computed; see table.
type world struct {
	config Config
	seed   seed
	born   int64
	orgID  ident

	mu sync.RWMutex

	userAxis, groupAxis, appAxis, deviceAxis *axis

	users   view[user, *user]
	groups  view[group, *group]
	devices view[device, *device]

	memberSets  []members // of base groups
	rosters     map[int]*roster
	adminGroups map[int]bool
	userRoles   map[int][]assignment
	admins      []int // users with roles of their own, ascending
	nextUser    int
	nextGroup   int
	madeDevices int
	moves       int // made by Mutate

	apps        []app
	appsOfGroup map[int]int
	roles       []customRole
	sets        []resourceSet
	policies    []policy
	userTypes   []userType
	events      eventLog

	// Changes that the search index hasn't seen yet, by when it will.
	pending  []pendingChange
	nextDue  atomic.Int64
	changes  int
	duePerID map[ident]int64
}

type pendingChange struct {
	due   int64
	apply func()
}

func newWorld(c Config) *world {
	w := &world{
		config: c, seed: seed(c.Seed), born: millis(c.Born), rosters: map[int]*roster{}, adminGroups: map[int]bool{},
		userRoles: map[int][]assignment{}, nextUser: c.Users, duePerID: map[ident]int64{},
	}
	w.orgID = w.seed.id(orgIDs, 0)
	w.nextDue.Store(math.MaxInt64)
	w.userAxis = newAxis(w.seed, saltUser, c.Users, c.BulkUsers, 1095, c.Born, secondly)
	w.users = newView[user, *user](w.userAxis, userIDs, w.fillUser)
	w.groups = newView[group, *group](nil, groupIDs, nil)
	w.deviceAxis = newAxis(w.seed, saltDevice, c.Devices, 0, 700, c.Born, secondly)
	w.devices = newView[device, *device](w.deviceAxis, deviceIDs, w.fillDevice)
	w.buildTypes()
	w.buildIAM()
	w.buildPolicies()
	w.buildApps()
	w.buildGroups()
	w.buildUserRoles()
	w.buildEvents()
	return w
}

// changed makes a change known to the search index: at once, or after the lag. The caller holds the lock.
func (w *world) changed(id ident, now int64, apply func()) {
	w.changes++
	lag := w.config.IndexLag.Milliseconds()
	if j := w.config.IndexLagJitter.Milliseconds(); j > 0 {
		lag += int64(w.seed.at(saltLag, w.changes) % uint64(j+1))
	}
	if lag <= 0 && len(w.pending) == 0 {
		apply()
		return
	}
	// A record's own changes stay in order.
	due := max(now+lag, w.duePerID[id])
	w.duePerID[id] = due
	i, _ := slices.BinarySearchFunc(w.pending, due, func(p pendingChange, due int64) int {
		if p.due <= due {
			return -1
		}
		return 1
	})
	w.pending = slices.Insert(w.pending, i, pendingChange{due, apply})
	w.nextDue.Store(w.pending[0].due)
}

// settle lets the search index catch up with what is due by now.
func (w *world) settle(now int64) {
	if w.nextDue.Load() > now {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for n < len(w.pending) && w.pending[n].due <= now {
		w.pending[n].apply()
		n++
	}
	w.pending = slices.Delete(w.pending, 0, n)
	if len(w.pending) == 0 {
		clear(w.duePerID)
		w.nextDue.Store(math.MaxInt64)
		return
	}
	w.nextDue.Store(w.pending[0].due)
}
