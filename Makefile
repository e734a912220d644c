# Targets for people and for CI. Only Go is needed; test installs Debian packages
# for the peers that it talks to.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
LDFLAGS  = -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)

# For each package: longer than the slowest takes on a machine that is at
# something else most of the time.
TEST_TIMEOUT ?= 40m
ARGS ?=

.PHONY: build run test test-specs postgres peers browser screenshots lint format generate vuln bench bench-postgres soak

build:
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/countersign ./cmd/countersign

run: build
	./bin/countersign serve $(ARGS)

# go vet first: what it finds would only confuse the tests. The race detector
# runs without checkptr, which would spend most of its time inside the SQLite
# engine, where Go pointers are not what it knows. The facades' suites, large and
# on two databases, and the browser's run without the detector, which sees the
# facades where whole servers run within a test (internal/server, the carriers
# end to end) and the console in its own tests; make soak runs these suites with
# it. The proofs' nodes are the program as it is released. Of internal/callback the
# tests that the detector dies of (town_test.go) run without it, the rest with it.
UNRACED = ./internal/api/octopush ./internal/api/tyntecv1 ./internal/api/tyntecv4 ./internal/console/browsertest

test: postgres peers browser
	go mod verify
	go vet ./...
	go test -race -gcflags=all=-d=checkptr=0 -timeout $(TEST_TIMEOUT) $$(go list ./... | grep -vE '/(api/(octopush|tyntecv1|tyntecv4)|console/browsertest)$$')
	go test -timeout $(TEST_TIMEOUT) $(UNRACED) ./internal/callback

# Sends the carriers' requests through the specifications that providers publish:
# make test-specs SPECS=DIR, where DIR holds twilio/twilio_api_v2010.json and
# so on. They are other people's work and not in this repository.
test-specs: peers
	@[ -d "$(SPECS)" ] || { echo "usage: make test-specs SPECS=DIR, the directory of published specifications"; exit 2; }
	COUNTERSIGN_SPECS_DIR=$(abspath $(SPECS)) go test -tags specs -count 1 -run 'Specification|Prism' -v ./internal/carrier/...

APT = apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y

# The tests start a PostgreSQL of their own, from the machine's binaries, unless
# they are given a server.
postgres:
	@[ -n "$$COUNTERSIGN_TEST_POSTGRES_URL" ] || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || \
		{ echo "installing PostgreSQL for the tests"; $(APT) postgresql; }

# Message centres of other authors, a dissector and a gateway, that the SMPP and
# Kannel carriers are tested against. npm's is installed by the test itself.
peers:
	@command -v tshark >/dev/null && perl -MNet::SMPP -e 1 2>/dev/null || \
		{ echo "installing tshark and Net::SMPP for the tests"; $(APT) tshark libnet-smpp-perl; }
	@command -v npm >/dev/null || { echo "installing Node.js for the tests"; $(APT) nodejs npm; }
	@command -v bearerbox >/dev/null || [ -x /usr/sbin/bearerbox ] || { echo "installing Kannel for the tests"; $(APT) --no-install-recommends kannel; }

# What the console's tests drive. npm's packages are installed by the tests.
browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
		{ echo "installing Chromium for the tests"; $(APT) --no-install-recommends chromium fonts-dejavu-core; }

# Takes the pictures of docs/images/console anew.
screenshots: peers browser
	UPDATE_SCREENSHOTS=1 go test -count 1 -run 'TestTheConsoleInABrowser/the_pictures_' -v ./internal/console/browsertest

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
	go test -run '^$$' -bench Window50 ./internal/carrier/smpp

# PostgreSQL beside pgbench, with one node and with three. Wants a machine with
# nothing else to do.
bench-postgres: build postgres
	go run ./internal/bench -postgres -binary $(CURDIR)/bin/countersign $(ARGS)

soak: postgres
	go test -tags soak -run Soak -timeout 10h -v ./internal/proof/... $(ARGS)
	go test -race -gcflags=all=-d=checkptr=0 -timeout 1h $(UNRACED)
