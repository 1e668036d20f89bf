package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"source-okta/source"
)

// usage is what one run of a connector took.
type usage struct {
	Wall    time.Duration
	CPU     time.Duration // user and system
	Peak    int64         // resident memory at its highest, in bytes; 0: unknown
	Records int64
	Bytes   int64 // on stdout
	// Others is how much of the machine other programs took meanwhile, from 0 to 1.
	Others float64
}

// perRecord is the CPU time of one record.
func (u usage) perRecord() time.Duration { return u.CPU / time.Duration(max(u.Records, 1)) }

// command is a run to be measured. Environment is added to this process's own.
type command struct {
	Program string
	Args    []string
	Env     []string
	Keep    io.Writer // gets stdout; nil: nobody keeps it
}

// measure runs a command whose stdout is a pipe that is read at once.
func measure(ctx context.Context, c command) (usage, error) {
	cmd := exec.CommandContext(ctx, c.Program, c.Args...)
	cmd.Env = append(os.Environ(), c.Env...)
	// A pipe of our own, since the command must not wait for a copying goroutine of os/exec.
	out, in, err := os.Pipe()
	if err != nil {
		return usage{}, err
	}
	defer out.Close()
	cmd.Stdout = in
	var stderr tail
	cmd.Stderr = &stderr
	before := machineTime()
	began := time.Now()
	if err := cmd.Start(); err != nil {
		in.Close()
		return usage{}, err
	}
	in.Close()
	peak := watchPeak(cmd.Process.Pid)
	sink := &counter{keep: c.Keep}
	_, copied := io.CopyBuffer(struct{ io.Writer }{sink}, struct{ io.Reader }{out}, make([]byte, 64<<10))
	waited := cmd.Wait()
	u := usage{Wall: time.Since(began), Peak: peak(), Records: sink.records, Bytes: sink.bytes}
	if err := errors.Join(waited, copied); err != nil {
		return u, fmt.Errorf("%s %s: %w\n%s%s", filepath.Base(c.Program), strings.Join(c.Args, " "), err, sink.last(), stderr.text)
	}
	u.CPU = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	u.Others = machineTime().others(before, u)
	return u, nil
}

// quietly measures a command several times and returns the runs with the machine most to themselves, in the order of their
// walls. Runs that had to share it are repeated, up to twice as many times as asked.
func (b *bench) quietly(ctx context.Context, times int, c command) ([]usage, error) {
	const quiet = 0.1
	var runs []usage
	calm := 0
	for range 2 * times {
		u, err := measure(ctx, c)
		if err != nil {
			return nil, err
		}
		runs = append(runs, u)
		if u.Others <= quiet {
			calm++
		}
		if calm == times {
			break
		}
	}
	slices.SortStableFunc(runs, func(a, b usage) int { return int(1000 * (a.Others - b.Others)) })
	runs = runs[:times]
	slices.SortFunc(runs, func(a, b usage) int { return int(a.Wall - b.Wall) })
	return runs, nil
}

// median is the run in the middle, with the median of each measure on its own.
func median(runs []usage) usage {
	middle := runs[len(runs)/2]
	middle.Wall = medianOf(runs, func(u usage) time.Duration { return u.Wall })
	middle.CPU = medianOf(runs, func(u usage) time.Duration { return u.CPU })
	middle.Peak = medianOf(runs, func(u usage) int64 { return u.Peak })
	middle.Others = medianOf(runs, func(u usage) float64 { return u.Others })
	return middle
}

