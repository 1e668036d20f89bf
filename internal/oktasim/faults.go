package oktasim

import (
	"net/http"
	"path"
	"strconv"
	"sync"
	"time"
)

// FaultKind is what goes wrong.
type FaultKind int

const (
	// FaultStatus answers Status (default 500) with Okta's JSON for it.
	FaultStatus FaultKind = iota
	// FaultDrop closes the connection without an answer.
	FaultDrop
	// FaultTruncate ends the connection in the middle of the body.
	FaultTruncate
	// FaultHTML answers Status (default 200) with a page of HTML, as edges and maintenance windows do.
	FaultHTML
	// FaultEmpty answers 200 without a body.
	FaultEmpty
	// FaultWrongJSON answers 200 with JSON that isn't what the endpoint gives.
	FaultWrongJSON
	// FaultSlow waits Delay before the answer.
	FaultSlow
	// FaultStall waits Delay in the middle of the body.
	FaultStall
)

// Fault makes some requests go wrong. It applies to requests whose path matches Path in the manner of path.Match (""
// matches all) and whose limit is at least MinLimit; of these to the ones from the First-th on (counting from 1; 0 is 1),
// Times of them (0: all), each with Probability (0: always; seeded).
type Fault struct {
	Kind        FaultKind
	Path        string
	MinLimit    int
	First       int
	Times       int
	Probability float64
	Status      int
	Delay       time.Duration
}

type faults struct {
	sync.Mutex
	list []*armedFault
}

type armedFault struct {
	Fault
	seen, done int
}

// AddFault makes requests from now on go wrong.
func (o *Org) AddFault(f Fault) {
	o.faults.Lock()
	o.faults.list = append(o.faults.list, &armedFault{Fault: f})
	o.faults.Unlock()
}

// ClearFaults ends all faults.
func (o *Org) ClearFaults() {
	o.faults.Lock()
	o.faults.list = nil
	o.faults.Unlock()
}

// fault is what goes wrong with r, or nil.
func (o *Org) fault(r *http.Request) *Fault {
	o.faults.Lock()
	defer o.faults.Unlock()
	for i, f := range o.faults.list {
		if f.Path != "" {
			if ok, err := path.Match(f.Path, r.URL.Path); err != nil || !ok {
				continue
			}
		}
		if f.MinLimit > 0 {
			if limit, _ := strconv.Atoi(r.URL.Query().Get("limit")); limit < f.MinLimit {
				continue
			}
		}
		f.seen++
		if f.seen < f.First || (f.Times > 0 && f.done >= f.Times) {
			continue
		}
		if f.Probability > 0 && unit(o.world.seed.pair(saltFault, i, f.seen)) >= f.Probability {
			continue
		}
		f.done++
		return &f.Fault
	}
	return nil
}

const htmlBody = `<!DOCTYPE html>
<html><head><title>Okta - Service Unavailable</title><meta charset="UTF-8"></head>
<body class="auth okta-container"><h1>We'll be back shortly</h1><p>Reference #18.5d7</p></body></html>
`
