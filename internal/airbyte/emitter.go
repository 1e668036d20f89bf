package airbyte

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// writeAt is the length at which the buffer is written: the capacity of a Linux pipe.
	writeAt = 64 << 10
	// keepAt is the capacity above which a buffer, once grown by a huge record, is not kept.
	keepAt = 1 << 20
)

// Emitter writes protocol messages, one a line. It is safe for concurrent use and meant to be the only writer of its
// io.Writer: it buffers, and every Write it makes ends at the end of a line. State, Spec, Catalog, Status, Control and
// TraceError flush; records, logs and the other traces wait for one of those, for 64 KiB or for Flush.
//
// The first failed Write is final (see Err), as is Close: from then on the methods do nothing, so that half a line is never
// followed by another.
//
// Messages hold raw JSON where they say json.RawMessage; it is a fault of the caller, answered by a panic, if it is not valid.
type Emitter struct {
	w      io.Writer
	redact func(string) string
	now    func() time.Time

	closed  atomic.Bool
	failure atomic.Pointer[error]

	mu      sync.Mutex
	buf     buffer
	json    *json.Encoder // into buf
	streams map[string]*Out
	onError func(error)
}

// NewEmitter returns an emitter that writes to w. redact cleans the texts of LOG, TRACE and CONNECTION_STATUS, and of nothing
// else; nil leaves them as they are. now stamps messages; nil is time.Now.
func NewEmitter(w io.Writer, redact func(string) string, now func() time.Time) *Emitter {
	if redact == nil {
		redact = func(s string) string { return s }
	}
	if now == nil {
		now = time.Now
	}
	e := &Emitter{w: w, redact: redact, now: now, streams: map[string]*Out{}}
	e.json = json.NewEncoder(&e.buf)
	e.json.SetEscapeHTML(false)
	return e
}

// Spec writes the SPEC message: spec is the whole ConnectorSpecification.
func (e *Emitter) Spec(spec json.RawMessage) {
	e.send(message{Type: "SPEC", Spec: spec}, true)
}

// Status writes the CONNECTION_STATUS message, SUCCEEDED or FAILED, with its reason.
func (e *Emitter) Status(ok bool, msg string) {
	status := "FAILED"
	if ok {
		status = "SUCCEEDED"
	}
	e.send(message{Type: "CONNECTION_STATUS", ConnectionStatus: &connectionStatus{status, e.redact(msg)}}, true)
}

// Catalog writes the CATALOG message.
func (e *Emitter) Catalog(c Catalog) {
	if c.Streams == nil {
		c.Streams = []Stream{}
	}
	e.send(message{Type: "CATALOG", Catalog: &c}, true)
}

// Log writes a LOG message.
func (e *Emitter) Log(level LogLevel, msg string) {
	e.send(message{Type: "LOG", Log: &logLine{level, e.redact(msg)}}, false)
}

// TraceError writes a TRACE ERROR.
func (e *Emitter) TraceError(t TraceError) {
	m := &traceError{
		Message:         e.redact(t.Message),
		InternalMessage: e.redact(t.Internal),
		StackTrace:      e.redact(t.Stack),
		FailureType:     cmp.Or(t.FailureType, SystemError),
	}
	if t.Stream != "" {
		m.Stream = &descriptor{t.Stream}
	}
	e.trace(trace{Type: "ERROR", Error: m}, true)
}

// StreamStatus writes a TRACE STREAM_STATUS. A quotaReset that is not zero adds the reason RATE_LIMITED, which the platform
// takes with Running only, and shows until the stream's next record.
func (e *Emitter) StreamStatus(name string, s StreamStatus, quotaReset time.Time) {
	m := &streamStatus{Stream: descriptor{name}, Status: s}
	if !quotaReset.IsZero() {
		m.Reasons = []statusReason{{"RATE_LIMITED", rateLimited{quotaReset.UnixMilli()}}}
	}
	e.trace(trace{Type: "STREAM_STATUS", StreamStatus: m}, false)
}

// Estimate writes a TRACE ESTIMATE: how many records the stream will have in this sync, and how many bytes their data.
func (e *Emitter) Estimate(stream string, rows, bytes int64) {
	e.trace(trace{Type: "ESTIMATE", Estimate: &estimate{stream, "STREAM", rows, bytes}}, false)
}

// Control writes a CONTROL CONNECTOR_CONFIG. The platform stores config as the new configuration, so it must be whole; it is
// not redacted.
func (e *Emitter) Control(config json.RawMessage) {
	e.send(message{Type: "CONTROL", Control: &control{"CONNECTOR_CONFIG", e.now().UnixMilli(), connectorConfig{config}}}, true)
}

// State writes a STATE of type STREAM. Its recordCount is the number of the stream's records since its previous state.
func (e *Emitter) State(out *Out, blob json.RawMessage) {
	e.mu.Lock()
	defer e.unlock()
	e.append(message{Type: "STATE", State: &state{
		Type:        "STREAM",
		Stream:      streamState{descriptor{out.name}, blob},
		SourceStats: sourceStats{decimal(out.sinceState)},
	}})
	out.sinceState = 0
	e.write()
}

