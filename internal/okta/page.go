package okta

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
	"unsafe"

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

// readBody reads all of r into one string, expecting about hint bytes.
func readBody(r io.Reader, hint, most int) (string, error) {
	// One byte more than expected, so that the end is met without growing.
	b := make([]byte, 0, min(max(hint, 512), most)+1)
	for {
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if len(b) > most {
			return "", fmt.Errorf("the body is larger than %d MiB", most>>20)
		}
		if errors.Is(err, io.EOF) {
			// Nobody else has b, and nobody writes to it again: a page is megabytes, and copied often enough as it is.
			return unsafe.String(unsafe.SliceData(b), len(b)), nil
		}
		if err != nil {
			return "", fmt.Errorf("reading the body after %d bytes: %w", len(b), err)
		}
		if len(b) == cap(b) {
			b = slices.Grow(b, len(b)/2)
		}
	}
}

// items validates body whole and slices it; hint is the number of records to expect. It returns the body that the items
// are part of: Okta's own, unless that had line breaks.
func (r Request) items(body string, hint int) (items []string, whole string, err error) {
	if strings.TrimSpace(body) == "" {
		return nil, "", errors.New("the body is empty")
	}
	if strings.IndexByte(body, '\n') >= 0 || strings.IndexByte(body, '\r') >= 0 {
		var b bytes.Buffer
		b.Grow(len(body))
		if err := json.Compact(&b, []byte(body)); err != nil {
			return nil, "", fmt.Errorf("the body is not JSON: %w", err)
		}
		body = b.String()
	}
	if !r.Single && r.Items == "" {
		items, err = scanRecords(body, hint)
		return items, body, err
	}
	if tooDeep(body) {
		return nil, "", fmt.Errorf("the body nests deeper than %d levels", maxDepth)
	}
	if !gjson.Valid(body) {
		return nil, "", errors.New("the body is not JSON")
	}
	doc := gjson.Parse(body)
	if !doc.IsObject() {
		return nil, "", errors.New("the body is not an object")
	}
	if r.Single {
		return []string{strings.TrimSpace(body)}, body, nil
	}
	list := doc.Get(gjson.Escape(r.Items))
	if !list.IsArray() {
		return nil, "", fmt.Errorf("the body is not a list of %s", r.Items)
	}
	items, err = scanRecords(list.Raw, hint)
	return items, body, err
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
