package airbyte

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// InputError says what is wrong with a file that the connector was given. Its text is a sentence for the user, without the
// file's name and without any of its values.
type InputError struct {
	Field   string // path of the field, such as `streams[3].stream.name`; empty when the file as a whole is meant
	Problem string // the rest of the sentence, such as `must be a non-empty string`
	Err     error  // the cause, when the file is no JSON
}

func (e *InputError) Error() string {
	if e.Field == "" {
		return e.Problem
	}
	return e.Field + " " + e.Problem
}

func (e *InputError) Unwrap() error { return e.Err }

// document returns the JSON document in b, without the byte order mark and white space that editors leave around it; nothing if
// there is nothing else.
func document(what string, b []byte) (json.RawMessage, error) {
	for _, start := range []string{"\xff\xfe", "\xfe\xff", "{\x00", "[\x00", "\x00{", "\x00["} {
		if bytes.HasPrefix(b, []byte(start)) {
			return nil, &InputError{Problem: "the " + what + " is UTF-16 text; it must be saved as UTF-8"}
		}
	}
	if !utf8.Valid(b) {
		return nil, &InputError{Problem: "the " + what + " is not UTF-8 text"}
	}
	b = bytes.TrimSpace(bytes.TrimPrefix(b, []byte("\ufeff")))
	if len(b) == 0 {
		return nil, nil
	}
	var raw json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		line := 1
		if s := (*json.SyntaxError)(nil); errors.As(err, &s) {
			line += bytes.Count(b[:min(int(s.Offset), len(b))], []byte("\n"))
		}
		return nil, &InputError{Problem: fmt.Sprintf("the %s is not valid JSON, line %d: %v", what, line, err), Err: err}
	}
	return b, nil
}

// asObject returns the members of a valid JSON object, the last one of duplicates. Keys are compared exactly, unlike those of a
// struct in encoding/json.
func asObject(raw json.RawMessage) (map[string]json.RawMessage, bool) {
	var object map[string]json.RawMessage
	err := json.Unmarshal(raw, &object)
	return object, err == nil && object != nil
}

func asArray(raw json.RawMessage) ([]json.RawMessage, bool) {
	var array []json.RawMessage
	err := json.Unmarshal(raw, &array)
	return array, err == nil && array != nil
}

// absent says whether a member is missing or null.
func absent(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// fits decodes raw into v and says whether it has v's type, as an absent one has; otherwise v is zero.
func fits[T any](raw json.RawMessage, v *T) bool {
	if absent(raw) {
		return true
	}
	err := json.Unmarshal(raw, v)
	if err != nil {
		var zero T
		*v = zero
	}
	return err == nil
}
