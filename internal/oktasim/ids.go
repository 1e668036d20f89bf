package oktasim

import "bytes"

// ident is an Okta id: a prefix that tells the kind, a sequence number that grows as records are made, noise, and the
// suffix of the org's cell. As with real ids, comparing two of a kind as bytes compares their sequence.
type ident [20]byte

func (id ident) String() string { return string(id[:]) }

func (id ident) compare(other ident) int { return bytes.Compare(id[:], other[:]) }

const (
	base62     = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	cellSuffix = "5d7"
	seqDigits  = 5
	// seqStart keeps the first digit of young sequences among the letters, as in the ids one meets.
	seqStart = 620_000_000
)

type idKind struct {
	prefix string
	salt   salt
}

var (
	userIDs       = idKind{"00u", saltUserID}
	groupIDs      = idKind{"00g", saltGroupID}
	appIDs        = idKind{"0oa", saltAppID}
	deviceIDs     = idKind{"guo", saltDeviceID}
	customRoleIDs = idKind{"cr0", saltRoleID}
	setIDs        = idKind{"iam", saltSetID}
	memberIDs     = idKind{"irb", saltMemberID}
	policyIDs     = idKind{"00p", saltPolicyID}
	rstPolicyIDs  = idKind{"rst", saltPolicyID}
	ruleIDs       = idKind{"0pr", saltRuleID}
	userTypeIDs   = idKind{"oty", saltTypeID}
	schemaIDs     = idKind{"osc", saltSchemaID}
	orgIDs        = idKind{"00o", saltOrgID}
	assignmentIDs = idKind{"ra1", saltAssignmentID}
	inheritedIDs  = idKind{"gra", saltAssignmentID}
)

// id is the ident of the record with sequence number seq.
func (s seed) id(kind idKind, seq int) ident {
	var id ident
	copy(id[:], kind.prefix)
	v := seq + seqStart
	for i := 2 + seqDigits; i > 2; i-- {
		id[i] = base62[v%62]
		v /= 62
	}
	h := s.at(kind.salt, seq)
	for i := 3 + seqDigits; i < 17; i++ {
		id[i] = base62[h%62]
		h /= 62
	}
	copy(id[17:], cellSuffix)
	return id
}

// seq is the inverse of id; false for anything that id did not make.
func (s seed) seq(kind idKind, text string) (int, bool) {
	if len(text) != len(ident{}) {
		return 0, false
	}
	v := 0
	for _, c := range []byte(text[3 : 3+seqDigits]) {
		d := bytes.IndexByte([]byte(base62), c)
		if d < 0 {
			return 0, false
		}
		v = v*62 + d
	}
	v -= seqStart
	if v < 0 || s.id(kind, v).String() != text {
		return 0, false
	}
	return v, true
}
