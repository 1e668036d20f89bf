GO ?= go

.PHONY: build test race lint fuzz image bench golden docs ci clean

build: ## The binaries, into bin/
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w" -o bin/ . ./cmd/...

test: ## Everything that needs Go and nothing else
	$(GO) test ./...

race:
	$(GO) test -race ./...

lint: ## go vet, formatters, and the direction of imports
	.ci/lint

fuzz: ## Every fuzz target; FUZZTIME=10m for longer
	.ci/fuzz $(or $(FUZZTIME),30s)

image: ## source-okta:dev, and source-okta-test:dev with a simulated org inside
	.ci/docker
	.ci/image

bench: ## The figures of docs/performance.md; BIG=1 for more
	$(GO) run ./bench

golden: ## Writes the golden transcripts anew
	$(GO) test ./source -run Transcripts -update

docs: ## Writes the schemas and the README's table anew; OPENAPI=folder of Okta's API descriptions
	$(GO) test ./source -run Readme -update
	$(GO) -C tools run ./schemagen $(if $(OPENAPI),-openapi $(abspath $(OPENAPI)))

ci:
	.ci/run

clean:
	rm -rf bin out
