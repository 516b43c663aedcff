SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS   += --no-print-directory

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  ?= $(shell git rev-parse --verify --quiet HEAD 2>/dev/null)
# Of the commit and not of the build, so that the same source gives the same binary.
DATE    ?= $(shell git log -1 --format=%cI 2>/dev/null)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT) -X main.date=$(DATE)

# The race detector is C: without a compiler the tests run without it.
RACE := $(if $(shell command -v $$(go env CC) 2>/dev/null),-race)

FUZZTIME ?= 15s

# Terraform fails on a configuration file that is named and not there.
ifneq ($(TF_CLI_CONFIG_FILE),)
ifeq ($(wildcard $(TF_CLI_CONFIG_FILE)),)
unexport TF_CLI_CONFIG_FILE
endif
endif
export CHECKPOINT_DISABLE := 1

.PHONY: help build demo test attack lint platforms faults soak fuzz fuzz-borders bench coverage golden structure workflows pin tools api-description clean

help: ## show this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | column -t -s '|' 2>/dev/null \
		|| sed -nE 's/^([a-z-]+):.*## (.*)/  make \1: \2/p' $(firstword $(MAKEFILE_LIST))

build: ## build bin/metapipe
	@CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/metapipe ./cmd/metapipe

demo: build ## play the whole flow of examples/ on this machine, with real Terraform
	@PATH=$$(.ci/tools/ensure terraform) bin/metapipe rehearse \
		--manager-dir examples/manager --customer-dir examples/customer \
		--proposal examples/customer/.rehearsal/variables.yml --approve yes
	@! command -v ansible-playbook >/dev/null || { dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && TMPDIR=$$dir PATH=$$(.ci/tools/ensure terraform) bin/metapipe rehearse \
		--manager-dir examples/manager-hosts --customer-dir examples/customer \
		--proposal examples/customer/.rehearsal/variables.yml --approve yes; }

test: api-description lint platforms bin/testreport ## run every check and test there is
	@$(if $(RACE),,echo "there is no C compiler: the tests run without the race detector")
	@go test -C .ci/tools/testreport -count=1 .
	@PATH=$$(.ci/tools/ensure terraform tofu minio act etcd kube-apiserver kubectl terraform-provider-local terraform-provider-random terraform-provider-null pulumi pulumi-language-yaml pulumi-resource-metapipetest crossplane crossplane-function-metapipetest) bin/testreport -expected .ci/expected-skips -- \
		go test -json $(RACE) -shuffle=on -count=1 -timeout 50m ./...
	@$(MAKE) fuzz-borders

attack: ## play every attempt of testdata/attack against the binary and its GitHub
	@mkdir -p bin
	@ended=0; PATH=$$(.ci/tools/ensure terraform) METAPIPE_ATTACKS=$(CURDIR)/bin/attacks.txt go test -count=1 -timeout 20m ./pkg/acceptance/attack || ended=$$?; \
		cat bin/attacks.txt; exit $$ended

lint: ## check format, modules and code
	@files=$$(gofmt -l cmd pkg .ci); [ -z "$$files" ] || { echo "run gofmt -w on:" $$files; exit 1; }
	@go mod tidy -diff || { echo "run: go mod tidy"; exit 1; }
	@go vet ./...
	@PATH=$$(.ci/tools/ensure golangci-lint) golangci-lint run ./...
	@if command -v shellcheck >/dev/null; then shellcheck .ci/run .ci/release-notes .ci/tools/ensure .ci/tools/fuzz .ci/tools/api-description .ci/action/install; \
		else echo "shellcheck is not installed: the scripts in .ci are not checked"; fi

# Their tests cannot run here: that they compile shows a name that only one system has.
platforms: ## compile the binary, and vet code and tests, for Windows and macOS
	@for platform in windows/amd64 darwin/arm64; do \
		CGO_ENABLED=0 GOOS=$${platform%/*} GOARCH=$${platform#*/} go build -o /dev/null ./cmd/metapipe && \
		CGO_ENABLED=0 GOOS=$${platform%/*} GOARCH=$${platform#*/} go vet ./... || { echo "this does not compile for $$platform"; exit 1; }; \
	done

# Most of the time goes into waiting for repeated requests, so more run than there are cores.
faults: ## let every read and write of a request fail, and every step die, in every way
	@set -o pipefail; PATH=$$(.ci/tools/ensure terraform minio) go test ./pkg/acceptance/fault -parallel 6 -count=1 -timeout 25m -v \
		| grep -vE '^(=== |PASS|ok )|--- PASS' | awk '/^TestFault.*cases, .* ok$$/ { cases += $$2; good += $$4 } { print } END { printf "%d cases, %d ok\n", cases, good }'

SOAK ?= 2m
soak: ## carry requests through random faults for SOAK (2m); SEED=n plays one round again
	@PATH=$$(.ci/tools/ensure terraform minio) METAPIPE_SOAK=$(SOAK) METAPIPE_SOAK_SEED=$(SEED) go test ./pkg/acceptance/soak -count=1 -timeout 60m -v \
		| grep -E '^soak: |^TestSoak: |--- FAIL|_test.go|^FAIL|^ok'

fuzz: ## run every fuzz target for FUZZTIME (15s)
	@FUZZTIME=$(FUZZTIME) .ci/tools/fuzz

