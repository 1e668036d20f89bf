package source_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"source-okta/internal/oktasim"
	"source-okta/source"
)

// born is when the simulated world of the transcripts ends.
var born = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"source-okta": scriptedMain})
}

// TestTranscripts runs the scripts in testdata/script: whole runs of the connector, compared line by line with what they
// print. `go test ./source -run Transcripts -update` writes them anew.
func TestTranscripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
	})
}

// scriptedMain is the connector against a simulated org of its own; SIM sizes it, as in SIM=users=3,groups=2.
func scriptedMain() {
	cfg := oktasim.Config{Seed: 7, Born: born, Clock: func() time.Time { return born.Add(time.Hour) }}
	for _, kv := range strings.Split(os.Getenv("SIM"), ",") {
		name, value, _ := strings.Cut(kv, "=")
		n, _ := strconv.Atoi(value)
		switch name {
		case "users":
			cfg.Users = n
		case "groups":
			cfg.Groups = n
		case "apps":
			cfg.Apps = n
		case "events":
			cfg.Events = n
		case "devices":
			cfg.Devices = n
		case "classic":
			cfg.Classic = true
		case "empty":
			cfg.Empty = true
		case "":
		default:
			fmt.Fprintln(os.Stderr, "SIM knows no", name)
			os.Exit(2)
		}
	}
	var out bytes.Buffer
	code := source.Run(context.Background(), source.Env{
		Args: os.Args[1:], Stdout: &out, Stderr: os.Stderr, ReadFile: source.ReadFile, Getenv: os.Getenv, Transport: oktasim.New(cfg),
	})
	text := stamps.ReplaceAllString(out.String(), `"emitted_at":0`)
	if os.Getenv("SORTED") != "" {
		lines := strings.SplitAfter(text, "\n")
		slices.Sort(lines)
		text = strings.Join(lines, "")
	}
	fmt.Print(text)
	os.Exit(code)
}

var stamps = regexp.MustCompile(`"emitted_at":\d+`)
