// Command bench measures the connector and writes what it measured to docs/performance.md, with plots beside it:
//
//	go run ./bench                    everything, about a quarter of an hour
//	go run ./bench -quick             small worlds, under two minutes; the report goes to bench/results
//	go run ./bench -only rate,memory  some of it; the rest of the report comes from earlier runs
//
// BENCH=quick is -quick, and BIG=1 reads ten times as much in the race against the official connector. With -profile DIR the
// connector's CPU and heap profiles are kept in DIR.
//
// The connector is measured as its users run it: as a process of its own, built as for the image, against a simulated org
// behind TLS in this process. Only the emit path is measured in this process, with the testing package.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// benchmark is a measurement from which a section of the report is made.
type benchmark struct {
	name string
	run  func(ctx context.Context, b *bench) (any, error)
}

var benchmarks = []benchmark{
	{"emit", func(ctx context.Context, b *bench) (any, error) { return b.emitPath(ctx) }},
	{"rate", func(ctx context.Context, b *bench) (any, error) { return b.rateLimits(ctx) }},
	{"race", func(ctx context.Context, b *bench) (any, error) { return b.race(ctx) }},
	{"memory", func(ctx context.Context, b *bench) (any, error) { return b.memory(ctx) }},
	{"image", func(ctx context.Context, b *bench) (any, error) { return b.imageSize(ctx) }},
}

// bench is one run of this program.
type bench struct {
	root    string // of the repository
	dir     string // for files of this run
	binary  string // the connector
	quick   bool
	big     bool
	profile string // a folder, or ""
	log     io.Writer
}

func main() {
	if file := os.Getenv(profileVariable); file != "" {
		os.Exit(profiledConnector(file))
	}
	testing.Init()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	b := &bench{big: os.Getenv("BIG") == "1", log: os.Stderr}
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	set.BoolVar(&b.quick, "quick", os.Getenv("BENCH") == "quick", "small worlds, for a smoke test")
	set.StringVar(&b.profile, "profile", "", "folder to keep profiles of the connector in")
	only := set.String("only", "", "benchmarks to run, with commas between: emit, rate, race, memory, image (default all)")
	if err := set.Parse(args); err != nil {
		return err
	}
	chosen, err := choose(*only)
	if err != nil {
		return err
	}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)

	results := filepath.Join(b.root, "bench", "results")
	report := filepath.Join(b.root, "docs")
	if b.quick {
		results = filepath.Join(results, "quick")
		report = results
	}
	if err := os.MkdirAll(results, 0o755); err != nil {
		return err
	}
	for _, m := range chosen {
		b.say("benchmark %s", m.name)
		began := time.Now()
		result, err := m.run(ctx, b)
		if err != nil {
			return fmt.Errorf("benchmark %s: %w", m.name, err)
		}
		b.say("benchmark %s took %s", m.name, time.Since(began).Round(time.Second))
		if err := save(filepath.Join(results, m.name+".json"), result); err != nil {
			return err
		}
	}
	return writeReport(results, report, out)
}

func choose(only string) ([]benchmark, error) {
	if only == "" {
		return benchmarks, nil
	}
	var chosen []benchmark
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(benchmarks, func(m benchmark) bool { return m.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no benchmark %q", name)
		}
		chosen = append(chosen, benchmarks[i])
	}
	return chosen, nil
}

// prepare finds the repository and builds the connector as the image has it.
func (b *bench) prepare(ctx context.Context) error {
	mod, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return fmt.Errorf("looking for the module: %w", err)
	}
	b.root = filepath.Dir(strings.TrimSpace(string(mod)))
	if b.dir, err = os.MkdirTemp("", "source-okta-bench-"); err != nil {
		return err
	}
	b.binary = filepath.Join(b.dir, "source-okta")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", b.binary, ".")
	build.Dir, build.Env = b.root, append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building the connector: %w\n%s", err, text)
	}
	return nil
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.log, "%s "+format+"\n", append([]any{time.Now().Format(time.TimeOnly)}, args...)...)
}

// envelope is a result as it is kept between runs.
type envelope struct {
	When   time.Time
	Go     string
	CPUs   int
	Result json.RawMessage
}

func save(file string, result any) error {
	raw, err := json.Marshal(result)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(envelope{
		When: time.Now().UTC().Truncate(time.Second), Go: strings.TrimPrefix(runtime.Version(), "go"), CPUs: runtime.NumCPU(), Result: raw,
	}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}
