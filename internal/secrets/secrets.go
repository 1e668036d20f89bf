// Package secrets keeps credentials out of what people read: logs, traces and connection statuses.
package secrets

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	mask = "****"
	// shortest is the length below which a string is no secret: masking it would only garble texts.
	shortest = 4
	// shortestLine is the length from which a line of a key is masked on its own.
	shortestLine = 16
)

// Redactor masks registered secrets in texts. The zero value is ready and masks nothing; it is safe for concurrent use.
type Redactor struct {
	mu    sync.Mutex
	forms atomic.Pointer[[]string] // longest first; replaced whole, never written to
}

// Add registers a secret in the forms in which it may turn up: as it is, escaped as in JSON and in Go's %q, and URL-encoded. Of
// a secret of several lines, such as a PEM key, it also registers each line of 16 characters or more but its BEGIN and END,
// whether the line breaks are real or written as \n. Secrets shorter than 4 characters are ignored.
func (r *Redactor) Add(secret string) {
	secret = strings.TrimSpace(secret)
	if len(secret) < shortest {
		return
	}
	var found []string
	for _, s := range parts(secret) {
		found = append(found, s, url.QueryEscape(s), url.PathEscape(s))
		found = append(found, escaped(s)...)
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	if old := r.forms.Load(); old != nil {
		found = append(found, *old...)
	}
	slices.SortFunc(found, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	found = slices.Compact(found)
	r.forms.Store(&found)
}

// unescape turns written line breaks into real ones.
var unescape = strings.NewReplacer(`\r`, "\n", `\n`, "\n", "\r", "\n")

// parts returns the secret, and of a secret with several lines its spelling with real line breaks and its long lines.
func parts(secret string) []string {
	all := []string{secret}
	plain := unescape.Replace(secret)
	isPEM := strings.Contains(secret, "-----BEGIN ")
	if !isPEM && !strings.Contains(plain, "\n") {
		return all
	}
	all = append(all, plain)
	breaks := func(c rune) bool { return c == '\n' || isPEM && c == ' ' } // a form field may join the lines of a key by spaces
	for _, line := range strings.FieldsFunc(plain, breaks) {
		line = strings.Trim(line, " \t\\\",") // of a key that was quoted and escaped once more
		if len(line) >= shortestLine && !strings.Contains(line, "-----") {
			all = append(all, line)
		}
	}
	return all
}

// escaped returns s as it stands in a JSON string, with and without HTML escapes, and in a Go string.
func escaped(s string) []string {
	var b strings.Builder
	plain := json.NewEncoder(&b)
	plain.SetEscapeHTML(false)
	_ = plain.Encode(s)
	_ = json.NewEncoder(&b).Encode(s)
	forms := strings.Split(strings.TrimSpace(b.String()), "\n")
	forms = append(forms, strconv.Quote(s))
	for i, f := range forms {
		forms[i] = f[1 : len(f)-1]
	}
	return forms
}

// Redact returns s with every registered secret replaced by "****". Secrets that overlap in s are masked as one, so no rest of
// the longer one is left.
func (r *Redactor) Redact(s string) string {
	forms := r.forms.Load()
	if forms == nil {
		return s
	}
	type span struct{ from, to int }
	var spans []span
	for _, form := range *forms {
		for at := 0; ; at++ {
			i := strings.Index(s[at:], form)
			if i < 0 {
				break
			}
			at += i
			spans = append(spans, span{at, at + len(form)})
		}
	}
	if spans == nil {
		return s
	}
	slices.SortFunc(spans, func(a, b span) int { return a.from - b.from })
	var b strings.Builder
	end := 0 // of what has been written or masked
	for _, m := range spans {
		if m.from >= end {
			b.WriteString(s[end:m.from])
			b.WriteString(mask)
		}
		end = max(end, m.to)
	}
	b.WriteString(s[end:])
	return b.String()
}
