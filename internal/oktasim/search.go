package oktasim

import (
	"math"
	"strings"
	"time"
)

// The expressions of search and filter: https://developer.okta.com/docs/reference/core-okta-api/#filter.

type operator string

const (
	opEq operator = "eq"
	opGt operator = "gt"
	opGe operator = "ge"
	opLt operator = "lt"
	opLe operator = "le"
	opSw operator = "sw"
	opCo operator = "co"
	opEw operator = "ew"
	opPr operator = "pr"
)

// attribute is what an expression can ask of a record: a text or an instant.
type attribute[R any] struct {
	text func(*R) string
	at   func(*R) int64 // 0: absent
	ops  []operator
}

// vocabulary finds the attributes of a kind of record; false for one that can't be asked for.
type vocabulary[R any] func(name string) (attribute[R], bool)

// criteria is a compiled expression: what matches, and bounds of lastUpdated outside of which nothing does.
type criteria[R any] struct {
	match  func(*R) bool
	lo, hi int64
}

func anything[R any]() criteria[R] {
	return criteria[R]{func(*R) bool { return true }, math.MinInt64, math.MaxInt64}
}

type token struct {
	kind byte // 'w'ord, 's'tring, '(' or ')'
	text string
}

const maxExpression, maxTokens = 8192, 400

func tokenize(s string) ([]token, *apiError) {
	if len(s) > maxExpression {
		return nil, badSearch("The expression is too long.")
	}
	var out []token
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == ' ' || c == '\t':
			i++
		case c == '(' || c == ')':
			out = append(out, token{c, ""})
			i++
		case c == '"':
			var text strings.Builder
			i++
			for ; i < len(s) && s[i] != '"'; i++ {
				if s[i] == '\\' && i+1 < len(s) {
					i++
				}
				text.WriteByte(s[i])
			}
			if i >= len(s) {
				return nil, badSearch("A string is not closed.")
			}
			out = append(out, token{'s', text.String()})
			i++
		default:
			start := i
			for i < len(s) && !strings.ContainsRune(" \t()\"", rune(s[i])) {
				i++
			}
			out = append(out, token{'w', s[start:i]})
		}
		if len(out) > maxTokens {
			return nil, badSearch("The expression is too complex.")
		}
	}
	return out, nil
}

type parser[R any] struct {
	tokens []token
	words  vocabulary[R]
	exact  bool // compare text with its case
}

// compile turns an expression into criteria. exact is how filter compares text; search ignores case.
func compile[R any](expression string, words vocabulary[R], exact bool) (criteria[R], *apiError) {
	tokens, err := tokenize(expression)
	if err != nil {
		return criteria[R]{}, err
	}
	p := &parser[R]{tokens, words, exact}
	c, err := p.or(0)
	if err != nil {
		return c, err
	}
	if len(p.tokens) > 0 {
		return c, badSearch("Unexpected text at the end of the expression.")
	}
	return c, nil
}

func (p *parser[R]) take(kind byte, word string) bool {
	if len(p.tokens) == 0 || p.tokens[0].kind != kind || (word != "" && !strings.EqualFold(p.tokens[0].text, word)) {
		return false
	}
	p.tokens = p.tokens[1:]
	return true
}

func (p *parser[R]) or(depth int) (criteria[R], *apiError) {
	left, err := p.and(depth)
	for err == nil && p.take('w', "or") {
		var right criteria[R]
		if right, err = p.and(depth); err == nil {
			a, b := left.match, right.match
			left = criteria[R]{func(r *R) bool { return a(r) || b(r) }, min(left.lo, right.lo), max(left.hi, right.hi)}
		}
	}
	return left, err
}

func (p *parser[R]) and(depth int) (criteria[R], *apiError) {
	left, err := p.term(depth)
	for err == nil && p.take('w', "and") {
		var right criteria[R]
		if right, err = p.term(depth); err == nil {
			a, b := left.match, right.match
			left = criteria[R]{func(r *R) bool { return a(r) && b(r) }, max(left.lo, right.lo), min(left.hi, right.hi)}
		}
	}
	return left, err
}