// Flush writes what is buffered and returns Err.
func (e *Emitter) Flush() error {
	e.mu.Lock()
	e.write()
	e.unlock()
	return e.Err()
}

// Close waits for a Write in progress and drops what is buffered. Nothing is written after it.
func (e *Emitter) Close() {
	e.closed.Store(true)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.buf = nil
}

// Err returns the error of the Write that failed, os.ErrClosed after Close, or nil.
//
// The other end of a pipe going away is an error here (EPIPE) only if the program ignores SIGPIPE; else Go's runtime ends the
// program when the writer is standard output.
func (e *Emitter) Err() error {
	if err := e.failure.Load(); err != nil {
		return *err
	}
	if e.closed.Load() {
		return os.ErrClosed
	}
	return nil
}

// OnError has f called with the error of the first Write that fails, at once if one has failed already. f runs once, outside
// of the emitter's lock, on the goroutine whose message failed.
func (e *Emitter) OnError(f func(error)) {
	e.mu.Lock()
	defer e.unlock()
	e.onError = f
}

func (e *Emitter) stopped() bool { return e.failure.Load() != nil || e.closed.Load() }

func (e *Emitter) trace(t trace, flush bool) {
	t.EmittedAt = e.now().UnixMilli()
	e.send(message{Type: "TRACE", Trace: &t}, flush)
}

func (e *Emitter) send(m message, flush bool) {
	e.mu.Lock()
	defer e.unlock()
	e.append(m)
	if flush || len(e.buf) >= writeAt {
		e.write()
	}
}

// append adds a line to the buffer; mu is held.
func (e *Emitter) append(m message) {
	if e.stopped() {
		return
	}
	if err := e.json.Encode(m); err != nil {
		panic(fmt.Errorf("airbyte: %s message: %w", m.Type, err))
	}
}

// write writes the buffer; mu is held.
func (e *Emitter) write() {
	if len(e.buf) > 0 && !e.stopped() {
		n, err := e.w.Write(e.buf)
		if err == nil && n < len(e.buf) {
			err = io.ErrShortWrite
		}
		if err != nil {
			failure := fmt.Errorf("writing messages: %w", err)
			e.failure.Store(&failure)
		}
	}
	e.buf = e.buf[:0]
	if cap(e.buf) > keepAt {
		e.buf = nil
	}
}

// unlock releases mu and reports a failure that has not been reported.
func (e *Emitter) unlock() {
	var report func(error)
	err := e.failure.Load()
	if err != nil {
		report, e.onError = e.onError, nil
	}
	e.mu.Unlock()
	if report != nil {
		report(*err)
	}
}

type buffer []byte

func (b *buffer) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}

// Out is one stream's way out. Its records go page by page:
//
//	out.Begin()
//	defer out.End()
//	for … {
//		out.Record(splice, raw)
//	}
//
// Between Begin and End the emitter is locked: the goroutine may call nothing but Record, and must reach End even if it
// panics. A page with a slow or blocked reader takes as long as the reader does.
type Out struct {
	e    *Emitter
	name string
	head string // of a RECORD line, up to emitted_at

	prefix     []byte // of this page's RECORD lines, up to the first member of data
	sinceState int64

	count, bytes atomic.Int64
}

// Stream returns the stream's way out, the same one for the same name.
func (e *Emitter) Stream(name string) *Out {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := e.streams[name]
	if out == nil {
		quoted, _ := json.Marshal(name)
		out = &Out{e: e, name: name, head: `{"type":"RECORD","record":{"stream":` + string(quoted) + `,"emitted_at":`}
		e.streams[name] = out
	}
	return out
}

// Begin locks the emitter for a page of records and stamps them with the time.
func (o *Out) Begin() {
	o.e.mu.Lock()
	o.prefix = append(o.prefix[:0], o.head...)
	o.prefix = strconv.AppendInt(o.prefix, o.e.now().UnixMilli(), 10)
	o.prefix = append(o.prefix, `,"data":{`...)
}

// Record writes a RECORD whose data is raw, a valid JSON object on one line without white space around it. splice is empty, or
// members to put in front of raw's own, as in `"groupId":"00g…",` with the comma. An empty object without splice is passed
// over: the platform refuses it.
func (o *Out) Record(splice, raw string) {
	e := o.e
	if e.stopped() {
		return
	}
	members := raw[1:]
	if members[0] != '"' && strings.TrimSpace(members) == "}" {
		if splice == "" {
			return
		}
		splice, members = splice[:len(splice)-1], "}"
	}
	b := append(e.buf, o.prefix...)
	b = append(b, splice...)
	b = append(b, members...)
	e.buf = append(b, "}}\n"...)

	o.sinceState++
	o.count.Add(1)
	o.bytes.Add(int64(1 + len(splice) + len(members)))
	if len(e.buf) >= writeAt {
		e.write()
	}
}

// End unlocks the emitter and returns its Err.
func (o *Out) End() error {
	o.e.unlock()
	return o.e.Err()
}

// Count returns how many records the stream has had.
func (o *Out) Count() int64 { return o.count.Load() }

// Bytes returns how long the data of those records is, as written.
func (o *Out) Bytes() int64 { return o.bytes.Load() }
