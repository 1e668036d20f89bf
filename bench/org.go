package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/tidwall/gjson"

	"source-okta/internal/oktasim"
)

// site is a simulated org at an address.
type site struct {
	b      *bench
	name   string
	org    *oktasim.Org
	server *oktasim.Server
	env    []string // for programs that read from it
	domain string
}

// open serves an org behind TLS; through is whether as the host acme.okta.com behind a CONNECT proxy, for programs that know
// no other address.
func (b *bench) open(ctx context.Context, name string, c oktasim.Config, through bool) (*site, error) {
	authority, err := oktasim.NewAuthority()
	if err != nil {
		return nil, err
	}
	ca := filepath.Join(b.dir, name+"-ca.pem")
	if err := os.WriteFile(ca, authority.PEM(), 0o644); err != nil {
		return nil, err
	}
	options := oktasim.ServerOptions{Authority: authority}
	if through {
		options = oktasim.ServerOptions{Proxy: authority}
	}
	s := &site{b: b, name: name, org: oktasim.New(c)}
	if s.server, err = oktasim.Start(ctx, s.org, options); err != nil {
		return nil, err
	}
	// Go reads every file of the certificates' folder beside the one named. The image has no such folder.
	s.env = []string{"SSL_CERT_FILE=" + ca, "SSL_CERT_DIR=" + filepath.Join(b.dir, "none"), "REQUESTS_CA_BUNDLE=" + ca}
	s.domain = s.server.URL
	if through {
		s.env = append(s.env, "HTTPS_PROXY="+s.server.URL)
		s.domain = "acme"
	}
	return s, nil
}

// close ends the server, also when ctx is done already.
func (s *site) close(ctx context.Context) {
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = s.server.Close(grace)
}

// options are the members of a config beside domain and credentials.
type options map[string]any

// read is the command that reads the named streams of airbyte/source-okta in full.
func (s *site) read(ctx context.Context, o options, streams ...string) (command, error) {
	config := options{
		"domain":      s.domain,
		"credentials": options{"auth_type": "api_token", "api_token": oktasim.DefaultToken},
	}
	for k, v := range o {
		config[k] = v
	}
	configFile, err := s.write("config", config)
	if err != nil {
		return command{}, err
	}
	discover := exec.CommandContext(ctx, s.b.binary, "discover", "--config", configFile)
	out, err := discover.Output()
	if err != nil {
		return command{}, fmt.Errorf("discover: %w", err)
	}
	type entry struct {
		Stream              json.RawMessage `json:"stream"`
		SyncMode            string          `json:"sync_mode"`
		DestinationSyncMode string          `json:"destination_sync_mode"`
	}
	var catalog struct {
		Streams []entry `json:"streams"`
	}
	gjson.ForEachLine(string(out), func(line gjson.Result) bool {
		for _, stream := range line.Get("catalog.streams").Array() {
			if slices.Contains(streams, stream.Get("name").Str) {
				catalog.Streams = append(catalog.Streams, entry{json.RawMessage(stream.Raw), "full_refresh", "append"})
			}
		}
		return true
	})
	if len(catalog.Streams) != len(streams) {
		return command{}, fmt.Errorf("discover offers %d of the %d streams", len(catalog.Streams), len(streams))
	}
	catalogFile, err := s.write("catalog", catalog)
	if err != nil {
		return command{}, err
	}
	return command{Program: s.b.binary, Args: []string{"read", "--config", configFile, "--catalog", catalogFile}, Env: s.env}, nil
}

// write puts a JSON file into the run's folder and returns its name.
func (s *site) write(kind string, v any) (string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	f, err := os.CreateTemp(s.b.dir, s.name+"-"+kind+"-*.json")
	if err != nil {
		return "", err
	}
	defer f.Close()
	_, err = f.Write(text)
	return f.Name(), err
}

// directory are the streams of airbyte/source-okta but for logs; dropIn are all of them.
var (
	directory = []string{
		"users", "groups", "group_members", "group_role_assignments", "user_role_assignments", "custom_roles", "permissions", "resource_sets",
	}
	dropIn = append(slices.Clone(directory), "logs")
)

// fewest is how many requests the nine streams of airbyte/source-okta take at least, by rate-limit bucket: what exists,
// divided by the largest pages that Okta gives, with no request for a list that is known to be empty. It comes from the
// org's own books and knows nothing of the connector.
func fewest(o *oktasim.Org) map[string]int {
	count := func(stream string) (n int) {
		for range o.Records(stream, "") {
			n++
		}
		return n
	}
	members := map[string]int{}
	for group := range o.Memberships() {
		members[group]++
	}
	groups, users, events := 0, 0, 0
	for range o.Groups() {
		groups++
	}
	for range o.Users() {
		users++
	}
	for range o.Events() {
		events++
	}
	groupsWithRole, holders, assignees := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for r := range o.Records("group_role_assignments", "") {
		groupsWithRole[r.Parents[0][1]] = true
	}
	for r := range o.Records("user_role_assignments", "") {
		id := r.Parents[0][1]
		holders[id] = true
		if gjson.GetBytes(r.JSON, "assignmentType").Str == "USER" {
			assignees[id] = true
		}
	}
	roles := count("custom_roles")
	n := map[string]int{
		oktasim.BucketUsers:     pages(users, 200) + len(holders),
		oktasim.BucketGroups:    pages(groups, 200) + len(groupsWithRole),
		oktasim.BucketLogs:      pages(events, 1000),
		oktasim.BucketIAM:       pages(roles, iamPage) + roles + pages(count("resource_sets"), iamPage) + pages(len(assignees), 200),
		oktasim.BucketWellKnown: 1,
	}
	for _, size := range members {
		n[oktasim.BucketGroups] += pages(size, 1000)
	}
	return n
}

// iamPage is how many roles or resource sets the simulated org puts on a page; a request cannot ask for more.
const iamPage = 10

// pages is how many pages n records fill; there is always one.
func pages(n, size int) int { return max(1, (n+size-1)/size) }

// shortest is the lower bound of a sync's duration: a bucket's last window need not be waited for, and the buckets run side by
// side. binding is the bucket that takes longest.
func shortest(requests, limits map[string]int, share int, window time.Duration) (t time.Duration, binding string) {
	for bucket, n := range requests {
		rate := max(1, limits[bucket]*share/100)
		if d := time.Duration(pages(n, rate)-1) * window; d > t || binding == "" || d == t && bucket < binding {
			t, binding = d, bucket
		}
	}
	return t, binding
}
