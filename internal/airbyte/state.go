package airbyte

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// DecodeState decodes the state that a read is given and returns each stream's blob, a JSON object that is not empty. A stream
// whose state is null or {} has none. It accepts what platforms, PyAirbyte and every release of the official connector have
// handed over, one message or an array of them:
//
//	{"type":"STREAM","stream":{"stream_descriptor":{"name":"users"},"stream_state":{…}}}
//	{"type":"GLOBAL","global":{"shared_state":…,"stream_states":[{"stream_descriptor":…,"stream_state":{…}}]}}
//	{"type":"LEGACY","data":{"users":{…}}}
//	{"type":"STATE","state":{…}}           a line that a source has written
//	{"users":{"lastUpdated":"…"}}          the oldest form, never in an array
//
// The type may be missing where the members show it. An empty file, null, {} and [] are no state. Nulls and unknown keys are
// passed over, namespaces ignored. The last state of a stream counts.
//
// An error is an *InputError.
func DecodeState(b []byte) (map[string]json.RawMessage, error) {
	doc, err := document("state", b)
	if err != nil {
		return nil, err
	}
	states := states{}
	if absent(doc) {
		return states, nil
	}
	if messages, ok := asArray(doc); ok {
		err = eachObject("state", messages, states.addMessage)
	} else if object, ok := asObject(doc); !ok {
		err = &InputError{Problem: "the state must be a JSON array or object"}
	} else if messageType(object) == "" {
		err = states.addByName("state", doc)
	} else {
		err = states.addMessage("state", object)
	}
	if err != nil {
		return nil, err
	}
	return states, nil
}

type states map[string]json.RawMessage

// messageType returns the type of a state message, as declared or as its members show it; "" when it is none.
func messageType(m map[string]json.RawMessage) string {
	var declared string
	if fits(m["type"], &declared) && declared != "" {
		return strings.ToUpper(declared)
	}
	if stream, _ := asObject(m["stream"]); !absent(stream["stream_descriptor"]) {
		return "STREAM"
	}
	if global, _ := asObject(globalOf(m)); !absent(global["stream_states"]) {
		return "GLOBAL"
	}
	if _, ok := asObject(m["data"]); ok {
		return "LEGACY"
	}
	return ""
}

// globalOf returns the payload of a GLOBAL message, under its own name or the one that PyAirbyte's models give it.
func globalOf(m map[string]json.RawMessage) json.RawMessage {
	if absent(m["global"]) {
		return m["global_"]
	}
	return m["global"]
}

func (s states) addMessage(path string, m map[string]json.RawMessage) error {
	switch messageType(m) {
	case "STREAM":
		stream, ok := asObject(m["stream"])
		if !ok {
			return &InputError{Field: path + ".stream", Problem: "must be an object"}
		}
		return s.addStream(path+".stream", stream)
	case "GLOBAL":
		global, ok := asObject(globalOf(m))
		if !ok {
			return &InputError{Field: path + ".global", Problem: "must be an object"}
		}
		path += ".global.stream_states"
		var streams []json.RawMessage
		if !fits(global["stream_states"], &streams) {
			return &InputError{Field: path, Problem: "must be an array"}
		}
		return eachObject(path, streams, s.addStream)
	case "LEGACY":
		if absent(m["data"]) {
			return nil
		}
		return s.addByName(path+".data", m["data"])
	case "STATE":
		state, ok := asObject(m["state"])
		if !ok {
			return &InputError{Field: path + ".state", Problem: "must be an object"}
		}
		return s.addMessage(path+".state", state)
	}
	if len(m) == 0 {
		return nil
	}
	return &InputError{Field: path, Problem: "must be a state message of type STREAM, GLOBAL or LEGACY"}
}

func (s states) addStream(path string, stream map[string]json.RawMessage) error {
	var name string
	descriptor, _ := asObject(stream["stream_descriptor"])
	if !fits(descriptor["name"], &name) || name == "" {
		return &InputError{Field: path + ".stream_descriptor.name", Problem: "must be a non-empty string"}
	}
	return s.add(path+".stream_state", name, stream["stream_state"])
}

func (s states) addByName(path string, raw json.RawMessage) error {
	byName, ok := asObject(raw)
	if !ok {
		return &InputError{Field: path, Problem: "must be an object"}
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		if err := s.add(path+"."+name, name, byName[name]); err != nil {
			return err
		}
	}
	return nil
}

func (s states) add(path, name string, blob json.RawMessage) error {
	delete(s, name)
	if absent(blob) {
		return nil
	}
	members, ok := asObject(blob)
	if !ok {
		return &InputError{Field: path, Problem: "must be an object"}
	}
	if len(members) > 0 {
		s[name] = blob
	}
	return nil
}

// eachObject calls add for every element of an array of objects that is not null.
func eachObject(path string, elements []json.RawMessage, add func(string, map[string]json.RawMessage) error) error {
	for i, raw := range elements {
		if absent(raw) {
			continue
		}
		path := fmt.Sprintf("%s[%d]", path, i)
		element, ok := asObject(raw)
		if !ok {
			return &InputError{Field: path, Problem: "must be an object"}
		}
		if err := add(path, element); err != nil {
			return err
		}
	}
	return nil
}
