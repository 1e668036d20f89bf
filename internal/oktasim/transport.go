package oktasim

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"
)

// reply is an answer before it takes the form of a server's or a transport's.
type reply struct {
	status int
	header http.Header
	body   *[]byte
	drop   bool
	cut    bool          // the connection ends in the middle of the body
	stall  time.Duration // spent in the middle of the body
}

var buffers = sync.Pool{New: func() any { return new([]byte) }}

func newBuffer() *[]byte {
	b := buffers.Get().(*[]byte)
	*b = (*b)[:0]
	return b
}

func freeBuffer(b *[]byte) {
	if b != nil && cap(*b) < 8<<20 {
		buffers.Put(b)
	}
}

var gzips = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	return z
}}

// compress replaces the body by its gzip form if the request accepts it.
func (p *reply) compress(r *http.Request) {
	if p.body == nil || len(*p.body) < 256 || !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		return
	}
	out := newBuffer()
	w := bytes.NewBuffer(*out)
	z := gzips.Get().(*gzip.Writer)
	z.Reset(w)
	_, err := z.Write(*p.body)
	if err == nil {
		err = z.Close()
	}
	gzips.Put(z)
	if err != nil {
		freeBuffer(out)
		return
	}
	freeBuffer(p.body)
	*out = w.Bytes()
	p.body = out
	p.header.Set("Content-Encoding", "gzip")
}

// sleep waits for d, or until ctx is done.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ServeHTTP implements http.Handler.
func (o *Org) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p, err := o.handle(r)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer freeBuffer(p.body)
	if p.drop {
		panic(http.ErrAbortHandler)
	}
	for name, values := range p.header {
		w.Header()[name] = values
	}
	w.WriteHeader(p.status)
	body := *p.body
	half := len(body) / 2
	if !p.cut && p.stall == 0 {
		_, _ = w.Write(body)
		return
	}
	_, _ = w.Write(body[:half])
	_ = http.NewResponseController(w).Flush()
	if p.cut || sleep(r.Context(), p.stall) != nil {
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(body[half:])
}

// RoundTrip implements http.RoundTripper: it answers in memory for whatever host it is asked.
func (o *Org) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	p, err := o.handle(r)
	if err != nil {
		return nil, err
	}
	if p.drop {
		freeBuffer(p.body)
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	}
	return &http.Response{
		Status:        http.StatusText(p.status),
		StatusCode:    p.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        p.header,
		Body:          &replyBody{ctx: r.Context(), p: p, rest: *p.body, total: len(*p.body)},
		ContentLength: int64(len(*p.body)),
		Request:       r,
	}, nil
}

type replyBody struct {
	ctx   context.Context
	p     *reply
	rest  []byte
	total int
}

func (b *replyBody) Read(out []byte) (int, error) {
	if b.p == nil {
		return 0, http.ErrBodyReadAfterClose
	}
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	if len(b.rest) == 0 {
		return 0, io.EOF
	}
	readable := len(b.rest)
	if b.p.cut || b.p.stall > 0 {
		if readable = len(b.rest) - (b.total - b.total/2); readable <= 0 {
			if b.p.cut {
				return 0, io.ErrUnexpectedEOF
			}
			if err := sleep(b.ctx, b.p.stall); err != nil {
				return 0, err
			}
			b.p.stall, readable = 0, len(b.rest)
		}
	}
	n := copy(out, b.rest[:readable])
	b.rest = b.rest[n:]
	return n, nil
}

func (b *replyBody) Close() error {
	if b.p != nil {
		freeBuffer(b.p.body)
		b.p = nil
	}
	return nil
}
