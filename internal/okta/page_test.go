package okta

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAPageIsValidatedWholeBeforeItsFirstRecord(t *testing.T) {
	list, wrapped, single := Request{}, Request{Items: "resource-sets"}, Request{Single: true}
	for name, row := range map[string]struct {
		r    Request
		body string
		want []string
	}{
		"list":                    {list, `[{"a":1}, {"b":[{"c":"}"}]} ]` + " ", []string{`{"a":1}`, `{"b":[{"c":"}"}]}`}},
		"empty list":              {list, ` [ ] `, []string{}},
		"empty record":            {list, `[{}]`, []string{`{}`}},
		"line breaks":             {list, "[\n  {\"a\": \"x y\",\r\n \"b\":\t1}\n]\n", []string{`{"a":"x y","b":1}`}},
		"escaped line breaks":     {list, `[{"a":"x\ny\r"}]`, []string{`{"a":"x\ny\r"}`}},
		"line separators":         {list, "[{\"a\":\"\u2028<&>\"}]", []string{"{\"a\":\"\u2028<&>\"}"}},
		"wrapped":                 {wrapped, `{"resource-sets":[{"a":1}],"_links":{}}`, []string{`{"a":1}`}},
		"wrapped, first one wins": {wrapped, `{"resource-sets":[{"a":1}],"resource-sets":[{"b":1}]}`, []string{`{"a":1}`}},
		"a name with a dot":       {Request{Items: "a.b"}, `{"a":{"b":[{"x":1}]},"a.b":[{"y":1}]}`, []string{`{"y":1}`}},
		"single":                  {single, " {\"a\":1}\t", []string{`{"a":1}`}},
		"single, line breaks":     {single, "{\n\"a\":1\n}\n", []string{`{"a":1}`}},
		"duplicate keys":          {list, `[{"a":1,"a":2}]`, []string{`{"a":1,"a":2}`}},

		"nothing":                  {list, "", nil},
		"blanks":                   {list, " \r\n", nil},
		"HTML":                     {list, "<!doctype html><html></html>", nil},
		"null":                     {list, "null", nil},
		"a number":                 {list, "7", nil},
		"truncated in a record":    {list, `[{"a":1},{"a":2},{"a":"thr`, nil},
		"truncated after a record": {list, `[{"a":1},{"a":2},`, nil},
		"bad value":                {list, `[{"a":1},{"a":oops},{"a":}]`, nil},
		"two values":               {list, `[{"a":1}][{"a":2}]`, nil},
		"raw control character":    {list, "[{\"a\":\"x\ny\"}]", nil},
		"BOM":                      {list, "\ufeff[{\"a\":1}]", nil},
		"UTF-16":                   {list, "\xff\xfe[\x00]\x00", nil},
		"an error with 200":        {list, `{"errorCode":"E0000009","errorSummary":"x"}`, nil},
		"list of scalars":          {list, `[{"a":1},2]`, nil},
		"list of lists":            {list, `[[{"a":1}]]`, nil},
		"list with null":           {list, `[null]`, nil},
		"wrapped, but a list":      {wrapped, `[{"a":1}]`, nil},
		"wrapped, not there":       {wrapped, `{"roles":[]}`, nil},
		"wrapped, null":            {wrapped, `{"resource-sets":null}`, nil},
		"wrapped, an object":       {wrapped, `{"resource-sets":{"a":1}}`, nil},
		"single, but a list":       {single, `[{"a":1}]`, nil},
		"deep":                     {list, `[{"a":` + strings.Repeat("[", 300_000) + strings.Repeat("]", 300_000) + `}]`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			items, _, err := row.r.items(row.body, 0)
			if row.want == nil {
				require.Error(t, err)
				assert.NotContains(t, err.Error(), "thr", "no content of records in messages")
				return
			}
			require.NoError(t, err)
			assert.Equal(t, row.want, items)
			for _, item := range items {
				assert.NotContains(t, item, "\n")
			}
		})
	}
}

func TestManyShallowBracketsAreNotTakenForDepth(t *testing.T) {
	body := "[" + strings.Repeat(`{"a":["[[[[\""]},`, 150_000) + `{}]`
	items, _, err := Request{}.items(body, 0)
	require.NoError(t, err)
	assert.Len(t, items, 150_001)
}

func TestSlicingAPageCostsOneAllocation(t *testing.T) {
	body := "[" + strings.TrimSuffix(strings.Repeat(`{"id":"00u1","profile":{"login":"a@b.c"}},`, 1000), ",") + "]"
	assert.LessOrEqual(t, testing.AllocsPerRun(10, func() {
		items, _, err := Request{}.items(body, 1000)
		if err != nil || len(items) != 1000 {
			t.Fatal(err)
		}
	}), 1.0)
}

func TestReadingABodyOfTheExpectedSizeCostsOneAllocation(t *testing.T) {
	body := strings.Repeat("x", 300_000)
	r := strings.NewReader(body)
	assert.LessOrEqual(t, testing.AllocsPerRun(10, func() {
		r.Reset(body)
		if got, err := readBody(r, len(body), maxBody); err != nil || len(got) != len(body) {
			t.Fatal(err)
		}
	}), 3.0)
}

func TestABodyHasABound(t *testing.T) {
	_, err := readBody(strings.NewReader(strings.Repeat("x", 2<<20+1)), 0, 2<<20)
	assert.ErrorContains(t, err, "larger than 2 MiB")
	_, err = readBody(strings.NewReader(strings.Repeat("x", 2<<20)), 0, 2<<20)
	assert.NoError(t, err)
}

func BenchmarkItems(b *testing.B) {
	body := "[" + strings.TrimSuffix(strings.Repeat(`{"id":"00u1","status":"ACTIVE","profile":{"login":"a@b.c","firstName":"A","lastName":"B","manager":null}},`, 3000), ",") + "]"
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := (Request{}).items(body, 3000); err != nil {
			b.Fatal(err)
		}
	}
}
