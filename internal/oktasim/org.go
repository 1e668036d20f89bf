package oktasim

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Org is a simulated Okta org. It is safe for concurrent use, also while its world is being changed.
type Org struct {
	config     Config
	world      *world
	principals map[string]Principal
	buckets    map[string]*bucket
	faults     faults
	oauth      *authServer
	inFlight   atomic.Int64
	serial     atomic.Int64
	log        requestLog
}

// New makes an org.
func New(c Config) *Org {
	c = c.withDefaults()
	o := &Org{config: c, world: newWorld(c)}
	o.principals = map[string]Principal{}
	for authorization, p := range c.Principals {
		o.principals[authorization] = p
	}
	o.principals["SSWS "+c.Token] = Principal{UserID: o.world.ownerID()}
	o.oauth = newAuthServer(c.OAuth, o.world.seed, o.world.ownerID())
	o.buckets = o.newBuckets()
	for _, f := range c.Faults {
		o.AddFault(f)
	}
	return o
}

// Now is the org's clock.
func (o *Org) Now() time.Time { return o.config.Clock() }

// Token is the API token of user 0.
func (o *Org) Token() string { return o.config.Token }

// Request is an entry of the request log.
type Request struct {
	Time       time.Time // of arrival, by the org's clock
	Method     string
	Host       string
	Path       string // as it was sent, escaped
	Query      string
	Bucket     string
	Status     int    // 0: dropped
	AuthScheme string // the first word of the Authorization header
	UserAgent  string
	Header     http.Header // of the request, without Authorization and DPoP
}

type requestLog struct {
	sync.Mutex
	records []Request
}

// Requests is the request log; see Config.RecordRequests.
func (o *Org) Requests() []Request {
	o.log.Lock()
	defer o.log.Unlock()
	return append([]Request(nil), o.log.records...)
}

func (o *Org) record(r *http.Request, at time.Time, bucket string, status int) {
	if !o.config.RecordRequests {
		return
	}
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	header := r.Header.Clone()
	header.Del("Authorization")
	header.Del("Dpop")
	o.log.Lock()
	defer o.log.Unlock()
	o.log.records = append(o.log.records, Request{
		Time: at, Method: r.Method, Host: hostOf(r), Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Bucket: bucket,
		Status: status, AuthScheme: scheme, UserAgent: r.UserAgent(), Header: header,
	})
}

func hostOf(r *http.Request) string {
	if r.Host != "" {
		return r.Host
	}
	return r.URL.Host
}

func originOf(r *http.Request) string {
	scheme := r.URL.Scheme
	switch {
	case scheme != "":
	case r.TLS != nil:
		scheme = "https"
	default:
		scheme = "http"
	}
	return scheme + "://" + hostOf(r)
}

// handle makes the answer to r; an error means that r's context ended first.
func (o *Org) handle(r *http.Request) (*reply, error) {
	ctx := r.Context()
	serial := int(o.serial.Add(1))
	arrived := o.Now()
	rt, vars := match(r.URL.EscapedPath())
	b := o.buckets[rt.bucket]

	inFlight := int(o.inFlight.Add(1))
	defer o.inFlight.Add(-1)
	crowded := o.config.Concurrency > 0 && inFlight > o.config.Concurrency
	b.arrive(arrived)
	defer b.leave()

	fault := o.fault(r)
	latency := o.config.Latency
	if o.config.LatencyJitter > 0 {
		latency += time.Duration(unit(o.world.seed.at(saltLatency, serial)) * float64(o.config.LatencyJitter))
	}
	if fault != nil && fault.Kind == FaultSlow {
		latency += fault.Delay
	}
	if err := sleep(ctx, latency/2); err != nil {
		o.record(r, arrived, rt.bucket, 0)
		return nil, err
	}
	p := o.answer(r, rt, vars, serial, crowded)
	if fault != nil && p.status == http.StatusOK {
		o.spoil(p, fault, serial)
	}
	if !o.config.NoGzip {
		p.compress(r)
	}
	p.header.Set("Content-Length", strconv.Itoa(len(*p.body)))
	if err := sleep(ctx, latency-latency/2); err != nil {
		freeBuffer(p.body)
		o.record(r, arrived, rt.bucket, 0)
		return nil, err
	}
	if p.drop {
		o.record(r, arrived, rt.bucket, 0)
	} else {
		o.record(r, arrived, rt.bucket, p.status)
	}
	return p, nil
}

