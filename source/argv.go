package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"

	"source-okta/internal/airbyte"
)

const usage = `source-okta reads Okta for Airbyte.

  source-okta spec
  source-okta check    --config FILE
  source-okta discover --config FILE
  source-okta read     --config FILE --catalog FILE [--state FILE]

Every verb takes --debug. Messages of the Airbyte protocol go to stdout, one a line.
`

// maxInput bounds an input file, in bytes.
const maxInput = 64 << 20

var verbs = []string{"spec", "check", "discover", "read"}

var errHelp = errors.New("help")

type args struct {
	verb                   string
	config, catalog, state string
	debug                  bool
}

// parseArgs reads a command line with its flags in any order, before or after the verb.
func parseArgs(argv []string) (args, error) {
	var a args
	for len(argv) > 0 {
		set := flag.NewFlagSet("source-okta", flag.ContinueOnError)
		set.SetOutput(io.Discard)
		set.StringVar(&a.config, "config", a.config, "")
		set.StringVar(&a.catalog, "catalog", a.catalog, "")
		set.StringVar(&a.state, "state", a.state, "")
		set.BoolVar(&a.debug, "debug", a.debug, "")
		err := set.Parse(argv)
		if errors.Is(err, flag.ErrHelp) {
			return a, errHelp
		}
		if err != nil {
			return a, configError("The command line is wrong: %s.", err)
		}
		if argv = set.Args(); len(argv) == 0 {
			break
		}
		if a.verb != "" {
			return a, configError("The command line is wrong: %q stands where a flag should; one of the verbs %s is enough.", printable(argv[0]), strings.Join(verbs, ", "))
		}
		a.verb, argv = argv[0], argv[1:]
	}
	if a.verb == "" {
		return a, configError("The command line is wrong: it names no verb; use one of %s.", strings.Join(verbs, ", "))
	}
	if !slices.Contains(verbs, a.verb) {
		return a, configError("The command line is wrong: %q is no verb; use one of %s.", printable(a.verb), strings.Join(verbs, ", "))
	}
	if a.verb != "spec" && a.config == "" {
		return a, configError("The command line is wrong: %s needs --config FILE.", a.verb)
	}
	if a.verb == "read" && a.catalog == "" {
		return a, configError("The command line is wrong: read needs --catalog FILE.")
	}
	return a, nil
}

// printable shortens what a person typed, so that a message stays readable.
func printable(s string) string {
	if len(s) > 80 {
		s = s[:80] + "…"
	}
	return strings.ToValidUTF8(s, "?")
}

// ReadFile reads an input file of at most 64 MiB.
func ReadFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxInput+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxInput {
		return nil, errTooLarge
	}
	return b, nil
}

var errTooLarge = errors.New("larger than 64 MiB")

// readJSON reads the file behind a flag and checks that it is JSON at all.
func (c *connector) readJSON(flagName, name, want string) ([]byte, error) {
	b, err := c.env.ReadFile(name)
	name = printable(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, configError("The file of %s, %s, does not exist.", flagName, name)
	case errors.Is(err, fs.ErrPermission):
		return nil, configError("The file of %s, %s, may not be read by this user.", flagName, name)
	case errors.Is(err, syscall.EISDIR):
		return nil, configError("The file of %s, %s, is a directory.", flagName, name)
	case errors.Is(err, errTooLarge):
		return nil, configError("The file of %s, %s, is larger than 64 MiB.", flagName, name)
	case err != nil:
		return nil, configError("The file of %s, %s, cannot be read: %s.", flagName, name, err)
	}
	b = bytes.TrimSpace(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")))
	if len(b) > 0 && !json.Valid(b) {
		return nil, configError("The file of %s, %s, is not %s: %s.", flagName, name, want, notJSON(b))
	}
	return b, nil
}

// readObject reads a file that must hold one JSON object.
func (c *connector) readObject(flagName, name string) ([]byte, error) {
	b, err := c.readJSON(flagName, name, "a JSON object")
	if err != nil {
		return nil, err
	}
	if len(b) == 0 {
		return nil, configError("The file of %s, %s, is empty; it must hold a JSON object.", flagName, printable(name))
	}
	if b[0] != '{' {
		return nil, configError("The file of %s, %s, is not a JSON object.", flagName, printable(name))
	}
	return b, nil
}

func notJSON(b []byte) string {
	if bytes.HasPrefix(b, []byte{0xff, 0xfe}) || bytes.HasPrefix(b, []byte{0xfe, 0xff}) {
		return "it is UTF-16, and Airbyte's files are UTF-8"
	}
	if bytes.IndexByte(b, 0) >= 0 {
		return "it is binary"
	}
	var v any
	err := json.Unmarshal(b, &v)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Sprintf("at byte %d, %s", syntax.Offset, err)
	}
	return "it cannot be parsed"
}

// readInputs are the files that only read has.
type readInputs struct {
	catalog *airbyte.ConfiguredCatalog
	state   map[string]json.RawMessage
}

func (c *connector) readInputs(a args) (in readInputs, err error) {
	b, err := c.readObject("--catalog", a.catalog)
	if err != nil {
		return in, err
	}
	if in.catalog, err = airbyte.DecodeCatalog(b); err != nil {
		return in, configError("The file of --catalog, %s, is not a configured catalog: %s.", printable(a.catalog), trimDot(err))
	}
	if a.state == "" {
		return in, nil
	}
	if b, err = c.readJSON("--state", a.state, "a JSON array or object"); err != nil {
		return in, err
	}
	if in.state, err = airbyte.DecodeState(b); err != nil {
		return in, configError("The file of --state, %s, is not a state: %s.", printable(a.state), trimDot(err))
	}
	return in, nil
}

func trimDot(err error) string { return strings.TrimSuffix(err.Error(), ".") }
