package oktasim

// seed makes every procedural value: the same (seed, salt, n) gives the same bits for ever.
type seed uint64

type salt uint64

const (
	saltUserID salt = iota + 1
	saltGroupID
	saltAppID
	saltDeviceID
	saltRoleID
	saltSetID
	saltMemberID
	saltPolicyID
	saltRuleID
	saltTypeID
	saltSchemaID
	saltOrgID
	saltFactorID
	saltAssignmentID
	saltAxis
	saltUser
	saltUserName
	saltUserTime
	saltGroup
	saltGroupSize
	saltGroupMembers
	saltGroupTime
	saltApp
	saltAppUsers
	saltAppGroups
	saltAppUser
	saltDevice
	saltFactor
	saltRole
	saltSet
	saltBinding
	saltPolicy
	saltEvent
	saltLate
	saltWindow
	saltLatency
	saltRequest
	saltFault
	saltLag
	saltMove
	saltToken
	saltNonce
)

// mix is the finalizer of splitmix64: every bit of x reaches every bit of the result.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (s seed) at(k salt, n int) uint64 {
	return mix(mix(uint64(s)^mix(uint64(k))) + uint64(n))
}

// pair hashes two numbers under one salt, for facts about a pair of records.
func (s seed) pair(k salt, a, b int) uint64 {
	return mix(s.at(k, a) + uint64(b)*0x2545f4914f6cdd1d)
}

// unit maps bits to [0, 1).
func unit(h uint64) float64 { return float64(h>>11) / (1 << 53) }

// below maps bits to [0, n).
func below(h uint64, n int) int { return int(h % uint64(n)) }
