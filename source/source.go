// Package source is the connector: the command line, the config, the four verbs, the read engine and the state.
//
// Run is the seam for everything that drives the connector from outside; Main only fills its Env from the process. The
// package imports the catalogue (streams), the API client (internal/okta) and the protocol (internal/airbyte), and
// nothing imports it but main and the commands.
package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"source-okta/internal/airbyte"
	"source-okta/internal/secrets"
)

// Version is the connector's version, the image's tag and the metadata's dockerImageTag.
const Version = "0.1.0"

// Env is what a run needs from outside. Args are the arguments after the program's name.
type Env struct {
	Args   []string
	Stdout io.Writer
	Stderr io.Writer
	// ReadFile reads an input file, at most maxInput bytes of it.
	ReadFile func(name string) ([]byte, error)
	Getenv   func(name string) string
	// Transport carries the requests; nil for the network.
	Transport http.RoundTripper
}

// connector is one run of one verb.
type connector struct {
	env     Env
	em      *airbyte.Emitter
	secrets *secrets.Redactor
	log     *slog.Logger
	cancel  context.CancelCauseFunc
}

// Run runs one verb and returns the exit code: 0, or 1 after a TRACE ERROR said why.
//
// It stops at once when ctx ends or stdout breaks, and writes nothing after that.
func Run(ctx context.Context, env Env) (code int) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c := &connector{env: env, secrets: &secrets.Redactor{}, cancel: cancel}
	c.em = airbyte.NewEmitter(env.Stdout, c.secrets.Redact, nil)
	c.em.OnError(func(err error) { cancel(fmt.Errorf("stdout is closed: %w", err)) })
	defer context.AfterFunc(ctx, c.em.Close)()
	c.log = slog.New(&logHandler{em: c.em, level: logLevel(env)})
	defer func() {
		if p := recover(); p != nil {
			c.fail(panicked(p))
			code = 1
		}
		if c.em.Err() != nil || ctx.Err() != nil {
			code = 1
		}
	}()
	if err := c.run(ctx); err != nil {
		if ctx.Err() == nil && !errors.Is(err, errReported) {
			c.fail(err)
		}
		_ = c.em.Flush()
		return 1
	}
	if err := c.em.Flush(); err != nil {
		return 1
	}
	return 0
}

func (c *connector) run(ctx context.Context) error {
	args, err := parseArgs(c.env.Args)
	if errors.Is(err, errHelp) {
		_, err = io.WriteString(c.env.Stderr, usage)
		return err
	}
	if err != nil {
		return err
	}
	if args.verb == "spec" {
		c.em.Spec(Spec())
		return nil
	}
	if args.debug {
		c.log = slog.New(&logHandler{em: c.em, level: slog.LevelDebug})
	}
	raw, err := c.readObject("--config", args.config)
	if err != nil {
		return err
	}
	var inputs readInputs
	if args.verb == "read" {
		if inputs, err = c.readInputs(args); err != nil {
			return err
		}
	}
	cfg, err := parseConfig(raw, c.env.Getenv)
	for _, s := range cfg.secrets() {
		c.secrets.Add(s)
	}
	if cfg.migrated != nil {
		c.em.Control(cfg.migrated)
	}
	if args.verb == "check" {
		return c.check(ctx, cfg, err)
	}
	if err != nil {
		return err
	}
	if args.verb == "discover" {
		c.em.Catalog(discover(cfg))
		return nil
	}
	return c.read(ctx, cfg, inputs)
}

// fail writes the run's one TRACE ERROR that belongs to no stream.
func (c *connector) fail(err error) {
	f := explain(err, nil)
	c.em.TraceError(airbyte.TraceError{Message: f.message, Internal: f.internal, Stack: f.stack, FailureType: f.kind})
}

func panicked(p any) error {
	return &failure{
		kind:     airbyte.SystemError,
		message:  "The connector met a fault of its own. Please report it with the log of this run.",
		internal: fmt.Sprintf("panic: %v", p),
		stack:    string(debug.Stack()),
	}
}

// Main runs the process's own verb and returns the exit code.
//
// A signal ends the run without a half line on stdout and is then raised again with its default action, so that the
// parent sees what happened (PyAirbyte accepts a death by SIGTERM and refuses exit codes other than 0); PID 1 has no
// default action and exits 128 + signal.
func Main() int {
	limitMemory(os.ReadFile, os.Getenv)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	// A write to a closed stdout is an error of the write, not a signal.
	signal.Ignore(syscall.SIGPIPE)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan int, 1)
	go func() {
		done <- Run(ctx, Env{
			Args: os.Args[1:], Stdout: os.Stdout, Stderr: os.Stderr, ReadFile: ReadFile, Getenv: os.Getenv,
		})
	}()
	select {
	case code := <-done:
		return code
	case sig := <-signals:
		cancel()
		select {
		case <-done:
		case <-time.After(2 * time.Second):
		}
		return die(sig)
	}
}

func die(sig os.Signal) int {
	n, ok := sig.(syscall.Signal)
	if !ok {
		return 1
	}
	if pid := os.Getpid(); pid != 1 {
		signal.Reset(n)
		if err := syscall.Kill(pid, n); err == nil {
			time.Sleep(time.Second) //nolint:forbidigo // The signal is on its way; returning would turn it into an exit code.
		}
	}
	return 128 + int(n)
}

// logHandler turns slog records into LOG messages. Debug lines need --debug or LOG_LEVEL=debug.
type logHandler struct {
	em    *airbyte.Emitter
	level slog.Level
	attrs string
}

func logLevel(env Env) slog.Level {
	if env.Getenv != nil && strings.EqualFold(env.Getenv("LOG_LEVEL"), "debug") {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

func (h *logHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level }

func (h *logHandler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Message)
	b.WriteString(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&b, " %s=%v", a.Key, a.Value)
		return true
	})
	level := airbyte.LogLevelInfo
	switch {
	case r.Level >= slog.LevelError:
		level = airbyte.LogLevelError
	case r.Level >= slog.LevelWarn:
		level = airbyte.LogLevelWarn
	case r.Level < slog.LevelInfo:
		level = airbyte.LogLevelDebug
	}
	h.em.Log(level, b.String())
	return nil
}

func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	for _, a := range attrs {
		c.attrs += fmt.Sprintf(" %s=%v", a.Key, a.Value)
	}
	return &c
}

func (h *logHandler) WithGroup(string) slog.Handler { return h }
