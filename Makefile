# Every target with a ## comment is listed by `make`. CI calls nothing but targets.
.DEFAULT_GOAL := help
.PHONY: help build run demo-vm test lint fuzz package infra-test deploy destroy bench-burst bench-memory interop vulncheck release clean

GO       ?= go
FUZZTIME ?= 30s
TEST     ?= ./...
MESSAGES ?= 10000
SEEDS    ?= 2
export CGO_ENABLED := 0
GOFLAGS  := $(shell $(GO) env GOFLAGS)

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

# Says now and then how many packages are compiled: a minute of silence looks like a hang.
compile = { $(GO) build -v -trimpath -o $(1) $(2) 2>&1; echo "exit $$?"; } | awk '/^exit [0-9]+$$/ { exit $$2 } \
  /^[a-z0-9._~\/-]+$$/ { if (++n % 50 == 0) print "  " n " packages"; fflush(); next } { print }'

build: ## build bin/handler and bin/goldmint
	@[ -x bin/handler ] || echo "Compiling bin/handler and bin/goldmint: a minute or two the first time."
	@$(call compile,bin/handler,./handler)
	@$(call compile,bin/goldmint,./cmd/goldmint)

run: build ## ten requests, ten images, on an Azure of its own
	bin/goldmint local --submit examples/requests --until-done

demo-vm: build ## generalize a VM, get an image (GALLERY=corp/web: a version)
	@GALLERY='$(GALLERY)' SPEED='$(SPEED)' examples/demo-vm.sh

# In these one goroutine runs at a time: the race detector can find nothing, and takes ten times the time and 8 GB.
ALONE = goldmint/internal/deploy/package goldmint/internal/worker/workertest
TESTS = $(or $(shell $(GO) list $(TEST)),$(error no package is $(TEST)))

# Lint has vetted them. Many wait for servers and processes, hence more at once than there are processors. Several build the
# handler: once it is built, they find it in Go's cache instead of compiling it all at once.
test: build ## run the tests with the race detector
	@status=0; \
	$(if $(filter-out $(ALONE),$(TESTS)),CGO_ENABLED=1 $(GO) test -race -vet=off -p 4 -parallel 4 $(filter-out $(ALONE),$(TESTS)) || status=1;) \
	$(if $(filter $(ALONE),$(TESTS)),$(GO) test -trimpath -vet=off $(filter $(ALONE),$(TESTS)) || status=1;) \
	exit $$status

# The linter is compiled as the handler is, and reads what the tests are compiled from: either finds the other's work in
# Go's build cache. Its govet holds all of go vet's analyzers.
lint: ## golangci-lint for Go, actionlint for workflows
	@linter=$$(GOFLAGS="$(GOFLAGS) -trimpath" $(GO) -C tools tool -n golangci-lint) && set -x && \
	CGO_ENABLED=1 GOFLAGS="$(GOFLAGS) -race" $$linter run
	@linter=$$($(GO) -C tools/actionlint tool -n actionlint) && set -x && $$linter

fuzz: ## run every fuzz target for FUZZTIME (30s)
	@grep -rlE '^func Fuzz' --include='*_test.go' . | xargs -n1 dirname | sort -u | while read -r p; do \
	  for f in $$(grep -hoE '^func Fuzz[A-Za-z0-9]+' $$p/*_test.go | awk '{print $$2}'); do \
	    echo "== $$p $$f"; CGO_ENABLED=1 $(GO) test $$p -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) || exit 1; \
	  done; done

package: ## write dist/ and dist.zip as the Functions host wants them
	$(GO) run ./internal/deploy/package -out dist

# Go stamps the tag, the commit and its date into each.
release: package ## write release/: goldmint for every system, dist.zip, sums
	@rm -rf release && mkdir release
	@set -e; for system in linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64; do \
	  file=release/goldmint-$${system%/*}-$${system#*/}; case $$system in windows/*) file=$$file.exe;; esac; echo $$file; \
	  GOOS=$${system%/*} GOARCH=$${system#*/} $(GO) build -trimpath -o $$file ./cmd/goldmint; \
	done
	@cp dist.zip release/ && cd release && sha256sum * >SHA256SUMS

infra-test: ## format, validate and test the Terraform in infra/
	infra/test.sh

deploy: package ## create or update ENV in Azure and deploy dist.zip
	infra/deploy.sh apply $(ENV)

destroy: ## remove ENV from Azure
	infra/deploy.sh destroy $(ENV)

bench-burst: ## measure bursts against Azure's limits, write docs/burst.svg
	@cd internal/ratelimit && $(GO) test -run '^(TestBurstTable|TestOrder|TestPlot)$$' -count 1 -timeout 20m -args -burst.table -burst.seeds $(SEEDS) -burst.svg $(CURDIR)/docs/burst.svg
	@$(GO) test ./internal/worker/workertest -run '^TestBurst$$' -bench '^BenchmarkTenThousand$$' -benchtime 1x -count 1 -v -timeout 20m -args -full
	@cd internal/ratelimit && $(GO) test -run '^$$' -bench '^BenchmarkAsk$$' -count 1

interop: ## tests with other people's clients, which it installs
	@for script in interop/*.sh; do echo "== $$script"; $$script || exit 1; done

bench-memory: ## measure the handler's memory over MESSAGES (10000)
	$(GO) test ./internal/localazure -run '^TestMemory$$' -messages $(MESSAGES) -v -timeout 30m

vulncheck: ## look for known vulnerabilities in what is used
	$(GO) tool -modfile=tools/go.mod govulncheck ./...

clean: ## remove what was built
	rm -rf bin dist dist.zip release
