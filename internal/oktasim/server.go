package oktasim

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ServerOptions say how a Server is reached.
type ServerOptions struct {
	Addr string // to listen on; "" is a free port of 127.0.0.1
	// Authority makes the server speak TLS.
	Authority *Authority
	// Proxy makes the server a CONNECT proxy too, which ends the TLS of every host under okta.com itself, with
	// certificates of this authority, and answers as the org.
	Proxy *Authority
}

// Server serves an org over the network. Beside the org, loopback clients find under /_sim what tests in other processes
// need:
//
//	GET  /_sim/stats             what happened, by bucket
//	GET  /_sim/requests          the request log, if it is kept
//	GET  /_sim/records/{stream}  what exists, one JSON object a line: {"parents":{…},"data":{…}}
//	POST /_sim/mutate?n=10       changes of mixed kinds
//	POST /_sim/reset             forgets statistics
type Server struct {
	URL string // such as http://127.0.0.1:8080

	org     *Org
	options ServerOptions
	server  *http.Server
	done    chan error

	mu      sync.Mutex
	tunnels map[net.Conn]struct{}
	closing bool
	wait    sync.WaitGroup
}

// Start serves an org until Close. The context is for the start only.
func Start(ctx context.Context, o *Org, options ServerOptions) (*Server, error) {
	if options.Addr == "" {
		options.Addr = "127.0.0.1:0"
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", options.Addr)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", options.Addr, err)
	}
	s := &Server{org: o, options: options, done: make(chan error, 1), tunnels: map[net.Conn]struct{}{}}
	scheme := "http"
	if options.Authority != nil {
		scheme = "https"
	}
	s.URL = scheme + "://" + l.Addr().String()
	s.server = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 30 * time.Second,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	go func() {
		if options.Authority != nil {
			s.server.TLSConfig = options.Authority.TLSConfig()
			s.done <- s.server.ServeTLS(l, "", "")
			return
		}
		s.done <- s.server.Serve(l)
	}()
	return s, nil
}

// Close ends the server: requests that run may finish until ctx is done, tunnels end at once.
func (s *Server) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closing = true
	for conn := range s.tunnels {
		_ = conn.Close()
	}
	s.mu.Unlock()
	err := s.server.Shutdown(ctx)
	if err != nil {
		_ = s.server.Close()
	}
	s.wait.Wait()
	if served := <-s.done; err == nil && !errors.Is(served, http.ErrServerClosed) {
		err = served
	}
	return err
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodConnect:
		s.connect(w, r)
	case strings.HasPrefix(r.URL.Path, "/_sim/") && isLoopback(r.RemoteAddr):
		s.admin(w, r)
	default:
		s.org.ServeHTTP(w, r)
	}
}

func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && net.ParseIP(host).IsLoopback()
}

// connect plays the host that the client wants a tunnel to.
func (s *Server) connect(w http.ResponseWriter, r *http.Request) {
	host, _, err := net.SplitHostPort(r.Host)
	if s.options.Proxy == nil || err != nil || !(host == "okta.com" || strings.HasSuffix(host, ".okta.com")) {
		http.Error(w, "this proxy leads to hosts under okta.com only", http.StatusForbidden)
		return
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		_ = conn.Close()
		return
	}
	s.tunnels[conn] = struct{}{}
	s.wait.Add(1)
	s.mu.Unlock()
	defer func() {
		_ = conn.Close()
		s.mu.Lock()
		delete(s.tunnels, conn)
		s.mu.Unlock()
		s.wait.Done()
	}()
	if _, err := io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	one := &oneConn{addr: conn.LocalAddr(), conns: make(chan net.Conn, 1), closed: make(chan struct{})}
	one.conns <- tls.Server(&tunnel{Conn: conn, r: buffered.Reader, closed: one.closed}, s.options.Proxy.TLSConfig())
	inner := &http.Server{Handler: s.org, ReadHeaderTimeout: 30 * time.Second, ErrorLog: s.server.ErrorLog}
	_ = inner.Serve(one)
}

// tunnel gives back what the server had read ahead, and tells when it ends.
type tunnel struct {
	net.Conn
	r      *bufio.Reader
	once   sync.Once
	closed chan struct{}
}

func (t *tunnel) Read(b []byte) (int, error) { return t.r.Read(b) }

func (t *tunnel) Close() error {
	t.once.Do(func() { close(t.closed) })
	return t.Conn.Close()
}

// oneConn is a listener of one connection; it ends when that one does.
type oneConn struct {
	addr   net.Addr
	conns  chan net.Conn
	closed chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return l.addr }

func (s *Server) admin(w http.ResponseWriter, r *http.Request) {
	answer := func(v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	name, arg, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/_sim/"), "/")
	switch r.Method + " " + name {
	case "GET stats":
		answer(s.org.Stats())
	case "GET requests":
		answer(s.org.Requests())
	case "GET records":
		s.records(w, r, arg)
	case "POST mutate":
		n, err := strconv.Atoi(r.URL.Query().Get("n"))
		if err != nil || n < 1 {
			http.Error(w, "n must be a positive number", http.StatusBadRequest)
			return
		}
		answer(s.org.Mutate(n))
	case "POST reset":
		s.org.ResetStats()
		answer(struct{}{})
	default:
		http.NotFound(w, r)
	}
}

func (s *Server) records(w http.ResponseWriter, r *http.Request, stream string) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := bufio.NewWriter(w)
	var line []byte
	for record := range s.org.Records(stream, r.URL.Query().Get("origin")) {
		line = append(line[:0], `{"parents":{`...)
		for i, p := range record.Parents {
			if i > 0 {
				line = append(line, ',')
			}
			line = appendJSON(append(appendJSON(line, p[0]), ':'), p[1])
		}
		line = append(append(append(line, `},"data":`...), record.JSON...), "}\n"...)
		if _, err := out.Write(line); err != nil {
			return
		}
	}
	_ = out.Flush()
}
