package oktasim

import "time"

// Config says what org to make. The zero value is an org with nothing but its Everyone group, a default user type and a
// policy or two, without rate limits, latency or faults.
type Config struct {
	// Seed and the sizes make the world.
	Seed    uint64
	Users   int // user 0 owns the API token and is a super administrator
	Groups  int // beside Everyone
	Apps    int
	Events  int // spread over the 89 days before Born
	Devices int

	CustomRoles      int // 0: 12
	ResourceSets     int // 0: 6
	UserTypes        int // 0: 2
	CustomAttributes int // of user profiles, of every JSON type in turn; 0: 6, negative: none

	// BulkUsers, BulkGroups and BulkEvents of the records share one instant, as after an import.
	BulkUsers, BulkGroups, BulkEvents int

	// Born is when the procedural world ends and changes begin; the zero value is Clock() at New, to the second.
	// The same seed, sizes and Born make the same world.
	Born time.Time
	// Clock is the org's clock; nil is time.Now.
	Clock func() time.Time
	// Origin is the org's address, used where a request does not tell it; "" is https://acme.okta.com.
	Origin string

	// Token is the API token that New makes for user 0; "" is DefaultToken.
	Token string
	// Principals are further credentials, by the whole Authorization header, such as "Bearer abc".
	Principals map[string]Principal

	// OAuth is the org's authorization server with the apps that it knows.
	OAuth OAuth

	// IndexLag is how long a change stays invisible to search and filter; each change gets up to IndexLagJitter more,
	// so later changes can show before earlier ones.
	IndexLag, IndexLagJitter time.Duration

	// LogDelay is how long after it was published an event is persisted. Late is the fraction of events persisted much
	// later, up to LateBy (0: 10 minutes).
	LogDelay time.Duration
	Late     float64
	LateBy   time.Duration

	// Limits are requests per window by bucket; nil: no limits, and headers that show far more than anyone can use.
	// DefaultLimits are those of a workforce org.
	Limits map[string]int
	// Window is the length of a rate-limit window; 0 is a minute. Windows lie on a grid with a seeded phase per bucket.
	Window time.Duration
	// TokenPercent of each bucket's limit is what one token may use, though headers show the whole; 0 is 100.
	TokenPercent int
	// OtherShare is the percentage of each bucket that another client eats, evenly over the window.
	OtherShare int
	// Concurrency is the org-wide number of requests in flight above which Okta answers 429 with Limit 0; 0: no cap.
	Concurrency int
	// NoRateHeaders leaves the X-Rate-Limit headers out.
	NoRateHeaders bool

	// Latency is spent half before and half after the answer is made; each request gets up to LatencyJitter more.
	Latency, LatencyJitter time.Duration
	Faults                 []Fault

	// Deny answers requests as an org does that lacks a feature, or a token that lacks a right.
	Deny []Deny
	// Classic makes the org a Classic Engine one: pipeline v1, no devices, no OIE policy types.
	Classic bool
	// Empty makes every list empty with status 200, as for an app without an admin role.
	Empty bool
	// PolicyErrors are the statuses (400, 403 or 404) that types of policies answer with; nil is DefaultPolicyErrors.
	PolicyErrors map[string]int
	// StatsAdminKey is how expand=stats spells hasAdminPrivilege; "-" leaves it out.
	StatsAdminKey string
	// NextDropsExpand makes next links forget expand, as those of app users did until 2026.08.0.
	NextDropsExpand bool
	// IAMPage is the page size of lists under /api/v1/iam; 0 is 10.
	IAMPage int
	// NoGzip never compresses, whatever a request accepts.
	NoGzip bool

	// RecordRequests keeps a log of requests for Requests.
	RecordRequests bool
}

// DefaultToken is the API token of an org made without one.
const DefaultToken = "00simTokenSimTokenSimTokenSimTokenSimToken"

func (c Config) withDefaults() Config {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Born.IsZero() {
		c.Born = c.Clock().Truncate(time.Second)
	}
	if c.Origin == "" {
		c.Origin = "https://acme.okta.com"
	}
	if c.Token == "" {
		c.Token = DefaultToken
	}
	if c.LateBy == 0 {
		c.LateBy = 10 * time.Minute
	}
	if c.Window == 0 {
		c.Window = time.Minute
	}
	if c.TokenPercent == 0 {
		c.TokenPercent = 100
	}
	if c.PolicyErrors == nil {
		c.PolicyErrors = DefaultPolicyErrors()
	}
	if c.StatsAdminKey == "" {
		c.StatsAdminKey = "hasAdminPrivilege"
	}
	for _, d := range []struct {
		field *int
		value int
	}{{&c.CustomRoles, 12}, {&c.ResourceSets, 6}, {&c.UserTypes, 2}, {&c.CustomAttributes, 6}, {&c.IAMPage, 10}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	c.CustomAttributes = max(0, c.CustomAttributes)
	return c
}
