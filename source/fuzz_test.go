package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"strings"
	"testing"

	"source-okta/streams"
)

type nowhere struct{}

func (nowhere) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("offline") }

// FuzzArguments runs any command line: whatever it is, messages only on stdout, and an error for every exit code 1.
func FuzzArguments(f *testing.F) {
	for _, s := range []string{"spec", "check --config c", "read --config=c --catalog k --state s", "--debug discover --config c", "check --config", "\x00", "--", "-config"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Split(line, " ")
		for _, a := range args {
			if a == "check" || a == "read" {
				// Both would go on to ask Okta, with retries in real time.
				return
			}
		}
		var out bytes.Buffer
		code := Run(t.Context(), Env{
			Args: args, Stdout: &out, Stderr: new(bytes.Buffer), Transport: nowhere{}, Getenv: func(string) string { return "" },
			ReadFile: func(name string) ([]byte, error) {
				if name == "c" {
					return []byte(`{"domain":"acme","credentials":{"auth_type":"api_token","api_token":"00abc"}}`), nil
				}
				return nil, fs.ErrNotExist
			},
		})
		for l := range bytes.Lines(out.Bytes()) {
			if !json.Valid(l) {
				t.Fatalf("no message: %q", l)
			}
		}
		if (code == 1) != bytes.Contains(out.Bytes(), []byte(`"type":"ERROR"`)) {
			t.Fatalf("exit code %d with %q", code, out.String())
		}
	})
}

// FuzzConfig reads any config: it is understood or refused with a sentence, and a secret that was understood is known.
func FuzzConfig(f *testing.F) {
	for _, s := range []string{
		`{"domain":"acme","credentials":{"auth_type":"api_token","api_token":"00abc"}}`,
		`{"token":"x","base_url":"https://acme.okta.com"}`, `{"start_date":"2020-01-01","rate_limit_share":1e400}`, `{"include_streams":["users",3]}`, `{}`, `{"credentials":[]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if !json.Valid(raw) || raw[0] != '{' {
			return
		}
		cfg, err := parseConfig(raw, func(string) string { return "" })
		if cfg == nil {
			t.Fatal("no config")
		}
		if err == nil && (cfg.origin == nil || cfg.share < 1 || cfg.share > 100 || len(cfg.streams()) == 0) {
			t.Fatalf("taken, but not usable: %+v", cfg)
		}
		var own *failure
		if err != nil && (!errors.As(err, &own) || own.message == "") {
			t.Fatalf("refused without a sentence: %v", err)
		}
	})
}

// FuzzState reads any state of a stream and writes it again: what was read is read again.
func FuzzState(f *testing.F) {
	for _, s := range []string{`{"lastUpdated":"2024-01-01T00:00:00.000Z"}`, `{"lastUpdated":"2024-01-01T00:00:00.000Z","source_okta":{"cursor":"2024-01-01T00:00:00.000Z","recent":["a1"],"next":"/x"}}`, `{"state_type":"date-range","slices":[{"start":"2024-01-01T00:00:00Z","end":"2024-02-01T00:00:00Z"}]}`, `{}`, `null`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if !json.Valid(raw) {
			return
		}
		mark, err := decodeBookmark(raw, streams.Groups)
		if err != nil || mark.cursor <= 0 {
			return
		}
		again, err := decodeBookmark(mark.encode("lastUpdated", nil), streams.Groups)
		if err != nil || again.cursor != mark.cursor || again.next != mark.next {
			t.Fatalf("%+v became %+v: %v", mark, again, err)
		}
	})
}
