// Package oktasim is a simulated Okta org: an [http.Handler] and [http.RoundTripper] over one in-memory world that
// answers as Okta does, quirks included. Tests, the demo, the benchmarks and the examples run on it.
//
// # The world
//
// A seed and sizes make the world. Base records are computed from (seed, index) whenever they are asked for, so an org
// of a million users costs neither time nor memory to set up; base timestamps grow with the index, so a search by
// lastUpdated is a binary search. What changes afterwards lives in a sorted overlay. The same seed, sizes and
// [Config.Born] give the same world, byte for byte.
//
// # What it takes from Okta
//
// Where Okta's documentation, its API description or recorded answers say how the API behaves, the org behaves so.
// Where they are silent the package chooses, and says so at the place; the choices that a client could notice are:
//
//   - a limit above the documented maximum is a 400 E0000001, never silently capped;
//   - a deactivated user stays a member of their groups (an Okta support article says so), a deleted one leaves them
//     without moving lastMembershipUpdated;
//   - unsorted lists come in the order of ids, which is not the order of lastUpdated;
//   - the Link header of lists under /api/v1/iam carries only self, the way on is in the body;
//   - a page token belongs to the query it was made for: another query with it is a 400 E0000029;
//   - a service app has no user, so /api/v1/users/me answers it with 404 E0000007.
//
// # Time
//
// [Config.Clock] is the org's clock, and latency is spent in timers on the caller's goroutine, so an org can live inside
// a testing/synctest bubble and leaves no goroutine behind.
package oktasim
