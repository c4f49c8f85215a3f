# `make help` lists the targets. `make test` and `make run` install what they need.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

VERSION := $(shell sed -n 's/^  "version": "\(.*\)",/\1/p' web/package.json)
GO_FILES := $(shell git ls-files '*.go')
WASM_PACKAGES := ./internal/task ./internal/jsbridge
FRAMEWORKS := next15 next16 nuxt
# Milliseconds for one file of tests: one that hangs ends, and the others go on.
PATIENCE := 900000
APPS := $(patsubst %/package.json,%,$(wildcard examples/*/package.json))

# The module: no symbol table, no paths and no commit, so that the same source gives the same bytes anywhere; no
# inlining but in its own packages, where each message passes; the older garbage collector, which is the smaller one.
WASM_GOEXPERIMENT := nogreenteagc
WASM_FLAGS := -trimpath -buildvcs=false -gcflags=all=-l -gcflags=connectsocket/...=
WASM_LDFLAGS = -s -w -X=connectsocket/internal/jsbridge.version=$(VERSION)

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

.PHONY: run
run: build ## build, and serve the playground and /examples/ on http://127.0.0.1:8080 (ARGS='-addr HOST:PORT')
	go run ./cmd/serve -examples examples $(ARGS)

.PHONY: build
build: node_modules ## write web/dist: scripts, types, module, playground
	export GOEXPERIMENT=$(WASM_GOEXPERIMENT); \
	node web/split/build.mjs bin/module web/split/hot.txt $(WASM_FLAGS) -ldflags="$(WASM_LDFLAGS)"; \
	node web/build.mjs bin/module $(WASM_FLAGS) -ldflags="$(WASM_LDFLAGS)"

.PHONY: hot
hot: build ## find again which functions the first part of the module needs, and show what has changed
	GOEXPERIMENT=$(WASM_GOEXPERIMENT) node web/split/build.mjs --profile bin/module web/split/hot.txt $(WASM_FLAGS) -ldflags="$(WASM_LDFLAGS)"
	git diff --stat --patch --unified=0 web/split/hot.txt

.PHONY: package
package: build ## pack web/ for npm as bin/connectsocket-VERSION.tgz, and print hashes
	@npm pack --silent --pack-destination=bin ./web >/dev/null
	@cd bin && wc -c connectsocket-$(VERSION).tgz && sha256sum connectsocket-$(VERSION).tgz
	@cd web/dist && for file in connectsocket.{js,mjs,wasm,rest.wasm,full.wasm}; do \
	  echo "$$file sha384-$$(openssl dgst -sha384 -binary $$file | openssl base64 -A)"; done

.PHONY: test
test: tools check audit test-go test-js test-split test-wasm test-engines test-e2e test-poison ## install what is missing, then run every check and test

.PHONY: check
check: build bin/staticcheck bin/kubectl-validate scripts/api/node_modules ## gofmt, vet, staticcheck, tsc, Biome, docs/api.md, Kubernetes
	test -z "$$(gofmt -l $(GO_FILES) | tee /dev/stderr)"
	go vet ./...
	GOOS=js GOARCH=wasm go vet ./cmd/wasm $(WASM_PACKAGES)
	GOOS=js GOARCH=wasm go vet -tags=capture,moved ./cmd/wasm
	bin/staticcheck ./...
	GOOS=js GOARCH=wasm bin/staticcheck ./cmd/wasm $(WASM_PACKAGES)
	node_modules/.bin/tsc
	node_modules/.bin/tsc -p types
	node_modules/.bin/biome check --error-on-warnings .
	node scripts/api/build.mjs --check
	bin/kubectl-validate --version 1.30 deploy/kubernetes

.PHONY: api
api: scripts/api/node_modules ## write docs/api.md from the type declarations
	node scripts/api/build.mjs

scripts/api/node_modules: scripts/api/package.json scripts/api/package-lock.json
	cd scripts/api && npm ci --no-audit --no-fund --ignore-scripts
	@touch $@

.PHONY: fmt
fmt: node_modules ## format and tidy the sources: gofmt, Biome
	gofmt -w $(GO_FILES)
	node_modules/.bin/biome check --write .

.PHONY: audit
audit: ## go.sum against what was downloaded, npm's advisories against the lock files
	go mod verify
	go mod verify -modfile=tools.mod
	go mod verify -modfile=deploy/kubernetes/tools.mod
	node scripts/audit.mjs

.PHONY: test-go
test-go: ## native Go tests, with the race detector
	go test -race ./...

.PHONY: test-split
test-split: node_modules ## what captures and splits the module, each reason to refuse included
	node --test --test-reporter=spec $(wildcard web/split/*.test.mjs)

.PHONY: test-js
test-js: node_modules build ## the JavaScript half and the loader in Node, with the real Go half
	node --test $(wildcard internal/jsbridge/*.test.mjs web/*.test.mjs)

.PHONY: test-wasm
test-wasm: tools bin/wasmbrowsertest ## the js/wasm tests in headless Chromium, against the echo server
	go build -o bin/ ./cmd/serve
	exec 3< <(exec bin/serve -addr 127.0.0.1:0 -dir web); trap "kill $$!" EXIT; \
	read -r -u 3 _ _ url; \
	GOOS=js GOARCH=wasm go test $(ARGS) $(WASM_PACKAGES) \
	  -exec="env -i PATH=$$PATH HOME=$$HOME CONNECTSOCKET_ECHO=ws$${url#http}/echo $(CURDIR)/bin/wasmbrowsertest"

.PHONY: test-engines
test-engines: tools ## the js/wasm tests in headless Firefox and WebKit
	go build -o bin/ ./cmd/serve
	exec 3< <(exec bin/serve -addr 127.0.0.1:0 -dir web); trap "kill $$!" EXIT; \
	read -r -u 3 _ _ url; export CONNECTSOCKET_ECHO=ws$${url#http}/echo; \
	for engine in firefox webkit; do echo "in $$engine:"; \
	  GOOS=js GOARCH=wasm go test $(ARGS) -p 1 -exec="node $(CURDIR)/e2e/drive/wasmtest.mjs $$engine" $(WASM_PACKAGES); \
	done

.PHONY: test-e2e
test-e2e: tools build e2e/tools/node_modules ## the built package in headless Chromium, Firefox and WebKit
	go build -o bin/ ./cmd/serve ./e2e/faults
	node --test --test-concurrency=1 --test-timeout=$(PATIENCE) --test-reporter=spec e2e/*.test.mjs

.PHONY: test-poison
test-poison: tools build ## that the first part of the module reads nothing of the rest: the suites on a module whose rest is poisoned
	go build -o bin/ ./cmd/serve ./e2e/faults
	GOEXPERIMENT=$(WASM_GOEXPERIMENT) node web/split/poison.mjs bin/module web/split/hot.txt $(WASM_FLAGS) -ldflags="$(WASM_LDFLAGS)"
	CONNECTSOCKET_DIST=$(CURDIR)/bin/module/poison node --test --test-concurrency=1 --test-timeout=$(PATIENCE) --test-reporter=spec \
	  e2e/contract.test.mjs e2e/reconnect.test.mjs e2e/recovery.test.mjs e2e/fuzz.test.mjs
	CONNECTSOCKET_DIST=$(CURDIR)/bin/module/control node --test --test-reporter=spec e2e/poison/control.mjs

.PHONY: test-apps
test-apps: tools build $(APPS:=/node_modules) $(FRAMEWORKS:%=e2e/apps/%/node_modules) ## real apps of each framework in their own tools, in Chromium
	go build -o bin/ ./cmd/serve
	node --test --test-concurrency=2 --test-timeout=$(PATIENCE) --test-reporter=spec e2e/apps/*.test.mjs

examples/%/node_modules: examples/%/package-lock.json
	cd $(@D) && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

e2e/%/node_modules: e2e/%/package-lock.json
	cd e2e/$* && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

.PHONY: test-faults
test-faults: tools build ## every fault in every engine, over ws and wss; writes e2e/faults/results.md
	go build -o bin/ ./e2e/faults
	FAULTS=full node --test --test-reporter=spec e2e/faults.test.mjs

.PHONY: soak
soak: tools build bench/node_modules ## connections, and messages under faults; writes bench/results/soak.md (ARGS='--messages N --cycles N')
	go build -o bin/ ./e2e/faults
	node e2e/faults/soak.mjs $(ARGS)
	node bench/soak.mjs e2e/artifacts/soak.json

.PHONY: fuzz
fuzz: tools build ## random programs of hostile calls, in a page (ARGS='--programs N --engine NAME --seed N')
	node e2e/fuzz/fuzz.mjs $(ARGS)

.PHONY: bench-relay
bench-relay: tools ## the relay beside nginx and no relay: rate, CPU a message, memory a pair
	go build -o bin/relay ./cmd/relay
	go build -o bin/bench-relay ./bench/relay
	bin/bench-relay $(ARGS)

.PHONY: screenshots
screenshots: tools build ## write docs/images/playground-{light,dark}.png
	go build -o bin/ ./cmd/serve
	node scripts/screenshots.mjs

.PHONY: tools
tools: node_modules
	scripts/install

node_modules: package.json package-lock.json
	npm ci --no-audit --no-fund --ignore-scripts
	@touch node_modules

# Their own module graph: see tools.mod.
bin/staticcheck: tools.mod tools.sum
	go build -modfile=tools.mod -o $@ honnef.co/go/tools/cmd/staticcheck

bin/kubectl-validate: deploy/kubernetes/tools.mod deploy/kubernetes/tools.sum
	go build -modfile=$< -o $@ sigs.k8s.io/kubectl-validate

bin/wasmbrowsertest: tools.mod tools.sum
	go build -modfile=tools.mod -o $@ github.com/agnivade/wasmbrowsertest

.PHONY: bench
bench: tools build bench/node_modules ## measure beside the peers, write bench/results (ARGS='--short' to try)
	node bench/run.mjs $(ARGS)

.PHONY: bench-engines
bench-engines: tools build bench/node_modules ## the short form of bench in Firefox and WebKit
	node bench/run.mjs --engine firefox $(ARGS)
	node bench/run.mjs --engine webkit $(ARGS)

.PHONY: bench-flags
bench-flags: tools build bench/node_modules ## what each way to build the module is worth
	node bench/flags.mjs $(ARGS)

.PHONY: bench-count
bench-count: build ## count the instructions of a receive and a send, for benchstat
	@node bench/count.mjs

# One a line, for programs to be held against the module.
.PHONY: wasm-flags
wasm-flags:
	@printf '%s\n' 'GOEXPERIMENT=$(WASM_GOEXPERIMENT)' $(WASM_FLAGS) '-ldflags=-s -w'

bench/node_modules: bench/package.json bench/package-lock.json
	cd bench && npm ci --no-audit --no-fund --ignore-scripts
	@touch $@
