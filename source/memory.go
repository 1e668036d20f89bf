package source

import (
	"math"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
)

// gcPercent keeps the heap near what is in use: nearly all of it is page bodies, which hold no pointers, so that
// collecting them often costs little.
const gcPercent = 25

// limitMemory keeps the process small: one core, a frugal garbage collector, and 90 % of the container's memory limit
// (cgroup v2, then v1; no variable of Airbyte's says what it is). GOMAXPROCS, GOGC and GOMEMLIMIT, where set, win.
func limitMemory(readFile func(string) ([]byte, error), getenv func(string) string) {
	if getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if getenv("GOMAXPROCS") == "" {
		// Okta's limits never ask for more than one core, and a second one costs memory and idle spinning.
		runtime.GOMAXPROCS(1)
	}
	if debug.SetMemoryLimit(-1) != math.MaxInt64 {
		return
	}
	for _, name := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		b, err := readFile(name)
		if err != nil {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
		// cgroup v1 writes "no limit" as a number near the largest.
		if err == nil && n > 0 && n < 1<<60 {
			debug.SetMemoryLimit(n / 10 * 9)
			return
		}
	}
}
