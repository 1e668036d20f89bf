package airbyte_test

import (
	"io"
	"os"
	"strings"
	"testing"

	"source-okta/internal/airbyte"
)

// A page of users as Okta sends it: 200 objects of 1.7 KB.
const perPage = 200

func benchPage() []string {
	objects := make([]string, perPage)
	for i := range objects {
		objects[i] = `{"id":"00u1abcdefghijklmnop","status":"ACTIVE","lastUpdated":"2024-01-01T00:00:00.000Z","profile":{"text":"` +
			strings.Repeat("abcdefg ", 200) + `"}}`
	}
	return objects
}

// BenchmarkRecord is the way of one record from page to writer.
func BenchmarkRecord(b *testing.B) {
	eachWriter(b, func(b *testing.B, w io.Writer, page []string) {
		e := airbyte.NewEmitter(w, nil, nil)
		out := e.Stream("users")
		for range b.N / perPage {
			out.Begin()
			for _, raw := range page {
				out.Record("", raw)
			}
			if err := out.End(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkCopy is the floor under BenchmarkRecord: the same bytes through the same buffer, without framing, lock or counters.
func BenchmarkCopy(b *testing.B) {
	eachWriter(b, func(b *testing.B, w io.Writer, page []string) {
		var buf []byte
		for range b.N / perPage {
			for _, raw := range page {
				buf = append(buf, raw...)
				if len(buf) >= 64<<10 {
					if _, err := w.Write(buf); err != nil {
						b.Fatal(err)
					}
					buf = buf[:0]
				}
			}
		}
	})
}

func eachWriter(b *testing.B, run func(b *testing.B, w io.Writer, page []string)) {
	page := benchPage()
	measure := func(b *testing.B, w io.Writer) {
		b.SetBytes(int64(len(page[0])))
		b.ReportAllocs()
		b.ResetTimer()
		run(b, w, page)
	}
	b.Run("discard", func(b *testing.B) { measure(b, io.Discard) })
	b.Run("pipe", func(b *testing.B) {
		r, w, err := os.Pipe()
		if err != nil {
			b.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			buf := make([]byte, 64<<10)
			for {
				if _, err := r.Read(buf); err != nil {
					return
				}
			}
		}()
		measure(b, w)
		b.StopTimer()
		_ = w.Close()
		<-done
		_ = r.Close()
	})
}
