# Targets for people and for CI. Only Go is needed.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
LDFLAGS  = -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)

# Longer than the tests take on two cores, shorter than anyone waits.
TEST_TIMEOUT ?= 14m
ARGS ?=

.PHONY: build run test lint format generate vuln bench soak

build:
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/countersign ./cmd/countersign

run: build
	./bin/countersign serve $(ARGS)

# go vet first: what it finds would only confuse the tests.
test:
	go mod verify
	go vet ./...
	go test -race -timeout $(TEST_TIMEOUT) ./...

# The linter is built once from tools/ and then cached by Go.
lint:
	cd tools && go build -o ../bin/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	./bin/golangci-lint config verify
	./bin/golangci-lint run ./...

format:
	cd tools && go build -o ../bin/gofumpt mvdan.cc/gofumpt
	./bin/gofumpt -w .

generate:
	go generate ./...

# Needs the vulnerability database on the network.
vuln:
	cd tools && go build -o ../bin/govulncheck golang.org/x/vuln/cmd/govulncheck
	./bin/govulncheck ./...

bench: build
	go run ./internal/bench -binary $(CURDIR)/bin/countersign $(ARGS)

soak:
	go test -tags soak -run Soak -timeout 10h -v ./internal/proof/... $(ARGS)