func (p *parser[R]) term(depth int) (criteria[R], *apiError) {
	if depth > 50 {
		return criteria[R]{}, badSearch("The expression is too complex.")
	}
	if p.take('(', "") {
		c, err := p.or(depth + 1)
		if err == nil && !p.take(')', "") {
			err = badSearch("A parenthesis is not closed.")
		}
		return c, err
	}
	if len(p.tokens) < 2 || p.tokens[0].kind != 'w' || p.tokens[1].kind != 'w' {
		return criteria[R]{}, badSearch("An attribute and an operator are expected.")
	}
	name, op := p.tokens[0].text, operator(strings.ToLower(p.tokens[1].text))
	p.tokens = p.tokens[2:]
	attr, ok := p.words(name)
	if !ok {
		return criteria[R]{}, badSearch("The attribute '" + name + "' can't be searched for.")
	}
	allowed := false
	for _, o := range attr.ops {
		allowed = allowed || o == op
	}
	if !allowed {
		return criteria[R]{}, badSearch("The operator '" + string(op) + "' isn't supported for '" + name + "'.")
	}
	c := anything[R]()
	if op == opPr {
		c.match = present(attr)
		return c, nil
	}
	// A value without quotes is a number or a boolean; Okta takes a bare timestamp for neither.
	if len(p.tokens) == 0 || (p.tokens[0].kind != 's' && !isLiteral(p.tokens[0])) {
		return c, badSearch("A quoted value is expected for '" + name + "'.")
	}
	value := p.tokens[0]
	p.tokens = p.tokens[1:]
	if attr.at == nil {
		c.match = compareText(attr.text, op, value.text, p.exact)
		return c, nil
	}
	at, err := time.Parse(time.RFC3339Nano, value.text)
	if err != nil || value.kind != 's' {
		return c, badSearch("'" + value.text + "' is not a date.")
	}
	c.match = compareTime(attr.at, op, at)
	if name == "lastUpdated" {
		c.lo, c.hi = bounds(op, at)
	}
	return c, nil
}

func isLiteral(t token) bool {
	if t.kind != 'w' {
		return false
	}
	if t.text == "true" || t.text == "false" || t.text == "null" {
		return true
	}
	return strings.Trim(t.text, "0123456789.-") == "" && strings.Count(t.text, "-") < 2
}

func present[R any](a attribute[R]) func(*R) bool {
	if a.at != nil {
		return func(r *R) bool { return a.at(r) != 0 }
	}
	return func(r *R) bool { return a.text(r) != "" }
}

func compareText[R any](get func(*R) string, op operator, want string, exact bool) func(*R) bool {
	fold := strings.ToLower
	if exact {
		fold = func(s string) string { return s }
	}
	want = fold(want)
	switch op {
	case opEq:
		if exact {
			return func(r *R) bool { return get(r) == want }
		}
		return func(r *R) bool { return strings.EqualFold(get(r), want) }
	case opSw:
		return func(r *R) bool { return strings.HasPrefix(fold(get(r)), want) }
	case opCo:
		return func(r *R) bool { return strings.Contains(fold(get(r)), want) }
	case opEw:
		return func(r *R) bool { return strings.HasSuffix(fold(get(r)), want) }
	case opGt:
		return func(r *R) bool { return fold(get(r)) > want }
	case opGe:
		return func(r *R) bool { return fold(get(r)) >= want }
	case opLt:
		return func(r *R) bool { return fold(get(r)) < want }
	default:
		return func(r *R) bool { return fold(get(r)) <= want }
	}
}

// compareTime compares at full precision: records have whole milliseconds, the value may have more.
func compareTime[R any](get func(*R) int64, op operator, want time.Time) func(*R) bool {
	lo, hi := bounds(op, want)
	return func(r *R) bool {
		at := get(r)
		return at != 0 && at >= lo && at <= hi
	}
}

// bounds are the first and last millisecond for which the comparison with t holds.
func bounds(op operator, t time.Time) (lo, hi int64) {
	ms := t.UnixMilli()
	exact := t.Equal(time.UnixMilli(ms))
	lo, hi = math.MinInt64, math.MaxInt64
	switch op {
	case opEq:
		if !exact {
			return math.MaxInt64, math.MinInt64
		}
		return ms, ms
	case opGt:
		lo = ms + 1
	case opGe:
		if lo = ms; !exact {
			lo++
		}
	case opLt:
		if hi = ms; exact {
			hi--
		}
	case opLe:
		hi = ms
	}
	return lo, hi
}
