package source

import (
	"context"
	"fmt"

	"source-okta/internal/okta"
	"source-okta/streams"
)

// spawn runs f beside the others. A panic in it ends the run with a TRACE ERROR, and not the process.
func (r *reading) spawn(f func()) {
	r.wg.Go(func() {
		defer func() {
			if p := recover(); p != nil {
				r.cancel(panicked(p))
			}
		}()
		f()
	})
}

// abort fails every stream that has not ended: nothing more is asked.
func (r *reading) abort(err error) {
	r.mu.Lock()
	nodes := make([]*node, 0, len(r.nodes))
	for _, n := range r.nodes {
		nodes = append(nodes, n)
	}
	r.mu.Unlock()
	for _, n := range nodes {
		n.mu.Lock()
		if n.err == nil {
			n.err = err
		}
		n.stopped = true
		n.mu.Unlock()
	}
}

// launch builds the graph of the selected streams and starts its walks. What hangs on the groups and users of a union
// waits for one answer: whether Okta lists the assignees.
func (r *reading) launch(ctx context.Context) {
	var apart []*streams.Stream
	var holders *streams.Stream
	for _, s := range streams.All() {
		if r.wanted[s] == nil {
			continue
		}
		if s.Strategy == streams.RoleHolders {
			holders = s
			continue
		}
		apart = append(apart, s)
	}
	if holders == nil {
		r.start(ctx, apart, nil)
		return
	}
	shared := map[*streams.Stream]bool{root(holders): true, root(holders.Union.Roles): true}
	var now, later []*streams.Stream
	for _, s := range apart {
		if shared[root(s)] {
			later = append(later, s)
		} else {
			now = append(now, s)
		}
	}
	r.start(ctx, now, nil)
	u := &union{known: map[string]bool{}, holders: r.newNode(holders)}
	r.spawn(func() {
		u.holders.begin()
		first, err := r.client.Get(ctx, u.assignees())
		if ctx.Err() != nil {
			return
		}
		if refused(err) {
			r.log.Warn("Okta does not list the users that hold a role ("+err.Error()+"), so every user is asked, one call each", "stream", holders.Name)
			r.start(ctx, later, u.holders)
			return
		}
		r.startUnion(ctx, later, u, first, err)
	})
}

func root(s *streams.Stream) *streams.Stream {
	for s.Parent != nil {
		s = s.Parent.Stream
	}
	return s
}

// start launches the streams given and all that is read for them. extra, if any, is one more child of its parent.
func (r *reading) start(ctx context.Context, selected []*streams.Stream, extra *node) {
	g := r.grow(selected)
	if extra != nil {
		parent := g.node(extra.s.Parent.Stream)
		g.order = append(g.order, extra)
		g.adopt(parent, extra)
	}
	g.run(ctx)
}

// startUnion launches the streams given with the role holders' stream fed by assignees and groups.
func (r *reading) startUnion(ctx context.Context, selected []*streams.Stream, u *union, first *okta.Page, err error) {
	g := r.grow(selected)
	s := u.holders.s.Union
	u.roles, u.members = g.node(s.Roles), g.node(s.Members)
	parent := g.node(s.Roles.Parent.Stream)
	parent.union = u
	// The union asks for both lists in its own order: they leave the parent's children and stay what it feeds.
	kept := parent.children[:0]
	for _, c := range parent.children {
		if c != u.roles && c != u.members {
			kept = append(kept, c)
		}
	}
	parent.children = kept
	g.order = append(g.order, u.holders)
	feed(u.roles, u.members)
	feed(u.members, u.holders)
	for _, n := range []*node{parent, u.roles, u.members} {
		n.informs = append(n.informs, u.holders)
	}
	u.holders.producers.Add(1)
	if err != nil {
		u.holders.fail(fmt.Errorf("the users that hold a role could not be listed: %w", err), true)
		first = &okta.Page{}
	}
	g.run(ctx)
	r.spawn(func() { u.walkAssignees(ctx, first) })
}

// graph is a set of nodes that are launched together, parents before children.
type graph struct {
	r     *reading
	nodes map[*streams.Stream]*node
	order []*node
}

func (r *reading) grow(selected []*streams.Stream) *graph {
	g := &graph{r: r, nodes: map[*streams.Stream]*node{}}
	for _, s := range selected {
		g.node(s)
	}
	return g
}

// node finds or makes a stream's node, its parents first.
func (g *graph) node(s *streams.Stream) *node {
	if n := g.nodes[s]; n != nil {
		return n
	}
	var parent *node
	if s.Parent != nil {
		parent = g.node(s.Parent.Stream)
	}
	n := g.r.newNode(s)
	g.nodes[s] = n
	g.order = append(g.order, n)
	if parent != nil {
		g.adopt(parent, n)
	}
	return n
}

func (g *graph) adopt(parent, child *node) {
	parent.children = append(parent.children, child)
	parent.informs = append(parent.informs, child)
	feed(parent, child)
}

func feed(from, to *node) {
	from.feeds = append(from.feeds, to)
	to.producers.Add(1)
}

func (g *graph) run(ctx context.Context) {
	for _, n := range g.order {
		if n.producers.Load() > 0 {
			n.launch(ctx)
		}
	}
	for _, n := range g.order {
		if n.s.Parent == nil {
			g.r.spawn(func() {
				defer n.finish(ctx)
				n.begin()
				n.readRoot(ctx)
			})
		}
	}
}

// needed says whether the stream is selected or read for one that is.
func (n *node) needed() bool { return n.out != nil || len(n.children) > 0 }
