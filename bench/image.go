package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
)

// imageResult is how large what is shipped is, in bytes.
type imageResult struct {
	Binary, BinaryGzip int64
	Skipped            string // why the image was not measured; "" if it was
	Base               string // the image that ours stands on
	Layers, Whole      int64  // our layers as they are pulled; the image as it is unpacked, base included
}

// imageSize measures the binary, and the image where there is a Docker engine.
func (b *bench) imageSize(ctx context.Context) (*imageResult, error) {
	raw, err := os.ReadFile(b.binary)
	if err != nil {
		return nil, err
	}
	r := &imageResult{Binary: int64(len(raw))}
	if r.BinaryGzip, err = zippedSize(bytes.NewReader(raw)); err != nil {
		return nil, err
	}
	if b.quick {
		r.Skipped = "a quick run builds no image"
		return r, nil
	}
	if err := exec.CommandContext(ctx, "docker", "info").Run(); err != nil {
		r.Skipped = "no Docker engine answered"
		return r, nil
	}
	tag := "IMAGE=source-okta:bench"
	build := exec.CommandContext(ctx, filepath.Join(b.root, ".ci", "image"))
	build.Dir, build.Env = b.root, append(os.Environ(), tag, "TEST_IMAGE=source-okta-test:bench")
	out, err := build.CombinedOutput()
	if err != nil {
		r.Skipped = "the image could not be built"
		b.say("%s: %v\n%s", r.Skipped, err, out)
		return r, nil
	}
	remove := exec.CommandContext(ctx, "docker", "image", "rm", "source-okta:bench", "source-okta-test:bench")
	if text, err := remove.CombinedOutput(); err != nil {
		b.say("removing the image: %v\n%s", err, text)
	}
	// The build says what our layers weigh when they are pulled.
	said := imageSaid.FindSubmatch(out)
	if said == nil {
		return nil, fmt.Errorf("the image's build did not say its size:\n%s", out)
	}
	kib, _ := strconv.ParseInt(string(said[2]), 10, 64)
	mib, _ := strconv.ParseFloat(string(said[3]), 64)
	r.Base, r.Layers, r.Whole = string(said[1]), kib<<10, int64(mib*(1<<20))
	return r, nil
}

var imageSaid = regexp.MustCompile(`(?s)base images: \S+, (\S+)\n.*our layers (\d+) KiB compressed, whole image ([\d.]+) MiB`)

func zippedSize(r io.Reader) (int64, error) {
	var n length
	z, err := gzip.NewWriterLevel(&n, gzip.BestCompression)
	if err != nil {
		return 0, err
	}
	if _, err := io.Copy(z, r); err != nil {
		return 0, err
	}
	err = z.Close()
	return int64(n), err
}

type length int64

func (n *length) Write(p []byte) (int, error) {
	*n += length(len(p))
	return len(p), nil
}
