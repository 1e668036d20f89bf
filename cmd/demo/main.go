// Command demo shows the connector at work, with nothing but Go: it starts a simulated Okta org in this process, runs
// spec, check, discover and read through the connector's own entry point, lets the world move, and reads again what has
// changed.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/tidwall/gjson"

	"source-okta/internal/oktasim"
	"source-okta/source"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	set := flag.NewFlagSet("demo", flag.ContinueOnError)
	users := set.Int("users", 5_000, "users of the simulated org")
	groups := set.Int("groups", 250, "its groups")
	apps := set.Int("apps", 20, "its applications")
	events := set.Int("events", 50_000, "its log events")
	devices := set.Int("devices", 500, "its devices")
	seed := set.Uint64("seed", 1, "the same seed makes the same org")
	latency := set.Duration("latency", 10*time.Millisecond, "how long it takes to answer")
	dir := set.String("out", "", "a directory for one JSONL file per stream")
	if err := set.Parse(args); err != nil {
		return err
	}
	org := oktasim.New(oktasim.Config{
		Seed: *seed, Users: *users, Groups: *groups, Apps: *apps, Events: *events, Devices: *devices, Latency: *latency,
	})
	d := &demo{out: out, org: org, requests: newRequestCounter(org), dir: *dir}
	return d.run(ctx)
}

type demo struct {
	out      io.Writer
	org      *oktasim.Org
	requests *requestCounter
	dir      string
}

const configJSON = `{
  "domain": "acme.okta.com",
  "stream_set": "core",
  "credentials": {"auth_type": "api_token", "api_token": "` + oktasim.DefaultToken + `"}
}`

func (d *demo) run(ctx context.Context) error {
	fmt.Fprintf(d.out, "A simulated Okta org is up. The connector reads it through its own entry point.\n\n")
	spec, err := d.verb(ctx, nil, "spec")
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "spec      %d options\n", len(spec.last("SPEC").Get("spec.connectionSpecification.properties").Map()))
	check, err := d.verb(ctx, nil, "check", "--config", "config.json")
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "check     %s\n", check.last("CONNECTION_STATUS").Get("connectionStatus.status"))
	catalog, err := d.verb(ctx, nil, "discover", "--config", "config.json")
	if err != nil {
		return err
	}
	streams := catalog.last("CATALOG").Get("catalog.streams").Array()
	fmt.Fprintf(d.out, "discover  %d streams\n", len(streams))

	files := map[string]string{"catalog.json": configured(streams)}
	first, err := d.read(ctx, "read", files, "full")
	if err != nil {
		return err
	}
	moved := d.moveWorld()
	files["state.json"] = first.stateFile()
	second, err := d.read(ctx, "read again", files, "incremental")
	if err != nil {
		return err
	}
	d.table(streams, first, second)
	fmt.Fprintf(d.out, "\nBetween the two reads: %s.\nStreams without a cursor are read whole each time.\n", moved)
	d.samples(first)
	if d.dir != "" {
		fmt.Fprintf(d.out, "\nEvery record is in %s, one file per stream.\n", d.dir)
	}
	return nil
}

// configured selects every stream, incremental where it can be.
func configured(streams []gjson.Result) string {
	type entry struct {
		Stream              json.RawMessage `json:"stream"`
		SyncMode            string          `json:"sync_mode"`
		DestinationSyncMode string          `json:"destination_sync_mode"`
	}
	var catalog struct {
		Streams []entry `json:"streams"`
	}
	for _, s := range streams {
		e := entry{json.RawMessage(s.Raw), "full_refresh", "overwrite"}
		if s.Get("source_defined_cursor").Bool() {
			e.SyncMode, e.DestinationSyncMode = "incremental", "append_dedup"
		}
		catalog.Streams = append(catalog.Streams, e)
	}
	b, err := json.Marshal(catalog)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func (d *demo) read(ctx context.Context, title string, files map[string]string, sub string) (*transcript, error) {
	args := []string{"read", "--config", "config.json", "--catalog", "catalog.json"}
	if files["state.json"] != "" {
		args = append(args, "--state", "state.json")
	}
	d.requests.reset()
	began := time.Now()
	done := make(chan struct{})
	var once sync.Once
	stop := func() { once.Do(func() { close(done) }) }
	defer stop()
	t := newTranscript()
	if d.dir != "" {
		if err := t.keep(filepath.Join(d.dir, sub)); err != nil {
			return nil, err
		}
	}
	go d.progress(title, began, t, done)
	err := d.drive(ctx, t, files, args)
	stop()
	if err == nil {
		err = t.closeFiles()
	}
	if err != nil {
		return nil, err
	}
	t.requests = d.requests.counts()
	seconds := time.Since(began).Seconds()
	fmt.Fprintf(d.out, "\r%-9s %d records, %d requests, %.1f s%s\n", title, t.total(), total(t.requests), seconds, strings.Repeat(" ", 20))
	return t, nil
}

// progress shows what has been read so far, twice a second.
func (d *demo) progress(title string, began time.Time, t *transcript, done <-chan struct{}) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			fmt.Fprintf(d.out, "\r%-9s %d records … %.1f s", title, t.total(), time.Since(began).Seconds())
		}
	}
}

func (d *demo) verb(ctx context.Context, files map[string]string, args ...string) (*transcript, error) {
	t := newTranscript()
	return t, d.drive(ctx, t, files, args)
}

func (d *demo) drive(ctx context.Context, t *transcript, files map[string]string, args []string) error {
	var stderr bytes.Buffer
	code := source.Run(ctx, source.Env{
		Args: args, Stdout: t, Stderr: &stderr, Transport: d.requests,
		Getenv: func(string) string { return "" },
		ReadFile: func(name string) ([]byte, error) {
			if name == "config.json" {
				return []byte(configJSON), nil
			}
			return []byte(files[name]), nil
		},
	})
	if code == 0 {
		return t.err
	}
	return fmt.Errorf("%s ended with exit code %d: %s%s", args[0], code, t.failure, stderr.String())
}

func (d *demo) table(streams []gjson.Result, first, second *transcript) {
	fmt.Fprintln(d.out)
	w := tabwriter.NewWriter(d.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "stream\trecords\trequests\tseconds\tthen records\trequests\t  state\t")
	for _, s := range streams {
		name := s.Get("name").Str
		fmt.Fprintf(w, "%s\t%d\t%d\t%.1f\t%d\t%d\t  %s\t\n", name, first.count(name), first.requests[name], first.seconds(name),
			second.count(name), second.requests[name], second.cursor(name))
	}
	fmt.Fprintf(w, "all\t%d\t%d\t\t%d\t%d\t\t\n", first.total(), total(first.requests), second.total(), total(second.requests))
	_ = w.Flush()
}

func (d *demo) samples(t *transcript) {
	for _, name := range []string{"users", "group_members", "logs"} {
		var pretty bytes.Buffer
		if sample := t.sample(name); json.Indent(&pretty, []byte(sample), "  ", "  ") == nil {
			text := pretty.String()
			if lines := strings.SplitAfter(text, "\n"); len(lines) > 16 {
				text = strings.Join(lines[:16], "") + "    …"
			}
			fmt.Fprintf(d.out, "\na record of %s:\n  %s\n", name, text)
		}
	}
}

func total(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// moveWorld changes the org between two reads and says how.
func (d *demo) moveWorld() string {
	counts := d.org.Mutate(200)
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		kinds = append(kinds, fmt.Sprintf("%d × %s", counts[kind], kind))
	}
	return strings.Join(kinds, ", ")
}
