package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"source-okta/bench/plot"
)

// results are the latest results of all benchmarks; nil where there is none.
type results struct {
	quick  bool
	when   time.Time // of the oldest
	goes   string
	cpus   int
	Emit   *emitResult
	Rate   []rateResult
	Race   *raceResult
	Memory *memoryResult
	Image  *imageResult
}

func loadResults(dir string) (*results, error) {
	r := &results{quick: filepath.Base(dir) == "quick"}
	for name, into := range map[string]any{"emit": &r.Emit, "rate": &r.Rate, "race": &r.Race, "memory": &r.Memory, "image": &r.Image} {
		text, err := os.ReadFile(filepath.Join(dir, name+".json"))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		var e envelope
		if err := errors.Join(json.Unmarshal(text, &e), json.Unmarshal(e.Result, into)); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if r.when.IsZero() || e.When.Before(r.when) {
			r.when = e.When
		}
		r.goes, r.cpus = e.Go, e.CPUs
	}
	return r, nil
}

// writeReport makes performance.md and its plots of the results in one folder in another, and prints the tables.
func writeReport(from, to string, out io.Writer) error {
	r, err := loadResults(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	d := &document{}
	d.title(r)
	d.goals(r)
	d.emit(r.Emit)
	d.rate(r.Rate)
	d.race(r.Race)
	d.memory(r.Memory)
	d.image(r.Image)
	for name, p := range d.plots {
		if err := writePlot(filepath.Join(to, name), p); err != nil {
			return err
		}
	}
	text := strings.TrimRight(d.b.String(), "\n") + "\n"
	if err := os.WriteFile(filepath.Join(to, "performance.md"), []byte(text), 0o644); err != nil {
		return err
	}
	_, err = io.WriteString(out, text)
	return err
}

type drawing interface{ Write(w io.Writer) error }

func writePlot(file string, p drawing) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	return errors.Join(p.Write(f), f.Close())
}

// document is the report under way.
type document struct {
	b     strings.Builder
	plots map[string]drawing
}

func (d *document) say(format string, args ...any) { fmt.Fprintf(&d.b, format+"\n\n", args...) }

func (d *document) plot(name, alt string, p drawing) {
	if d.plots == nil {
		d.plots = map[string]drawing{}
	}
	d.plots[name] = p
	d.say("![%s](%s)", alt, name)
}

// table writes a table; columns that begin with > are right-aligned.
func (d *document) table(columns []string, rows [][]string) {
	rule := make([]string, len(columns))
	for i, c := range columns {
		name, right := strings.CutPrefix(c, ">")
		columns[i], rule[i] = name, "---"
		if right {
			rule[i] = "---:"
		}
	}
	for _, row := range append([][]string{columns, rule}, rows...) {
		d.b.WriteString("| " + strings.Join(row, " | ") + " |\n")
	}
	d.b.WriteByte('\n')
}

func (d *document) title(r *results) {
	d.say("# Performance")
	if r.quick {
		d.say("**A quick run: small worlds, few rounds. These figures only show that the benchmarks work.**")
	}
	d.say("Written by `make bench` on %s, on %d cores with Go %s. Every figure comes from a real run against a simulated Okta org\n"+
		"(`internal/oktasim`), and whatever it is held against was measured in the same run: absolute figures differ from machine\n"+
		"to machine, ratios hardly. The connector runs as its users run it, as a process of its own behind TLS, its output read\n"+
		"through a pipe. `make bench` takes about a quarter of an hour; `go run ./bench -quick` is a smoke test.",
		r.when.Format("2006-01-02"), r.cpus, r.goes)
}

// goal is a figure and what it should be.
type goal struct {
	what, measured, bound string
	held                  bool
	why                   string // said where it is not held
}

func (d *document) goals(r *results) {
	goals := r.goals()
	if len(goals) == 0 {
		return
	}
	d.say("## Goals")
	var rows [][]string
	for _, g := range goals {
		rows = append(rows, []string{g.what, g.measured, g.bound, yes(g.held)})
	}
	d.table([]string{"figure", ">measured", ">goal", "held"}, rows)
	var missed []string
	for _, g := range goals {
		if !g.held && g.why != "" {
			missed = append(missed, "* **"+g.what+"**: "+g.why)
		}
	}
	if len(missed) > 0 && !r.quick {
		d.say("Not reached:")
		d.say("%s", strings.Join(missed, "\n"))
	}
}