func medianOf[S any, T int64 | float64 | time.Duration](of []S, measure func(S) T) T {
	all := make([]T, len(of))
	for i, v := range of {
		all[i] = measure(v)
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// watchPeak follows the resident memory of a process until the function it returns is called, after the process has ended.
// wait4 is of no use for that: Linux starts its ru_maxrss at the size that the parent has when it starts the child.
func watchPeak(pid int) func() int64 {
	var peak atomic.Int64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			if n := highWater(pid); n > 0 {
				peak.Store(n)
			}
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	}()
	return func() int64 {
		close(stop)
		<-stopped
		return peak.Load()
	}
}

// highWater is a process's VmHWM in bytes; 0 where there is none.
func highWater(pid int) int64 {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(text, []byte("\nVmHWM:"))
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	n, _ := strconv.ParseInt(string(fields[0]), 10, 64)
	return n << 10
}

// cpuTime is how long the machine's CPUs, and this process, have been busy.
type cpuTime struct {
	at        time.Time
	busy, own time.Duration
}

// machineTime is zero but for the time where the system does not tell.
func machineTime() cpuTime {
	c := cpuTime{at: time.Now()}
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err == nil {
		c.own = time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return c
	}
	line, _, _ := strings.Cut(string(text), "\n")
	// user, nice, system, idle, iowait, irq, softirq, steal, in hundredths of a second.
	for i, field := range strings.Fields(line)[1:] {
		if n, err := strconv.ParseInt(field, 10, 64); err == nil && i < 8 && i != 3 && i != 4 {
			c.busy += time.Duration(n) * 10 * time.Millisecond
		}
	}
	return c
}

// others is the share of the machine that neither this process nor a run of u took since before.
func (c cpuTime) others(before cpuTime, u usage) float64 {
	all := float64(c.at.Sub(before.at)) * float64(runtime.NumCPU())
	return max(0, float64(c.busy-before.busy-(c.own-before.own)-u.CPU)/all)
}

// counter counts RECORD lines and keeps the end of what passes, which says why a run failed.
type counter struct {
	keep    io.Writer
	bytes   int64
	records int64
	line    []byte // the beginning of the line that a write ended in
	end     []byte
}

const recordStart = `{"type":"RECORD"`

func (c *counter) Write(p []byte) (int, error) {
	c.bytes += int64(len(p))
	if c.keep != nil {
		if _, err := c.keep.Write(p); err != nil {
			return 0, err
		}
	}
	c.end = append(c.end[:0], p[max(0, len(p)-2000):]...)
	for rest := p; len(rest) > 0; {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		if missing := len(recordStart) - len(c.line); missing > 0 {
			c.line = append(c.line, line[:min(missing, len(line))]...)
		}
		if whole {
			if string(c.line) == recordStart {
				c.records++
			}
			c.line = c.line[:0]
		}
		rest = after
	}
	return len(p), nil
}

// last are the last lines that are no records.
func (c *counter) last() string {
	var b strings.Builder
	for line := range strings.SplitSeq(string(c.end), "\n") {
		if strings.HasPrefix(line, "{") && !strings.HasPrefix(line, recordStart) {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// tail keeps the end of what is written.
type tail struct{ text []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-4000):]
	return len(p), nil
}

// profileVariable makes this program the connector, with profiles written to the file that it names and to that with .heap.
const profileVariable = "SOURCE_OKTA_BENCH_PROFILE"

func profiledConnector(file string) int {
	code := 1
	err := withProfiles(file, func() { code = source.Main() })
	if err != nil {
		fmt.Fprintln(os.Stderr, "profiling:", err)
		return 1
	}
	return code
}

// withProfiles runs f and writes its CPU profile to file and all that it allocated to file.heap.
func withProfiles(file string, f func()) (err error) {
	cpu, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cpu.Close()) }()
	heap, err := os.Create(file + ".heap")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, heap.Close()) }()
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return err
	}
	f()
	pprof.StopCPUProfile()
	return pprof.Lookup("allocs").WriteTo(heap, 0)
}

// profileRun runs a command of the connector once more with profiles, where they are wanted.
func (b *bench) profileRun(ctx context.Context, name string, c command) error {
	if b.profile == "" {
		return nil
	}
	if err := os.MkdirAll(b.profile, 0o755); err != nil {
		return err
	}
	file, err := filepath.Abs(filepath.Join(b.profile, name+".pprof"))
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	c.Program, c.Env = self, append(slices.Clone(c.Env), profileVariable+"="+file)
	u, err := measure(ctx, c)
	if err == nil {
		b.say("profile %s: %.0f ms of CPU, %.1f MB", file, float64(u.CPU.Milliseconds()), float64(u.Peak)/1e6)
	}
	return err
}
