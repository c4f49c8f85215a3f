# make help lists what there is.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

VERSION := $(shell sed -n 's/^  "version": "\(.*\)",/\1/p' web/package.json)

# The flags of the module: no symbol table, no paths, no inlining. What each
# is worth is in the README.
WASM_GCFLAGS := all=-l

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

.PHONY: run
run: build ## build, and serve the playground on http://127.0.0.1:8080
	go run ./cmd/serve $(ARGS)

.PHONY: build
build: node_modules ## write web/dist: scripts, types, module, playground
	mkdir -p bin
	source=$$(npx --no-install esbuild internal/jsbridge/bridge.js --bundle --minify --target=es2022 \
	  --format=iife --global-name=bridge | sed 's/^var bridge=//; s/;$$/.createBridge()/' | tr -d '\n'); \
	GOOS=js GOARCH=wasm go build -trimpath -gcflags=$(WASM_GCFLAGS) -o bin/connectsocket.wasm \
	  -ldflags="-s -w -X=connectsocket/internal/jsbridge.version=$(VERSION) '-X=connectsocket/internal/jsbridge.source=$$source'" \
	  ./cmd/wasm
	node web/build.mjs bin/connectsocket.wasm

node_modules: package-lock.json
	npm ci --no-audit --no-fund --ignore-scripts
	touch node_modules
