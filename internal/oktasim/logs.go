package oktasim

import (
	"strconv"
	"strings"
	"time"
)

const (
	logRetention = 90 * day
	logReach     = 180 * day // since may not be older
	logDefault   = 7 * day
)

// listLogs has two modes. A polling request (no until, ascending) walks events in the order they were written and never
// ends: each page has a next link, an empty one too. A bounded one walks what happened between since and until.
func listLogs(c *call) *apiError {
	limit, e := c.limit(100, 0, 1000)
	if e != nil {
		return e
	}
	desc := false
	switch strings.ToUpper(c.query.Get("sortOrder")) {
	case "", "ASCENDING":
	case "DESCENDING":
		desc = true
	default:
		return validationFailed("sortOrder", "sortOrder: must be ASCENDING or DESCENDING")
	}
	if c.query.Has("until") || desc {
		return c.boundedLogs(limit, desc)
	}
	return c.pollLogs(limit)
}

// logTime is a time parameter; def if it is absent.
func (c *call) logTime(name string, def int64) (int64, *apiError) {
	text := c.query.Get(name)
	if text == "" {
		return def, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return 0, badDate()
	}
	return millis(t), nil
}

func (c *call) checkReach(since int64) *apiError {
	if since < c.now-logReach.Milliseconds() {
		return badSCIMFilter("since: The since parameter is over 180 days prior to the current day.")
	}
	return nil
}

// A logPosition is an instant and how many events of it were already given: 1627500044869_1.
type logPosition struct {
	at    int64
	given int
}

func (p logPosition) String() string {
	return strconv.FormatInt(p.at, 10) + "_" + strconv.Itoa(p.given)
}

// afterLog is the position in the request's page token.
func (c *call) afterLog() (logPosition, bool, *apiError) {
	token := c.query.Get("after")
	if token == "" {
		return logPosition{}, false, nil
	}
	head, tail, ok := strings.Cut(token, "_")
	at, err1 := strconv.ParseInt(head, 10, 64)
	given, err2 := strconv.Atoi(tail)
	if !ok || err1 != nil || err2 != nil || given < 0 {
		return logPosition{}, false, badCursor()
	}
	return logPosition{at, given}, true, nil
}

func (c *call) pollLogs(limit int) *apiError {
	from, resumed, e := c.afterLog()
	if e != nil {
		return e
	}
	if !resumed {
		if from.at, e = c.logTime("since", c.now-logDefault.Milliseconds()); e != nil {
			return e
		}
	}
	if e := c.checkReach(from.at); e != nil {
		return e
	}
	match, e := c.logMatch()
	if e != nil {
		return e
	}
	kept := c.now - logRetention.Milliseconds()
	next := logPosition{max(from.at, kept), 0}
	if next.at == from.at {
		next.given = from.given
	}
	c.selfLink(limit)
	c.b = append(c.b, '[')
	written, skip := 0, next.given
	c.w.eachPersisted(next.at, c.now, func(ev *event) bool {
		if skip > 0 && ev.persisted == next.at {
			skip--
			return true
		}
		if written == limit {
			return false
		}
		if ev.persisted != next.at {
			next = logPosition{at: ev.persisted}
		}
		next.given++
		if ev.published >= kept && match(ev) {
			c.writeEvent(ev, written)
			written++
		}
		return true
	})
	c.b = append(c.b, ']')
	c.nextLink(next.String(), limit)
	return nil
}

func (c *call) boundedLogs(limit int, desc bool) *apiError {
	until, e := c.logTime("until", c.now)
	if e != nil {
		return e
	}
	since, e := c.logTime("since", until-logDefault.Milliseconds())
	if e != nil {
		return e
	}
	if e := c.checkReach(since); e != nil {
		return e
	}
	if until < since {
		return validationFailed("until", "until: must not be before since")
	}
	position, resumed, e := c.afterLog()
	if e != nil {
		return e
	}
	match, e := c.logMatch()
	if e != nil {
		return e
	}
	since = max(since, c.now-logRetention.Milliseconds())
	if resumed && !desc {
		since = max(since, position.at)
	}
	if resumed && desc {
		until = min(until, position.at+1)
	}
	c.selfLink(limit)
	c.b = append(c.b, '[')
	written, skip, more := 0, position.given, false
	next := position
	c.w.eachPublished(since, until, c.now, desc, func(ev *event) bool {
		if skip > 0 && resumed && ev.published == position.at {
			skip--
			return true
		}
		if !match(ev) {
			if ev.published != next.at {
				next = logPosition{at: ev.published}
			}
			next.given++
			return true
		}
		if written == limit {
			more = true
			return false
		}
		if ev.published != next.at {
			next = logPosition{at: ev.published}
		}
		next.given++
		c.writeEvent(ev, written)
		written++
		return true
	})
	c.b = append(c.b, ']')
	if more {
		c.nextLink(next.String(), limit)
	}
	return nil
}

func (c *call) writeEvent(e *event, written int) {
	if written > 0 {
		c.b = append(c.b, ',')
	}
	c.b = c.w.appendEvent(c.b, e)
}

// logMatch is what filter and q ask for.
func (c *call) logMatch() (func(*event) bool, *apiError) {
	match := func(*event) bool { return true }
	if filter := c.query.Get("filter"); filter != "" {
		want, e := compile(filter, c.w.eventWords, false)
		if e != nil {
			return nil, badSCIMFilter(e.causes...)
		}
		match = want.match
	}
	words := strings.Fields(strings.ToLower(c.query.Get("q")))
	if len(words) > 10 {
		return nil, validationFailed("q", "q: no more than 10 keywords")
	}
	for _, word := range words {
		if len(word) > 40 {
			return nil, validationFailed("q", "q: a keyword has no more than 40 characters")
		}
	}
	if len(words) == 0 {
		return match, nil
	}
	filtered := match
	return func(e *event) bool {
		if !filtered(e) {
			return false
		}
		text := strings.ToLower(string(c.w.appendEvent(nil, e)))
		for _, word := range words {
			if !strings.Contains(text, word) {
				return false
			}
		}
		return true
	}, nil
}

var eventTests = []operator{opEq, opSw, opCo, opEw, opPr, opGt, opGe, opLt, opLe}

// eventWords are the attributes that filter knows: all but published, which since and until are for.
func (w *world) eventWords(name string) (attribute[event], bool) {
	switch name {
	case "eventType":
		return attribute[event]{text: func(e *event) string { return e.kind.name }, ops: eventTests}, true
	case "uuid", "severity", "displayMessage", "legacyEventType", "version", "actor.id", "actor.type", "actor.alternateId",
		"actor.displayName", "outcome.result", "outcome.reason", "client.ipAddress", "client.id", "client.device",
		"transaction.id", "transaction.type", "securityContext.isProxy", "securityContext.asOrg",
		"authenticationContext.externalSessionId", "debugContext.debugData.url", "debugContext.debugData.requestUri":
		return attribute[event]{text: func(e *event) string { return memberText(w.appendEvent(nil, e), name) }, ops: eventTests}, true
	case "target.id", "target.type", "target.alternateId", "target.displayName":
		field := name[len("target."):]
		return attribute[event]{text: func(e *event) string {
			return memberText(w.appendEvent(nil, e), "target.0."+field)
		}, ops: eventTests}, true
	}
	return attribute[event]{}, false
}