func yes(held bool) string {
	if held {
		return "yes"
	}
	return "**no**"
}

const maxResident = 64 << 20

func (r *results) goals() (all []goal) {
	if r.Emit != nil {
		for _, w := range []string{"discard", "pipe"} {
			worst := 0.0
			for _, p := range r.Emit.Paths {
				if p.Writer == w {
					worst = max(worst, p.ratio())
				}
			}
			all = append(all, goal{
				what: "emit path to " + writerName(w) + ", the slowest kind of page", measured: times(worst) + " the bound", bound: "≤ 1.6", held: worst <= 1.6,
			})
		}
	}
	for _, run := range r.Rate {
		what, allowed := "sync of the reference org, alone", 0
		if run.Other > 0 {
			what, allowed = fmt.Sprintf("the same beside a client that takes %d %%", run.Other), 1
		}
		all = append(all,
			goal{what: what, measured: fmt.Sprintf("%.3f T*", run.ratio()), bound: "≤ 1.05 T*", held: run.ratio() <= 1.05, why: strings.TrimSpace(disturbed(run.Run))},
			goal{what: "… window-429s", measured: fmt.Sprint(run.window429s()), bound: fmt.Sprintf("≤ %d", allowed), held: run.window429s() <= allowed})
	}
	if r.Race != nil {
		all = append(all, r.Race.goals()...)
	}
	if r.Memory != nil {
		all = append(all, r.Memory.goals()...)
	}
	if r.Image != nil && r.Image.Skipped == "" {
		all = append(all, goal{
			what: "image, our layers compressed", measured: megabytes(r.Image.Layers), bound: "< 6 MB", held: r.Image.Layers < 6_000_000,
		})
	}
	return all
}

func (r *raceResult) goals() (all []goal) {
	for _, h := range r.Heats {
		if h.Theirs == nil {
			continue
		}
		faster := h.Ours.throughput() / h.Theirs.throughput()
		cheaper := float64(h.Theirs.Usage.perRecord()) / float64(h.Ours.Usage.perRecord())
		smaller := float64(h.Theirs.Usage.Peak) / float64(h.Ours.Usage.Peak)
		all = append(all,
			goal{what: h.Name + ", throughput against the official connector", measured: times(faster), bound: "≥ 30 ×", held: faster >= 30, why: whyThroughput + disturbed(h.Ours.Usage)},
			goal{what: h.Name + ", CPU per record", measured: "1/" + fmt.Sprintf("%.0f", cheaper), bound: "≤ 1/50", held: cheaper >= 50, why: whyCPU(h.Ours.Usage) + disturbed(h.Ours.Usage)},
			goal{what: h.Name + ", peak resident memory", measured: "1/" + fmt.Sprintf("%.1f", smaller), bound: "≤ 1/3", held: smaller >= 3})
	}
	if len(r.Theirs) > 0 {
		faster := float64(middle(r.Theirs)) / float64(middle(r.Ours))
		all = append(all, goal{what: "`spec`, cold", measured: times(faster), bound: "≥ 100 ×", held: faster >= 100})
	}
	return all
}

// disturbed says so where other programs had a part in a figure.
func disturbed(u usage) string {
	if u.Others < 0.15 {
		return ""
	}
	return fmt.Sprintf(" Other programs took %.0f %% of the machine meanwhile.", 100*u.Others)
}

const whyThroughput = "Okta is asked for three things one after the other, at the org's latency each, before pages can be read side by side, " +
	"and once more after the last; the rest is processor time, which the simulated org shares."

func whyCPU(u usage) string {
	return fmt.Sprintf("%.1f KB of JSON a record are decrypted, read from the socket, checked and written to a pipe in %s, %.0f MB/s for all of it, "+
		"beside what a process and its TLS connections take to start.",
		float64(u.Bytes)/1e3/float64(u.Records), micros(u.perRecord()), float64(u.Bytes)/1e6/u.CPU.Seconds())
}

func (m *memoryResult) goals() (all []goal) {
	var at [2]memoryPoint
	most := int64(0)
	for _, p := range m.Points {
		most = max(most, p.Peaks[len(p.Peaks)-1])
		switch p.Users {
		case 100_000:
			at[0] = p
		case 1_000_000:
			at[1] = p
		}
	}
	if at[1].Users != 0 && at[0].Users != 0 {
		bound := at[0].peak()*5/4 + 4_000_000
		all = append(all, goal{
			what: "resident memory at 1 M users", measured: megabytes(at[1].peak()),
			bound: "≤ " + megabytes(bound) + " (1.25 × that of 100 k, + 4 MB)", held: at[1].peak() <= bound,
		})
	}
	return append(all, goal{
		what: "resident memory, the most of all runs", measured: megabytes(most), bound: "≤ " + megabytes(maxResident) + " (64 MiB)", held: most <= maxResident,
	})
}

