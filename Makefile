# Every target loops over all modules of go.work, so a nested module is covered from the day it is listed there.
PKGS       = $(shell go list -m -f '{{.Dir}}/...')
FUZZTIME  ?= 1m
CROSS      = linux/arm64 linux/386 darwin/arm64 windows/amd64
VULNCHECK  = v1.1.4

# The race detector needs a C compiler; a machine without one still runs every test. Under it allocations and memory, which are counted
# exactly, are not what they are, and those tests are left out; and a connection makes other system calls (internal/wire/direct_linux.go).
# So without it run first: the tests of a connection, and all of the client that need no server.
RACE := $(if $(filter 1,$(shell go env CGO_ENABLED)),-race,)

.DEFAULT_GOAL := help
.PHONY: help demo test check chaos chaos-selftest bench bench-quick scale-out recovery microbench fuzz servers format vet cross lint vulnerabilities

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## run the quickstart on an in-process cluster, or on the one at KEYSLOT_ENDPOINT
	go run ./examples/quickstart

test: servers format vet ## run all tests, on real servers too, which are fetched into .cache where they are missing
	@test -n "$(RACE)" || echo "race detector: skipped, go env CGO_ENABLED is 0"
	$(if $(RACE),go test ./internal/wire && go test -short . ./keyslototel)
	go test $(RACE) -shuffle=on -timeout 18m $(PKGS)

check: format vet cross lint vulnerabilities ## check format, vet, cross compilation, linters and known vulnerabilities

# ARGS are flags of the program (-h lists them), TAGS=glide adds a client that needs cgo. Standard output is the program's
# alone, for ARGS=-json; with -C, make adds a line of its own there unless it is given -s.
BENCH = go run ./internal/realcluster/fetch >&2 && go run -tags '$(TAGS)' ./benchmarks

bench: ## compare with other clients side by side, in an hour; goes on where it was interrupted
	@$(BENCH) $(ARGS)

bench-quick: ## spot check of the same in less than a minute
	@$(BENCH) -quick $(ARGS)

# Slots leave the first shard for a second one, its primary fails over, and the second shard is taken away again, six times: for
# three clients with connections reused and with a new one for each operation.
SCALE_OUT = -local -client keyslot,goredis,rueidis -conns reuse,per-call -sessions 2000 -rate 150 -workers 64 -seed 1 \
	-duration 60s -warmup 3s -window 2s -scale-out-at 10s -failover-at 30s -scale-in-at 40s

scale-out: ## measure what callers notice of a scale-out, a failover and a scale-in, in about 8 minutes; writes examples/bench/report.html
	@go run ./internal/realcluster/fetch >&2 && mkdir -p .cache/bin && go build -o .cache/bin/scale-out ./examples/bench && \
	.cache/bin/scale-out $(SCALE_OUT) -report examples/bench/report.html -chart examples/bench/report.svg -json $(ARGS) > .cache/report.json && \
	mv .cache/report.json examples/bench/report.json

CHAOS_SECONDS ?= 600
CHAOS = mkdir -p .cache/bin && go build -buildvcs=false -o .cache/bin/chaos ./internal/chaos && .cache/bin/chaos $(if $(CHAOS_SEED),-seed $(CHAOS_SEED))

chaos: servers ## prove the delivery contract under faults on real clusters, for CHAOS_SECONDS (600), by CHAOS_SEED (drawn), and freeze a function
	@$(CHAOS) -seconds $(CHAOS_SECONDS) $(ARGS)
	@KEYSLOT_FREEZE=1m go test -count=1 -run FromColdStart ./examples/lambda >&2

chaos-selftest: servers ## see that clients which are broken in known ways are caught by that
	@$(CHAOS) -selftest $(ARGS)

recovery: ## measure how soon clients are back after failovers, freezes and lost connections, in about 10 minutes
	@go run ./internal/realcluster/fetch >&2 && go run ./internal/chaos/recovery $(ARGS)

microbench: ## run the micro-benchmarks
	go test -run '^$$' -bench . -benchmem $(PKGS)

fuzz: ## run every fuzz target for FUZZTIME (1m)
	@for package in $$(go list $(PKGS)); do \
		for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			echo "$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package || exit 1; \
		done; \
	done

servers:
	go run ./internal/realcluster/fetch

format:
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "gofmt these files:"; echo "$$unformatted"; exit 1; }

vet:
	go vet $(PKGS)

cross:
	@for target in $(CROSS); do \
		echo "build and vet for $$target"; \
		export GOOS=$${target%/*} GOARCH=$${target#*/} CGO_ENABLED=0; \
		go build -buildvcs=false $(PKGS) && go vet $(PKGS) || exit 1; \
	done

lint:
	@if command -v golangci-lint > /dev/null; then golangci-lint run $(PKGS); \
	else echo "golangci-lint: skipped, it is not in PATH"; fi

# Exit status 3 means vulnerabilities; any other failure is a database or a module proxy that cannot be reached.
vulnerabilities:
	@GOBIN=$(CURDIR)/.cache/bin go install golang.org/x/vuln/cmd/govulncheck@$(VULNCHECK) || \
		{ echo "govulncheck: skipped, it cannot be installed"; exit 0; }; \
	.cache/bin/govulncheck $(PKGS); status=$$?; \
	if test $$status -eq 3; then exit 1; fi; \
	if test $$status -ne 0; then echo "govulncheck: skipped, it ended with status $$status"; fi