# Tokens, payloads, receipts and the two kinds of YAML: what strangers write.
fuzz-borders: ## run the fuzz targets of what crosses a trust border
	@FUZZTIME=$(FUZZTIME) .ci/tools/fuzz ./pkg/actions:FuzzVerify ./pkg/github:FuzzAnswers ./pkg/github:FuzzQueryAnswers ./pkg/github:FuzzOrganizationAnswers ./pkg/spacelift:FuzzAnswer ./pkg/pipeline:FuzzParsePayload ./pkg/pipeline:FuzzProperties ./pkg/pipeline:FuzzParseReceipt ./pkg/pipeline:FuzzOutputs ./pkg/engine/terraform/statefile:FuzzOutputs ./pkg/engine/ansible:FuzzUnsafeYAML ./pkg/engine/cloudformation:FuzzTemplate ./pkg/engine/cloudformation:FuzzReferences ./pkg/engine/cloudformation:FuzzChanges ./pkg/engine/kubernetes:FuzzAnswer ./pkg/engine/kubernetes:FuzzFill ./pkg/engine/kubernetes:FuzzRendered ./pkg/engine/pulumi:FuzzSettings ./pkg/engine/pulumi:FuzzEvents ./pkg/pipeline/record:FuzzRecord ./pkg/pipeline:FuzzDecodeExact \
		./pkg/variables:FuzzParse ./pkg/strictyaml:FuzzLexer ./pkg/strictyaml:FuzzValidatorsAgree ./pkg/config:FuzzDecode ./pkg/config:FuzzParseCompliance ./pkg/config:FuzzImportCompliance ./pkg/config:FuzzParseSync ./pkg/sources:FuzzRows ./pkg/pipeline/sourcesync:FuzzParseHint ./pkg/content:FuzzMatch ./pkg/engine/jsonvalue:FuzzJSONText ./pkg/pipeline/change:FuzzParseFile ./pkg/pipeline/properties:FuzzParseAssignment

bench: ## measure metapipe against bare terraform, as ratios
	@PATH=$$(.ci/tools/ensure terraform minio etcd kube-apiserver kubectl pulumi pulumi-language-yaml pulumi-resource-metapipetest terraform-provider-local) METAPIPE_BENCH=1 go test ./pkg/acceptance/bench -v -count=1 -timeout 30m

# Processes of the tests write their part into GOCOVERDIR; both parts are merged.
coverage: ## print which part of each package the tests reach, processes included
	@rm -rf bin/coverage && mkdir -p bin/coverage/processes bin/coverage/tests
	@PATH=$$(.ci/tools/ensure terraform tofu minio act etcd kube-apiserver kubectl terraform-provider-local terraform-provider-random terraform-provider-null pulumi pulumi-language-yaml pulumi-resource-metapipetest crossplane crossplane-function-metapipetest) METAPIPE_COVERAGE=$(CURDIR)/bin/coverage/processes \
		go test -count=1 -timeout 40m -cover -coverpkg=./pkg/... ./... -args -test.gocoverdir=$(CURDIR)/bin/coverage/tests >bin/coverage/log.txt || { cat bin/coverage/log.txt; exit 1; }
	@go tool covdata percent -i=bin/coverage/processes,bin/coverage/tests -pkg=$$(go list ./pkg/... | grep -v /pkg/acceptance/ | paste -sd,)

structure: ## print how the files of each package hang together
	@go build -C .ci/tools/structure -o $(CURDIR)/bin/structure . && bin/structure

golden: ## write the golden files of the tests anew; read the diff before you commit it
	@PATH=$$(.ci/tools/ensure terraform tofu) go test -count=1 $$(git grep -l 'flag.Bool("update"' -- '*_test.go' | xargs -n 1 dirname | sort -u | sed 's|^|./|') -update

workflows: ## copy workflows/ into the examples
	@for example in manager manager-aws customer inbox; do \
		mkdir -p examples/$$example/.github/workflows; \
		cp workflows/$${example%-aws}/*.yml examples/$$example/.github/workflows/; \
	done
	@cp workflows/customer/PULL_REQUEST_TEMPLATE.md examples/customer/.github/

# A commit that changes the action cannot name itself: run this in the next one.
pin: ## let the workflows use the action as it was last committed
	@commit=$$(git log -1 --format=%H -- action.yml .ci/action); \
		sed -E -i.old "s|(uses: metapipe/metapipe@)[0-9a-f]{40}|\1$$commit|" workflows/*/*.yml && rm -f workflows/*/*.yml.old
	@$(MAKE) workflows

tools: ## build from source what is not in PATH: terraform, tofu, minio, act, golangci-lint, and providers for tests
	@path=$$(.ci/tools/ensure terraform tofu minio act golangci-lint etcd kube-apiserver kubectl terraform-provider-local terraform-provider-random terraform-provider-null pulumi pulumi-language-yaml pulumi-resource-metapipetest crossplane crossplane-function-metapipetest); \
		if [ "$$path" = "$$PATH" ]; then echo "all tools are in PATH"; else echo "metapipe finds them by itself; for your shell: export PATH=$$path"; fi

api-description: ## fetch GitHub's API description for the tests (needs npm)
	@.ci/tools/api-description

clean: ## remove what was built here; the tools stay in the cache
	@rm -rf bin dist

bin/testreport: $(wildcard .ci/tools/testreport/*.go)
	@go build -C .ci/tools/testreport -o $(CURDIR)/$@ .
