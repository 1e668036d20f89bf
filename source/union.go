package source

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/tidwall/gjson"

	"source-okta/internal/okta"
)

// union finds the users that hold a role: those that Okta lists as assignees, and the members of groups that hold one.
// Members of a group are asked for after its roles, so that one list serves both the stream of members and this.
type union struct {
	roles, members, holders *node

	mu    sync.Mutex
	known map[string]bool
}

// request asks for a group's roles and then its members. The members of a group without a role are only asked for where
// their stream is wanted.
func (u *union) request(ctx context.Context, group string, inherited []param) {
	list, any := u.members.jobFor(group, inherited)
	members := func(ctx context.Context, holder bool) {
		if !any || !holder && !u.members.needed() {
			return
		}
		if holder {
			list.each = func(ctx context.Context, user string) { u.add(ctx, gjson.Get(user, "id").Str) }
		}
		u.members.enqueue(ctx, list)
	}
	roles, ok := u.roles.jobFor(group, inherited)
	if !ok {
		members(ctx, false)
		return
	}
	roles.then = func(ctx context.Context, rows int, _ error) { members(ctx, rows > 0) }
	u.roles.enqueue(ctx, roles)
}

// add asks for the roles of a user, once.
func (u *union) add(ctx context.Context, id string) {
	u.mu.Lock()
	again := u.known[id]
	if !again {
		id = strings.Clone(id)
		u.known[id] = true
	}
	u.mu.Unlock()
	if id == "" || again {
		return
	}
	u.holders.enqueue(ctx, job{params: []param{{u.holders.s.Parent.Params[0].Name, id}}})
}

// assignees is the list of users with a role of their own.
func (u *union) assignees() okta.Request {
	s := u.holders.s.Union
	return okta.Request{Bucket: s.Bucket, Path: s.Assignees, Items: s.Records}
}

// walkAssignees asks for the roles of every assignee, from the first page on.
func (u *union) walkAssignees(ctx context.Context, page *okta.Page) {
	defer u.holders.release()
	for {
		for _, item := range page.Items {
			u.add(ctx, gjson.Get(item, "id").Str)
		}
		if page.Next == nil {
			return
		}
		var err error
		if page, err = u.holders.r.client.Get(ctx, *page.Next); err != nil {
			u.holders.fail(fmt.Errorf("the users that hold a role could not be listed: %w", err), true)
			return
		}
	}
}

// refused says whether an error means that Okta will not list the assignees at all.
func refused(err error) bool {
	switch class(err) {
	case okta.Forbidden, okta.FeatureOff, okta.Gone, okta.BadRequest:
		return true
	default:
		return false
	}
}
