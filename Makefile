# Targets for people and for CI. Only Go is needed; test installs Debian packages
# for the peers that it talks to.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
LDFLAGS  = -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)

# Longer than the tests take on two cores, shorter than anyone waits.
TEST_TIMEOUT ?= 14m
ARGS ?=

.PHONY: build run test postgres peers lint format generate vuln bench soak

build:
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/countersign ./cmd/countersign

run: build
	./bin/countersign serve $(ARGS)

# go vet first: what it finds would only confuse the tests. The race detector
# runs without checkptr, which would spend most of its time inside the SQLite
# engine, where Go pointers are not what it knows.
test: postgres peers
	go mod verify
	go vet ./...
	go test -race -gcflags=all=-d=checkptr=0 -timeout $(TEST_TIMEOUT) ./...

APT = apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y

# The tests start a PostgreSQL of their own, from the machine's binaries, unless
# they are given a server.
postgres:
	@[ -n "$$COUNTERSIGN_TEST_POSTGRES_URL" ] || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || \
		{ echo "installing PostgreSQL for the tests"; $(APT) postgresql; }

# Message centres of other authors, and a dissector, that the SMPP carrier is
# tested against. npm's is installed by the test itself.
peers:
	@command -v tshark >/dev/null && perl -MNet::SMPP -e 1 2>/dev/null || \
		{ echo "installing tshark and Net::SMPP for the tests"; $(APT) tshark libnet-smpp-perl; }
	@command -v npm >/dev/null || { echo "installing Node.js for the tests"; $(APT) nodejs npm; }

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
