.DEFAULT_GOAL := help
.PHONY: help demo dev test test-browser lint bench build fmt

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LINT := go tool -modfile=tools/go.mod golangci-lint

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## A brief, its content, a launch into a mailbox and an analysis, live in this terminal (ARGS=--once ends afterwards)
	@scripts/install-deps
	@$(MAKE) --no-print-directory build
	@exec bin/fanfare demo $(ARGS)

dev: ## Run everything on a private PostgreSQL and Redis; data is kept between runs
	@scripts/install-deps
	@$(MAKE) --no-print-directory build
	@exec bin/fanfare dev $(ARGS)

test: ## Run all tests, with the race detector, on private servers
	@scripts/install-deps test
	go test -race -timeout 20m $(ARGS) ./...
	for checks in containers workflows; do (cd tools/$$checks && go test -count 1 .) || exit; done

.PHONY: test-peers
test-peers: ## Test against servers that others wrote; needs node, npm, Debian's kannel and kannel-extras, and the network
	go test -tags peers -run '^TestPeer' -count 1 $(ARGS) ./ai ./api ./channel/...

.PHONY: fuzz
fuzz: ## Throw random input at every decoder and the whole API, FUZZTIME=30s each
	@scripts/install-deps test
	@scripts/fuzz $(ARGS)

.PHONY: faults
faults: ## Break everything on purpose for half an hour, and count (ARGS="-run Soak"; docs/reliability.md)
	@scripts/install-deps test
	go test -tags faults -count 1 -parallel 2 -timeout 4h -v -skip '^TestScenariosNotice' $(ARGS) ./e2e

.PHONY: mutants
mutants: ## Take each guard out, one by one for an hour, and see that the scenario of it notices
	@scripts/install-deps test
	go test -tags faults -count 1 -parallel 2 -timeout 4h -v -run '^TestScenariosNotice' $(ARGS) ./e2e

test-browser: ## Follow a job with a real browser's EventSource, and ask from pages of other origins
	@scripts/install-deps browser
	go test -tags browser -run Browser $(ARGS) ./e2e

.PHONY: test-client
test-client: ## Compile the TypeScript client, and run its example against the program
	@scripts/install-deps client
	go test -tags client -run '^TestClient' -count 1 $(ARGS) ./e2e

.PHONY: openapi
openapi: ## Write api/openapi.json and the client's types anew from the code; needs Node.js
	go test ./api -run '^TestOpenAPI' -count 1 -update
	cd clients/typescript && npm ci --no-audit --no-fund && npm run generate
	@$(MAKE) --no-print-directory lint-openapi

.PHONY: connectors
connectors: ## Write docs/connectors.md anew from the code
	go generate ./channel

.PHONY: lint-openapi
lint-openapi: ## Check the OpenAPI document's style; needs Node.js 20.19 or later
	cd tools/openapi && npm ci --no-audit --no-fund && npx redocly lint ../../api/openapi.json

lint: ## Check the style and the import rules
	$(LINT) run

bench: ## Measure jobs, beside bare asynq, and thousands of open streams (ARGS="-only streams")
	@scripts/install-deps
	go run ./bench $(ARGS)

.PHONY: load
load: bin/k6 ## Load a running API as frontends do (ARGS="-e RATE=120"); docs/load.md says what it needs
	bin/k6 run --no-usage-report $(ARGS) load/campaigns.js

bin/k6:
	GOBIN=$(CURDIR)/bin go install go.k6.io/k6@v1.8.1

build: ## Build bin/fanfare
	go build -trimpath -buildvcs=false -ldflags "-X main.version=$(VERSION)" -o bin/ ./cmd/fanfare

fmt: ## Format the code
	$(LINT) fmt