func writerName(w string) string {
	if w == "pipe" {
		return "a pipe"
	}
	return "nowhere"
}

func times(x float64) string {
	if x < 10 {
		return fmt.Sprintf("%.2f ×", x)
	}
	return fmt.Sprintf("%.0f ×", x)
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

func count(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

func micros(d time.Duration) string { return fmt.Sprintf("%.1f µs", float64(d.Nanoseconds())/1e3) }

func middle(ds []time.Duration) time.Duration {
	ds = slices.Clone(ds)
	slices.Sort(ds)
	return ds[len(ds)/2]
}

func (d *document) emit(r *emitResult) {
	if r == nil {
		return
	}
	d.say("## Emit path")
	bodies := "Bodies are made of\nrecords of the simulated org."
	if r.Recorded {
		bodies = "Bodies are made of\nrecords that Okta once sent (recordings of public SDKs' tests), repeated until a page is full."
	}
	d.say("What happens to a page between the HTTP body and stdout, on one core: `okta.Client.Get` (governor, signing, retries,\n"+
		"paging, and reading, validating and slicing the body), then `airbyte.Out`, which writes its records. The bound is the\n"+
		"least that a program can do that lets nothing out of a page before all of it has been seen to be JSON: read the body,\n"+
		"`gjson.Valid`, copy it to the writer in pieces of 64 KiB. Both get their bodies from the same transport, which has\n"+
		"them in memory, and were measured in turns, %d times each; the speeds are those of the fastest rounds. The emit path has\n"+
		"a validator of its own, which slices the page in the same pass, and so may beat the bound. %s\n"+
		"Allocations per record are those of a full page less those of a page of one, divided by the difference in records.", r.Rounds, bodies)
	var rows [][]string
	bars := plot.Bars{Title: "Emit path, MB/s", Note: "body to stdout, one core"}
	for _, p := range r.Paths {
		emit, bound := p.Emit.megabytesPerSecond(p.Bytes), p.Bound.megabytesPerSecond(p.Bytes)
		rows = append(rows, []string{
			fmt.Sprintf("%d %s, %s", p.Records, p.Page, megabytes(int64(p.Bytes))), writerName(p.Writer),
			fmt.Sprintf("%.0f MB/s", bound), fmt.Sprintf("%.0f MB/s", emit), count(int(float64(p.Records) / p.Emit.Page.Seconds())),
			times(p.ratio()), count(int(p.Emit.Allocs)), fmt.Sprintf("%.2f", p.AllocsPerRecord),
		})
		bars.Groups = append(bars.Groups, plot.Group{Title: fmt.Sprintf("%s to %s", p.Page, writerName(p.Writer)), Bars: []plot.Bar{
			{Label: "bound", Value: bound, Text: fmt.Sprintf("%.0f", bound), Tone: plot.Other},
			{Label: "emit path", Value: emit, Text: fmt.Sprintf("%.0f", emit), Tone: plot.Main},
		}})
	}
	d.table([]string{"page", "to", ">bound", ">emit path", ">records/s", ">time, of the bound's", ">allocs per page", ">per record"}, rows)
	d.plot("emit.svg", "MB/s of the emit path and of its bound", bars)
}

func (d *document) rate(runs []rateResult) {
	if len(runs) == 0 {
		return
	}
	r := runs[0]
	d.say("## Rate limits")
	d.say("A full sync of the nine streams of `airbyte/source-okta`: %s users, %s groups, %s log events, a latency of %d ms and\n"+
		"Okta's default limits, in windows of %d s instead of a minute. T* is the least time that it can take: the largest of\n"+
		"(⌈R / rate⌉ − 1) · window over the buckets, with R the fewest requests with which that org can be read, counted from\n"+
		"its own books, and rate the part of the limit that is ours. The sync begins with a window of the bucket that takes longest.\n"+
		"Utilisation is of the windows that were whole, the first and the last of a bucket left out.",
		count(r.Users), count(r.Groups), count(r.Events), r.Latency.Milliseconds(), int(r.Window.Seconds()))
	var rows [][]string
	for _, r := range runs {
		rows = append(rows, []string{
			fmt.Sprintf("%d %%", r.Share), fmt.Sprintf("%d %%", r.Other), seconds(r.Bound), seconds(r.Run.Wall), fmt.Sprintf("%.3f", r.ratio()),
			fmt.Sprint(r.window429s()), count(int(r.Run.Records)), seconds(r.Run.CPU), megabytes(r.Run.Peak),
		})
	}
	d.table([]string{">our share", ">another client", ">T*", ">wall", ">ratio", ">window-429s", ">records", ">CPU", ">peak RSS"}, rows)
	for _, r := range runs {
		title, name := "Alone, share "+fmt.Sprint(r.Share), "rate-alone.svg"
		if r.Other > 0 {
			title, name = fmt.Sprintf("Beside a client that takes %d %%, share %d", r.Other, r.Share), "rate-shared.svg"
		}
		d.say("### %s", title)
		rows = nil
		picture := plot.Windows{Title: "Requests per window: " + strings.ToLower(title[:1]) + title[1:], Note: "dashed: our share of the limit; pale: a bucket's first and last window", Length: r.Window.Seconds()}
		for _, b := range r.Buckets {
			utilisation := "–"
			if u := b.utilisation(); u >= 0 {
				utilisation = fmt.Sprintf("%.1f %%", 100*u)
			}
			name := "`" + b.Name + "`"
			if b.Name == r.Binding {
				name += " (binds)"
			}
			rows = append(rows, []string{
				name, count(b.Rate), count(b.Fewest), count(b.Made), utilisation, fmt.Sprint(b.Window429), fmt.Sprint(b.Concurrency429),
			})
			if len(b.Windows) < 3 {
				continue
			}
			panel := plot.Panel{Title: b.Name, Full: float64(b.Rate)}
			for _, w := range b.Windows {
				panel.Bars = append(panel.Bars, plot.WindowBar{Start: w.Start, Value: float64(w.Used), Pale: !w.Full})
			}
			picture.Panels = append(picture.Panels, panel)
		}
		d.table([]string{"bucket", ">ours per window", ">fewest requests", ">made", ">utilisation", ">window-429s", ">concurrency-429s"}, rows)
		if len(picture.Panels) > 0 {
			d.plot(name, "requests per window of each bucket", picture)
		}
	}
}

func (d *document) race(r *raceResult) {
	if r == nil {
		return
	}
	d.say("## Against the official connector")
	d.say("%s users, %s groups, %s log events, no rate limits, a latency of %d ms. Both connectors read with the same configuration\n"+
		"and catalog through the same CONNECT proxy, behind which the simulated org answers TLS for the host that the official one\n"+
		"has built in. Nothing is compressed, but for the rows that say so. Ours is the median of %d runs, with the machine to itself\n"+
		"as far as it went; the official one ran once.",
		count(r.Users), count(r.Groups), count(r.Events), r.Latency.Milliseconds(), r.Heats[0].Ours.Runs)
	if r.Skipped != "" {
		d.say("The official connector did not run: %s.", r.Skipped)
	} else {
		d.say("The official connector is `%s`, from PyPI.", r.Official)
	}
	var rows [][]string
	bars := plot.Bars{Title: "Wall time, logarithmic", Note: fmt.Sprintf("%s users, %s groups, %s log events, latency %d ms", count(r.Users), count(r.Groups), count(r.Events), r.Latency.Milliseconds()), Log: true}
	for _, h := range r.Heats {
		group := plot.Group{Title: h.Name}
		for _, who := range []struct {
			name string
			*runner
			tone plot.Tone
		}{{"official", h.Theirs, plot.Other}, {"source-okta", h.Ours, plot.Main}, {"source-okta, gzip", h.Gzip, plot.Pale}} {
			if who.runner == nil {
				continue
			}
			u := who.Usage
			rows = append(rows, []string{
				h.Name, who.name, seconds(u.Wall), count(int(u.Records)), count(int(who.throughput())), count(who.Requests), fmt.Sprint(who.InFlight),
				micros(u.perRecord()), megabytes(u.Peak), fmt.Sprintf("%.0f %%", 100*u.Others),
			})
			group.Bars = append(group.Bars, plot.Bar{Label: who.name, Value: u.Wall.Seconds(), Text: seconds(u.Wall), Tone: who.tone})
		}
		bars.Groups = append(bars.Groups, group)
	}
	d.table([]string{"streams", "connector", ">wall", ">records", ">records/s", ">requests", ">in flight", ">CPU per record", ">peak RSS", ">machine taken by others"}, rows)
	spec := plot.Group{Title: "spec, cold", Bars: []plot.Bar{{Label: "source-okta", Value: middle(r.Ours).Seconds(), Text: fmt.Sprintf("%.1f ms", middle(r.Ours).Seconds()*1e3), Tone: plot.Main}}}
	if len(r.Theirs) > 0 {
		spec.Bars = slices.Insert(spec.Bars, 0, plot.Bar{Label: "official", Value: middle(r.Theirs).Seconds(), Text: seconds(middle(r.Theirs)), Tone: plot.Other})
		d.say("`spec`, a process from start to end: %.1f ms, the official one %s (medians of %d and %d).",
			middle(r.Ours).Seconds()*1e3, seconds(middle(r.Theirs)), len(r.Ours), len(r.Theirs))
	}
	bars.Groups = append(bars.Groups, spec)
	d.plot("race.svg", "wall times of both connectors", bars)
	d.sameRecords(r)
}

func (d *document) sameRecords(r *raceResult) {
	var rows [][]string
	for _, h := range r.Heats {
		for _, c := range h.Streams {
			rows = append(rows, []string{
				"`" + c.Stream + "`", count(c.Ours), count(c.Theirs), count(c.Same), count(c.Reworded), count(c.OnlyOurs), count(c.OnlyTheirs),
			})
		}
	}
	if len(rows) == 0 {
		return
	}
	d.say("### The same records")
	d.say("Every record of both reads, compared by content: members in any order, numbers by value.")
	d.table([]string{"stream", ">ours", ">official", ">equal", ">equal but for known differences", ">only ours", ">only official"}, rows)
	d.say("Known differences: the official connector leaves out members that are null and cuts the milliseconds off `logs.published`.\n" +
		"It stops at the first page of custom roles, so that it lacks the other roles and their permissions.")
}

func (d *document) memory(r *memoryResult) {
	if r == nil {
		return
	}
	d.say("## Memory")
	d.say("The nine streams of `airbyte/source-okta` in full, no rate limits, a latency of %d ms, compressed. Resident memory is\n"+
		"`VmHWM` of the connector's process: the median of the runs, and their range.", r.Latency.Milliseconds())
	var rows [][]string
	line := plot.Line{Title: "Peak resident memory over the size of the org", Note: "nine streams, in full", Unit: "MB", Limit: float64(maxResident) / 1e6, LimitText: "64 MiB"}
	for _, p := range r.Points {
		spread := "–"
		if len(p.Peaks) > 1 {
			spread = megabytes(p.Peaks[0]) + " to " + megabytes(p.Peaks[len(p.Peaks)-1])
		}
		rows = append(rows, []string{
			count(p.Users), count(p.Groups), count(p.Events), count(int(p.Records)), fmt.Sprint(len(p.Peaks)), megabytes(p.peak()), spread, seconds(p.Wall),
		})
		line.Points = append(line.Points, plot.Point{X: float64(p.Users), Y: float64(p.peak()) / 1e6, Label: count(p.Users) + " users"})
	}
	d.table([]string{">users", ">groups", ">log events", ">records", ">runs", ">peak RSS", ">from, to", ">wall"}, rows)
	d.plot("memory.svg", "peak resident memory over the number of users", line)
}

func (d *document) image(r *imageResult) {
	if r == nil {
		return
	}
	d.say("## Image")
	rows := [][]string{
		{"binary, stripped", megabytes(r.Binary)},
		{"binary, compressed", megabytes(r.BinaryGzip)},
	}
	if r.Skipped == "" {
		rows = append(rows, []string{"image, our layers, compressed", megabytes(r.Layers)},
			[]string{"image, whole, unpacked", megabytes(r.Whole)})
	}
	d.table([]string{"what", ">size"}, rows)
	switch {
	case strings.HasPrefix(r.Base, "source-okta-base:"):
		d.say("The image stands on what `.ci/base-images` makes where no base image can be pulled: busybox and CA certificates.")
	case r.Base != "":
		d.say("The image stands on `%s`.", r.Base)
	}
	if r.Skipped != "" {
		d.say("The image was not measured: %s.", r.Skipped)
	}
}