// answer is the reply of an org where nothing goes wrong on the way.
func (o *Org) answer(r *http.Request, rt route, vars []string, serial int, crowded bool) *reply {
	now := o.Now()
	p := &reply{status: http.StatusOK, header: http.Header{}, body: newBuffer()}
	h := p.header
	h.Set("Date", now.UTC().Format(http.TimeFormat))
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-cache, no-store")
	h.Set("Vary", "Accept-Encoding")
	h.Set("X-Okta-Request-Id", fmt.Sprintf("%016x%016x", o.world.seed.at(saltRequest, serial), mix(uint64(serial))))

	c := &call{o: o, w: o.world, r: r, vars: vars, now: millis(now), origin: originOf(r), b: *p.body}
	if e := o.serve(c, rt, h, crowded); e != nil {
		p.status = e.status
		for name, values := range e.header {
			h[name] = values
		}
		c.b = e.append(c.b[:0], string(appendBase62(nil, o.world.seed.at(saltRequest, serial), 22)))
	} else if len(c.links) > 0 {
		h["Link"] = c.links
	}
	*p.body = c.b
	return p
}

// serve runs the checks in the order Okta makes them visible, then the handler.
func (o *Org) serve(c *call, rt route, h http.Header, crowded bool) *apiError {
	if crowded {
		o.buckets[rt.bucket].refuseConcurrency()
		quota{reset: c.now/1000 + 60}.write(h)
		return tooManyRequests()
	}
	if !rt.public {
		who, e := o.authenticate(c.r)
		if e != nil {
			return e
		}
		c.who = who
	}
	q, ok := o.buckets[rt.bucket].take(c.now)
	if !o.config.NoRateHeaders {
		q.write(h)
	}
	if !ok {
		return tooManyRequests()
	}
	if rt.handle == nil {
		return noSuchPath()
	}
	if c.r.Method != cmp.Or(rt.method, http.MethodGet) {
		return methodNotAllowed()
	}
	if e := o.denied(c.r, rt.scope); e != nil {
		return e
	}
	if e := c.who.authorize(c.r, rt.scope); e != nil {
		return e
	}
	if c.who.NoRole && rt.list == nil && rt.scope != "" && rt.bucket != BucketMe {
		return accessDenied()
	}
	if rt.oie && o.config.Classic {
		return noSuchPath()
	}
	query, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return &apiError{status: 400, code: "E0000020", summary: "Bad request."}
	}
	c.query = query
	if (o.config.Empty || c.who.NoRole) && rt.list != nil {
		c.b = append(c.b, *rt.list...)
		return nil
	}
	o.world.settle(c.now)
	o.world.mu.RLock()
	defer o.world.mu.RUnlock()
	return rt.handle(c)
}

// spoil turns a good reply into what a fault makes of it.
func (o *Org) spoil(p *reply, f *Fault, serial int) {
	status := f.Status
	switch f.Kind {
	case FaultStatus:
		if status == 0 {
			status = http.StatusInternalServerError
		}
		p.status = status
		p.header.Del("Link")
		id := string(appendBase62(nil, o.world.seed.at(saltRequest, serial), 22))
		*p.body = serverError(status).append((*p.body)[:0], id)
	case FaultDrop:
		p.drop = true
	case FaultTruncate:
		p.cut = true
	case FaultHTML:
		if status != 0 {
			p.status = status
		}
		p.header.Del("Link")
		p.header.Set("Content-Type", "text/html; charset=UTF-8")
		*p.body = append((*p.body)[:0], htmlBody...)
	case FaultEmpty:
		*p.body = (*p.body)[:0]
	case FaultWrongJSON:
		*p.body = append((*p.body)[:0], `{"status":"UP"}`...)
	case FaultStall:
		p.stall = f.Delay
	}
}
