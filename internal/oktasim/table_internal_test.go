package oktasim

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var epoch = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func TestAnAxisIsMonotoneAndItsSequenceAPermutation(t *testing.T) {
	for _, c := range []struct{ n, bulk, days int }{{0, 0, 30}, {1, 0, 30}, {1, 1, 30}, {7, 3, 400}, {5000, 0, 1095}, {5000, 1700, 1095}, {300, 300, 90}} {
		a := newAxis(seed(c.n), saltUser, c.n, c.bulk, c.days, epoch, time.Second)
		seen := make([]bool, c.n)
		last, run, longest := int64(math.MinInt64), 0, 0
		for i := range c.n {
			at, seq := a.locate(i)
			require.GreaterOrEqual(t, at, last)
			require.Less(t, at, epoch.UnixMilli())
			require.Zero(t, at%1000)
			if at == last {
				run++
			} else {
				run = 1
			}
			longest = max(longest, run)
			last = at
			require.False(t, seen[seq])
			seen[seq] = true
			back, _ := a.indexOf(seq)
			require.Equal(t, i, back)
			require.Equal(t, i, a.search(at)+run-1)
		}
		assert.GreaterOrEqual(t, longest, c.bulk)
	}
}

func TestIDsHoldTheirSequence(t *testing.T) {
	s := seed(9)
	var ids []ident
	for _, n := range []int{0, 1, 2, 61, 62, 1_000, 999_999, 50_000_000} {
		id := s.id(userIDs, n)
		back, ok := s.seq(userIDs, id.String())
		assert.True(t, ok)
		assert.Equal(t, n, back)
		ids = append(ids, id)
		_, ok = s.seq(groupIDs, id.String())
		assert.False(t, ok)
		_, ok = seed(10).seq(userIDs, id.String())
		assert.False(t, ok, "another org's id")
	}
	assert.True(t, slices.IsSortedFunc(ids, ident.compare))
	for _, text := range []string{"", "00u", "-1", "00uqrks9ig7XuWV7X5d7", "00u!!!!!!!!!!!!!!5d7"} {
		_, ok := s.seq(userIDs, text)
		assert.False(t, ok, text)
	}
}

// TestATableScansLikeASortedList compares a table that changes with a plain list of its records.
func TestATableScansLikeASortedList(t *testing.T) {
	for run := range 30 {
		rng := rand.New(rand.NewPCG(uint64(run), 1))
		w := newWorld(Config{Seed: uint64(run), Users: rng.IntN(60), BulkUsers: rng.IntN(20), Groups: 5, Born: epoch, Clock: func() time.Time { return epoch }}.withDefaults())
		table := w.users.live
		model := map[int]user{}
		for i := range w.config.Users {
			var u user
			w.fillUser(i, &u)
			model[i] = u
		}
		for range rng.IntN(80) {
			n := rng.IntN(w.config.Users + 20)
			switch rng.IntN(3) {
			case 0:
				table.del(n)
				delete(model, n)
			default:
				u := &user{head: head{n: n, id: w.userID(n), updated: epoch.Add(-time.Duration(rng.IntN(400)) * time.Hour).UnixMilli()}}
				table.put(u)
				model[n] = *u
			}
		}
		for _, o := range []order{byID, byUpdated} {
			for _, desc := range []bool{false, true} {
				want := make([]user, 0, len(model))
				for _, u := range model {
					want = append(want, u)
				}
				slices.SortFunc(want, func(a, b user) int {
					c := o.place(&a.head).compare(o.place(&b.head))
					if desc {
						return -c
					}
					return c
				})
				lo, hi := int64(math.MinInt64), int64(math.MaxInt64)
				if rng.IntN(2) == 0 {
					lo = epoch.Add(-time.Duration(rng.IntN(800)) * time.Hour).UnixMilli()
					hi = lo + int64(rng.IntN(400))*3_600_000
				}
				s := scope{order: o, desc: desc, lo: lo, hi: hi}
				if len(want) > 0 && rng.IntN(2) == 0 {
					k := rng.IntN(len(want))
					after := o.place(&want[k].head)
					s.after = &after
					if rng.IntN(2) == 0 {
						table.del(want[k].n) // the token's record may be gone
						delete(model, want[k].n)
					}
					want = want[k+1:]
				}
				want = slices.DeleteFunc(want, func(u user) bool { return u.updated < lo || u.updated > hi })
				var got []int
				table.scan(s, func(u *user) bool {
					if u.updated >= lo && u.updated <= hi {
						got = append(got, u.n)
					}
					return true
				})
				var numbers []int
				for _, u := range want {
					numbers = append(numbers, u.n)
				}
				require.Equal(t, numbers, got, "run %d order %d desc %v", run, o, desc)
			}
		}
	}
}

func TestMembersAreDistinctAndKnowThemselves(t *testing.T) {
	for _, n := range []int{1, 2, 3, 10, 97, 1000, 2048} {
		for k := range 20 {
			m := spread(mix(uint64(k)), max(1, k*n/30), n)
			in := map[int]bool{}
			for i := range m.size {
				in[m.at(i, n)] = true
			}
			require.Len(t, in, m.size)
			for u := range n {
				require.Equal(t, in[u], m.has(u, n), "%+v of %d: %d", m, n, u)
			}
		}
	}
}

func TestTimesAreWrittenAsGoWritesThem(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for _, ms := range []int64{0, -1, 951_782_399_999, 951_782_400_000, 4_102_444_799_999} {
		assert.Equal(t, instant(ms).Format("2006-01-02T15:04:05.000Z"), string(appendTime(nil, ms)))
	}
	for range 20_000 {
		ms := rng.Int64N(200*365*86_400_000) - 50*365*86_400_000
		require.Equal(t, instant(ms).Format("2006-01-02T15:04:05.000Z"), string(appendTime(nil, ms)))
	}
}
