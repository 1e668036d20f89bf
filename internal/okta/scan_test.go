package okta

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
)

// agree holds the scanner against encoding/json: it takes exactly the bodies that are arrays of objects, and cuts them
// where that does.
func agree(t *testing.T, body string) {
	t.Helper()
	var want []json.RawMessage
	list := json.Unmarshal([]byte(body), &want) == nil && strings.HasPrefix(strings.TrimLeft(body, " \t\r\n"), "[")
	objects := true
	for _, w := range want {
		objects = objects && w[0] == '{'
	}
	got, err := scanRecords(body, 4)
	if !list || !objects {
		assert.Error(t, err, "%q", body)
		return
	}
	require.NoError(t, err, "%q", body)
	require.Len(t, got, len(want), "%q", body)
	for i := range want {
		assert.Equal(t, string(want[i]), got[i])
	}
}

func TestTheScannerTakesWhatIsJSONAndNothingElse(t *testing.T) {
	values := []string{
		`null`, `true`, `false`, `0`, `-0`, `1`, `-12.5e+10`, `1E9`, `0.1`, `""`, `"a"`, `"ä\u00e4\ud83d\ude00"`, `"\"\\\/\b\f\n\r\t"`, `[]`, `{}`, `[1,[2,{"a":[]}]]`, `{"a":{"b":1},"c":[null]}`,
		`nul`, `tru`, `truex`, `01`, `-`, `1.`, `.5`, `1e`, `1e+`, `+1`, `0x1`, `NaN`, `Infinity`, `"`, `"\x"`, `"\u12"`, `"\u12g4"`, "\"\x00\"", "\"a\nb\"", "\"\x1f\"", "\"\x7f\"", `'a'`, `[1,]`, `[,1]`, `[1 2]`, `{,}`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{a:1}`, `{1:1}`, `{"a":1 "b":2}`, `[`, `{`, `]`, `"abcdefg`, `"abcdefgh`, `"abcdefghijklmnopq\`, "\"1234567\xff\"",
	}
	for _, v := range values {
		for _, frame := range []string{`[{"a":%}]`, `[%]`, ` [ { "a" : % } , {"b":%} ] `, `[{"long key of more than eight":"and a value of more than sixteen bytes","x":%}]`, `%`, `[{}%]`, `[{},%]`} {
			agree(t, strings.ReplaceAll(frame, "%", v))
		}
	}
	for _, body := range []string{``, ` `, `[]`, ` [ ] `, `[{}]`, `[{}] x`, `[{}][`, `[{}],`, "[{}]\x00", "\v[]", "[{}\u00a0]"} {
		agree(t, body)
	}
	page := `[` + strings.Repeat(`{"id":"00u1","profile":{"firstName":"Zoë","nested":[1,2,{"a":"\\"}]}},`, 50) + `{}]`
	for cut := range len(page) {
		_, err := scanRecords(page[:cut], 0)
		require.Error(t, err, "truncated at %d", cut)
	}
	agree(t, page)
}

func TestTheScannerHasABoundOfItsDepth(t *testing.T) {
	deep := func(n int) string {
		return `[{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}]`
	}
	_, err := scanRecords(deep(maxDepth-1), 0)
	assert.NoError(t, err)
	_, err = scanRecords(deep(maxDepth), 0)
	assert.Error(t, err)
	_, err = scanRecords(strings.Repeat(`[{"a":`, 5_000_000), 0)
	assert.Error(t, err)
}

func FuzzScanRecords(f *testing.F) {
	f.Add(`[{"a":"b\u0041","c":[1,2.5e3,null,true]},{}]`)
	f.Add(`[{"a":"bcdefghijklmno\"p"} , {"q":{}}]`)
	f.Add(`[1,"x"]`)
	f.Fuzz(func(t *testing.T, body string) { agree(t, body) })
}

func BenchmarkScanRecords(b *testing.B) {
	record := `{"id":"00unwlw0tbo8E6aVj5d7","status":"ACTIVE","created":"2025-03-19T08:01:48.000Z","activated":null,"statusChanged":"2025-03-19T09:20:48.000Z","profile":{"firstName":"Binoy","lastName":"Oza","mobilePhone":null,"login":"binoy.oza@example.com","email":"binoy.oza@example.com"},"credentials":{"password":{},"emails":[{"value":"binoy.oza@example.com","status":"VERIFIED","type":"PRIMARY"}],"provider":{"type":"OKTA","name":"OKTA"}},"_links":{"self":{"href":"https://test.okta.com/api/v1/users/00unwlw0tbo8E6aVj5d7"}}}`
	page := "[" + strings.Repeat(record+",", 199) + record + "]"
	b.Run("scanRecords", func(b *testing.B) {
		b.SetBytes(int64(len(page)))
		for b.Loop() {
			if _, err := scanRecords(page, 200); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("gjson.Valid and ForEach", func(b *testing.B) {
		b.SetBytes(int64(len(page)))
		for b.Loop() {
			if !gjson.Valid(page) {
				b.Fatal("not valid")
			}
			items := make([]string, 0, 200)
			gjson.Parse(page).ForEach(func(_, v gjson.Result) bool { items = append(items, v.Raw); return true })
		}
	})
	b.Run("gjson.Valid", func(b *testing.B) {
		b.SetBytes(int64(len(page)))
		for b.Loop() {
			if !gjson.Valid(page) {
				b.Fatal("not valid")
			}
		}
	})
}
