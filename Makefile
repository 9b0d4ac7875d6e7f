# Every target that has a ## comment is listed by `make`.
.DEFAULT_GOAL := help
.PHONY: help build test lint

GO ?= go

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

build: ## build bin/handler and bin/goldmint
	CGO_ENABLED=0 $(GO) build -o bin/handler ./handler
	CGO_ENABLED=0 $(GO) build -o bin/goldmint ./cmd/goldmint

test: ## run the tests with the race detector
	$(GO) test -race ./...

lint: ## vet and golangci-lint
	$(GO) vet ./...
	$(GO) tool -modfile=tools.mod golangci-lint run
