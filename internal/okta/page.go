package okta

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/tidwall/gjson"
)

const (
	maxBody      = 64 << 20
	maxErrorBody = 1 << 20
	// maxDepth keeps a hostile body from exhausting the stack of the validator, which recurses; encoding/json has the same
	// bound. A body with fewer brackets than maxBrackets is harmless however it nests.
	maxDepth    = 10_000
	maxBrackets = 200_000
)

// Page is one answer of a list.
type Page struct {
	Items  []string    // raw JSON objects, each on one line, substrings of the body
	Next   *Request    // nil at the end
	Limit  int         // the `limit` that the page was asked with; 0: none
	Date   time.Time   // the org's clock in the answer; zero if absent
	Bytes  int         // of the body, uncompressed
	Header http.Header // of the answer
}

var copyBuffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// readBody reads all of r into one string, expecting about hint bytes.
func readBody(r io.Reader, hint, most int) (string, error) {
	var b strings.Builder
	b.Grow(min(max(hint, 512), most))
	buf := copyBuffers.Get().(*[32 << 10]byte)
	defer copyBuffers.Put(buf)
	n, err := io.CopyBuffer(&b, io.LimitReader(r, int64(most)+1), buf[:])
	if err != nil {
		return "", fmt.Errorf("reading the body after %d bytes: %w", n, err)
	}
	if n > int64(most) {
		return "", fmt.Errorf("the body is larger than %d MiB", most>>20)
	}
	return b.String(), nil
}

// items validates body whole and slices it; hint is the number of records to expect. It returns the body that the items
// are part of: Okta's own, unless that had line breaks.
func (r Request) items(body string, hint int) (items []string, whole string, err error) {
	if strings.TrimSpace(body) == "" {
		return nil, "", errors.New("the body is empty")
	}
	if tooDeep(body) {
		return nil, "", fmt.Errorf("the body nests deeper than %d levels", maxDepth)
	}
	if !gjson.Valid(body) {
		return nil, "", errors.New("the body is not JSON")
	}
	if strings.IndexByte(body, '\n') >= 0 || strings.IndexByte(body, '\r') >= 0 {
		var b bytes.Buffer
		b.Grow(len(body))
		if err := json.Compact(&b, []byte(body)); err != nil {
			return nil, "", fmt.Errorf("the body is not JSON: %w", err)
		}
		body = b.String()
	}
	list := gjson.Parse(body)
	switch {
	case r.Single:
		if !list.IsObject() {
			return nil, "", errors.New("the body is not an object")
		}
		return []string{strings.TrimSpace(body)}, body, nil
	case r.Items != "":
		if !list.IsObject() {
			return nil, "", errors.New("the body is not an object")
		}
		list = list.Get(gjson.Escape(r.Items))
	}
	if !list.IsArray() {
		return nil, "", fmt.Errorf("the body is not a list of %s", or(r.Items, "records"))
	}
	items = make([]string, 0, hint)
	objects := true
	list.ForEach(func(_, v gjson.Result) bool {
		objects = v.IsObject()
		items = append(items, v.Raw)
		return objects
	})
	if !objects {
		return nil, "", errors.New("a record in the body is not an object")
	}
	return items, body, nil
}

// tooDeep looks closer only where brackets, which are counted at memory speed, are suspiciously many.
func tooDeep(body string) bool {
	if strings.Count(body, "[")+strings.Count(body, "{") <= maxBrackets {
		return false
	}
	depth, inString := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inString:
			if c == '\\' {
				i++
			} else if c == '"' {
				inString = false
			}
		case c == '"':
			inString = true
		case c == '[', c == '{':
			if depth++; depth > maxDepth {
				return true
			}
		case c == ']', c == '}':
			depth--
		}
	}
	return false
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
