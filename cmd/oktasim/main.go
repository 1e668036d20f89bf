// Command oktasim serves a simulated Okta org, for programs that want one at an address: other languages' clients,
// containers, acceptance suites.
//
//	oktasim -users 5000 -groups 250 -events 50000 -addr 127.0.0.1:8080
//
// Once it listens it prints one line with the address to stderr. See package oktasim for what the org does, and
// oktasim.Server for the endpoints under /_sim through which a test reads statistics and changes the world.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"source-okta/internal/oktasim"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stderr)
	stop()
	if err == nil {
		return
	}
	if !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "oktasim:", err)
	}
	os.Exit(2)
}

// run serves until ctx is done.
func run(ctx context.Context, args []string, stderr io.Writer) error {
	var c oktasim.Config
	var options oktasim.ServerOptions
	f := flag.NewFlagSet("oktasim", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&options.Addr, "addr", "127.0.0.1:0", "address to listen on; port 0 is a free one")
	f.Uint64Var(&c.Seed, "seed", 1, "seed of the world")
	f.IntVar(&c.Users, "users", 1000, "users")
	f.IntVar(&c.Groups, "groups", 50, "groups beside Everyone")
	f.IntVar(&c.Apps, "apps", 20, "applications")
	f.IntVar(&c.Events, "events", 10000, "System Log events of the last 89 days")
	f.IntVar(&c.Devices, "devices", 100, "devices")
	f.IntVar(&c.BulkUsers, "bulk-users", 0, "how many of the users were imported in one second")
	f.StringVar(&c.Token, "token", oktasim.DefaultToken, "API token")
	f.StringVar(&c.Origin, "origin", "", "the org's own address (default https://acme.okta.com)")
	f.DurationVar(&c.Window, "window", time.Minute, "length of a rate-limit window")
	limits := f.String("limits", "default", "rate limits: default or none")
	f.IntVar(&c.TokenPercent, "token-percent", 100, "percentage of each limit that the token may use")
	f.IntVar(&c.OtherShare, "share-other", 0, "percentage of each limit that another client eats")
	f.IntVar(&c.Concurrency, "concurrency", 0, "requests in flight that the org allows; 0 is any number")
	f.DurationVar(&c.Latency, "latency", 0, "latency of each request")
	f.DurationVar(&c.LatencyJitter, "latency-jitter", 0, "up to so much more latency")
	f.DurationVar(&c.IndexLag, "index-lag", 0, "time until search and filter see a change")
	f.DurationVar(&c.LogDelay, "log-delay", 0, "time until an event is persisted")
	f.Float64Var(&c.Late, "late", 0, "fraction of events that are persisted much later")
	f.DurationVar(&c.LateBy, "late-by", 10*time.Minute, "how much later at most")
	f.BoolVar(&c.Classic, "classic", false, "a Classic Engine org")
	f.BoolVar(&c.Empty, "empty", false, "answer every list with an empty one")
	f.BoolVar(&c.NoGzip, "no-gzip", false, "never compress")
	f.BoolVar(&c.RecordRequests, "record", false, "keep a request log for /_sim/requests")
	webApp := f.String("web-app", "", "ID:SECRET of an OAuth web app that rotates its refresh tokens; the line with the address ends in one")
	born := f.String("born", "", "RFC 3339 instant at which the base world ends (default now); needed to get the same world again")
	useTLS := f.Bool("tls", false, "speak TLS")
	useProxy := f.Bool("proxy", false, "be a CONNECT proxy for hosts under okta.com too, and end their TLS")
	caFile := f.String("ca", "oktasim-ca.pem", "file to write the certificate authority of -tls and -proxy to, for SSL_CERT_FILE")
	if err := f.Parse(args); err != nil {
		return err
	}
	switch {
	case f.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", f.Arg(0))
	case *limits == "default":
		c.Limits = oktasim.DefaultLimits()
	case *limits != "none":
		return fmt.Errorf("-limits is %q, it must be default or none", *limits)
	}
	if *born != "" {
		t, err := time.Parse(time.RFC3339, *born)
		if err != nil {
			return fmt.Errorf("-born: %w", err)
		}
		c.Born = t
	}
	clientID, secret, ok := strings.Cut(*webApp, ":")
	if ok {
		c.OAuth.Apps = append(c.OAuth.Apps, oktasim.OAuthApp{ClientID: clientID, Secret: secret, Rotate: true})
	} else if *webApp != "" {
		return fmt.Errorf("-web-app is %q, it must be ID:SECRET", *webApp)
	}
	extras := ""
	if *useTLS || *useProxy {
		authority, err := oktasim.NewAuthority()
		if err != nil {
			return err
		}
		if err := os.WriteFile(*caFile, authority.PEM(), 0o644); err != nil {
			return fmt.Errorf("writing the certificate authority: %w", err)
		}
		extras = " ca " + *caFile
		if *useTLS {
			options.Authority = authority
		}
		if *useProxy {
			options.Proxy = authority
		}
	}
	org := oktasim.New(c)
	server, err := oktasim.Start(ctx, org, options)
	if err != nil {
		return err
	}
	if ok {
		extras += " refresh-token " + org.NewRefreshToken(clientID)
	}
	fmt.Fprintf(stderr, "oktasim ready at %s token %s%s\n", server.URL, c.Token, extras)
	<-ctx.Done()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return server.Close(grace)
}
