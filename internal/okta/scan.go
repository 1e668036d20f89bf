package okta

import (
	"errors"
	"fmt"
	"math/bits"
)

var errNotObject = errors.New("a record in the body is not an object")

// scanRecords validates a body that is an array of objects, whole, and returns its elements as substrings, in one pass:
// validating first and slicing after reads every byte twice, and pages are where nearly all of a read's own processor time
// goes.
//
// The functions below pass over what stands at i in s and return the index behind it, or ^i of where it is not valid.
func scanRecords(body string, hint int) ([]string, error) {
	items := make([]string, 0, hint)
	i := space(body, 0)
	if at(body, i) != '[' {
		return nil, errors.New("the body is not a list of records")
	}
	if i = space(body, i+1); at(body, i) == ']' {
		return items, ends(body, i+1)
	}
	for {
		i = space(body, i)
		end := value(body, i, 0)
		if end < 0 {
			return nil, invalid(body, ^end)
		}
		if body[i] != '{' {
			return nil, errNotObject
		}
		items = append(items, body[i:end])
		i = space(body, end)
		switch at(body, i) {
		case ',':
			i++
		case ']':
			return items, ends(body, i+1)
		default:
			return nil, invalid(body, i)
		}
	}
}

func invalid(body string, i int) error {
	return fmt.Errorf("the body is not JSON, or nests deeper than %d levels: at byte %d of %d", maxDepth, i, len(body))
}

func ends(body string, i int) error {
	if i = space(body, i); i < len(body) {
		return invalid(body, i)
	}
	return nil
}

// at is a byte of s, 0 behind its end.
func at(s string, i int) byte {
	if i < len(s) {
		return s[i]
	}
	return 0
}

func space(s string, i int) int {
	if i < len(s) && s[i] > ' ' {
		return i
	}
	return spaces(s, i)
}

func spaces(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\t' || s[i] == '\n' || s[i] == '\r') {
		i++
	}
	return i
}

func value(s string, i, depth int) int {
	switch at(s, i) {
	case '"':
		return text(s, i)
	case '{':
		if depth < maxDepth {
			return object(s, i, depth+1)
		}
		return ^i
	case '[':
		if depth < maxDepth {
			return array(s, i, depth+1)
		}
		return ^i
	case 't':
		return literal(s, i, "true")
	case 'f':
		return literal(s, i, "false")
	case 'n':
		return literal(s, i, "null")
	default:
		return number(s, i)
	}
}

func object(s string, i, depth int) int {
	i = space(s, i+1)
	if at(s, i) == '}' {
		return i + 1
	}
	for {
		if i = space(s, i); at(s, i) != '"' {
			return ^i
		}
		if i = text(s, i); i < 0 {
			return i
		}
		if i = space(s, i); at(s, i) != ':' {
			return ^i
		}
		if i = value(s, space(s, i+1), depth); i < 0 {
			return i
		}
		i = space(s, i)
		switch at(s, i) {
		case ',':
			i++
		case '}':
			return i + 1
		default:
			return ^i
		}
	}
}

func array(s string, i, depth int) int {
	i = space(s, i+1)
	if at(s, i) == ']' {
		return i + 1
	}
	for {
		if i = value(s, space(s, i), depth); i < 0 {
			return i
		}
		i = space(s, i)
		switch at(s, i) {
		case ',':
			i++
		case ']':
			return i + 1
		default:
			return ^i
		}
	}
}

func literal(s string, i int, word string) int {
	if len(s)-i < len(word) || s[i:i+len(word)] != word {
		return ^i
	}
	return i + len(word)
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// text passes over a string. It looks at eight bytes at a time for what ends a run of plain ones: a quote, a backslash or a
// control character.
func text(s string, i int) int {
	i++
	for {
		for i+8 <= len(s) {
			w := load(s[i : i+8])
			quote, slash := w^(ones*'"'), w^(ones*'\\')
			special := ((quote - ones) &^ quote) | ((slash - ones) &^ slash) | ((w - ones*0x20) &^ w)
			if special &= highs; special != 0 {
				i += bits.TrailingZeros64(special) / 8
				break
			}
			i += 8
		}
		if i >= len(s) {
			return ^len(s)
		}
		switch c := s[i]; {
		case c == '"':
			return i + 1
		case c == '\\':
			n := escape(s[i:])
			if n == 0 {
				return ^i
			}
			i += n
		case c < 0x20:
			return ^i
		default:
			i++
		}
	}
}

// load is written so that the compiler makes one instruction of it.
func load(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// escape is the length of the escape sequence that s begins with, 0 for one that is none.
func escape(s string) int {
	if len(s) < 2 {
		return 0
	}
	switch s[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(s) < 6 {
			return 0
		}
		for _, c := range []byte(s[2:6]) {
			if c-'0' > 9 && c|0x20-'a' > 5 {
				return 0
			}
		}
		return 6
	default:
		return 0
	}
}

func number(s string, i int) int {
	if at(s, i) == '-' {
		i++
	}
	switch c := at(s, i); {
	case c == '0':
		i++
	case c-'1' <= 8:
		i = digits(s, i)
	default:
		return ^i
	}
	if at(s, i) == '.' {
		if i = digits(s, i+1); i < 0 {
			return i
		}
	}
	if c := at(s, i); c == 'e' || c == 'E' {
		i++
		if c := at(s, i); c == '+' || c == '-' {
			i++
		}
		return digits(s, i)
	}
	return i
}

func digits(s string, i int) int {
	start := i
	for i < len(s) && s[i]-'0' <= 9 {
		i++
	}
	if i == start {
		return ^i
	}
	return i
}
