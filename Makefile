# Every target works as the first command on a machine that has a Swift toolchain and nothing else of ours:
# `deps` installs what is missing. Debug, release and the outside packages build in folders of their own, so that
# none of them undoes the other's work.

SWIFT ?= swift
DEBUG := .build
RELEASE := .build-release
# Tests run optimised, with assertions: they compute much. `swift test --filter …` is the quicker way to try one test
# while its code changes.
TEST_FLAGS := --traits Tracing -c release --scratch-path .build-test -Xswiftc -enable-testing -Xswiftc -assert-config -Xswiftc Debug
BIN := $(RELEASE)/release
SOURCES := Package.swift Sources Tests Benchmarks
DOCUMENTED := TraceEngine TraceRecorder TraceAnalysis TraceFilter TraceModel TracestoreV1 TracestoreV2 TraceOTLP TracestoreTesting

.PHONY: all deps build build-tests release demo test bench bench-peers bench-scale guard oracle fuzz embedding format lint docs clean

all: build

deps:
	@.ci/deps

build: deps
	$(SWIFT) build --scratch-path $(DEBUG)

release: deps
	$(SWIFT) build -c release --scratch-path $(RELEASE)

# The main job on real input, in a temporary folder that is removed in the end.
demo: deps
	@$(SWIFT) build -c release --scratch-path $(RELEASE) --product tracestore
	@BIN=$(BIN) .ci/demo

build-tests: deps
	$(SWIFT) build --build-tests $(TEST_FLAGS)

# `swift test` would build with flags of its own, which is everything once more.
test: build-tests
	$(SWIFT) test --skip-build --parallel $(TEST_FLAGS)

# The public interface under load, then the inner loops, which an outside package cannot see.
bench: deps
	@SWIFT=$(SWIFT) RELEASE=$(RELEASE) Benchmarks/run

# The same spans and questions to tracestore, ClickHouse, DuckDB and Parquet; SPANS=10000000 for more.
bench-peers: deps
	@NEED_VENV=1 .ci/deps
	@SWIFT=$(SWIFT) RELEASE=$(RELEASE) Benchmarks/Peers/run

# The same questions to stores of 1, 3 and 10 million spans: what they cost, and what they read.
bench-scale: deps
	@SWIFT=$(SWIFT) RELEASE=$(RELEASE) Benchmarks/Peers/run-scale

# Instructions of the inner loops and bytes a span, against limits. Linux only: it needs valgrind.
guard: release
	@NEED_VALGRIND=1 .ci/deps
	@RELEASE=$(RELEASE) Benchmarks/guard $(GUARD_FLAGS)

# Every fixture through the store and back, compared by OpenTelemetry's own Python classes; and segments, the golden
# ones too, read by a program that knows nothing but FORMAT.md.
oracle: deps
	@NEED_VENV=1 .ci/deps
	@$(SWIFT) build -c release --scratch-path $(RELEASE) --product tracestore
	@test -x .build-oracle/bin/python || python3 -m venv .build-oracle
	@.build-oracle/bin/python -m pip install --quiet --disable-pip-version-check \
	  -r Fixtures/tools/requirements.txt
	@.build-oracle/bin/python Fixtures/tools/read_segment.py --check Fixtures/format/v*/*.seg
	@.build-oracle/bin/python Fixtures/tools/oracle_roundtrip.py --tracestore $(BIN)/tracestore \
	  --read-segments Fixtures/otlp
	@for folder in $(wildcard ../shared/data); do \
	  .build-oracle/bin/python Fixtures/tools/oracle_roundtrip.py --tracestore $(BIN)/tracestore $$folder || exit 1; \
	done

# Every decoder of foreign bytes under libFuzzer, SECONDS_EACH seconds each (60).
fuzz: deps
	@SWIFT=$(SWIFT) Tests/Fuzz/fuzz $(TARGETS)

# A package outside this one, which embeds the engine: it runs, and it carries no server code.
embedding: deps
	@SWIFT=$(SWIFT) Tests/Embedding/check

format:
	$(SWIFT) format -i -r $(SOURCES)

lint:
	$(SWIFT) format lint --strict -r $(SOURCES)

docs: deps
	TRACESTORE_DOCS=1 $(SWIFT) package --scratch-path .build-docs --allow-writing-to-directory .build-docs \
	  generate-documentation --enable-experimental-combined-documentation \
	  $(DOCUMENTED:%=--target %) --output-path .build-docs/site
	@echo "open with: docc preview, or serve .build-docs/site"

clean:
	rm -rf $(DEBUG) $(RELEASE) .build-test .build-bench .build-peers .build-docs .build-embedding .build-oracle .build-fuzz
