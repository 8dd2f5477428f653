# make up     run the broker            make test   run the tests          make lint   the linters
# make bench  measure against Kafka     make fuzz   fuzz for a while       make shape  how the tree looks
# make soak   run for half an hour
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
SECONDS ?= 60
export PIP_DISABLE_PIP_VERSION_CHECK := 1

RUST_SOURCES := $(shell find crates -name '*.rs' -o -name Cargo.toml 2>/dev/null) Cargo.toml Cargo.lock

.PHONY: help up test test-rust test-python lint format bench fuzz soak shape lock codegen reference tools clean

help:
	@sed -n '1,3p' Makefile | cut -c3-

up: $(BIN)/.native
	@exec $(BIN)/barnabas up $(ARGS)

# ---- set-up: each step leaves a stamp and runs again only when what it read has changed

tools:
	@command -v $(PYTHON) >/dev/null || { echo "barnabas needs Python 3.11 or later: install it, or name it with PYTHON=/path/to/python3." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "barnabas needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) -V 2>&1): install a later one, or name it with PYTHON=/path/to/python3." >&2; exit 1; }
	@command -v cargo >/dev/null || { echo "barnabas needs a Rust toolchain (1.85 or later): install rustup, then run 'rustup default stable'." >&2; exit 1; }
	@command -v cc >/dev/null || command -v gcc >/dev/null || command -v clang >/dev/null || { echo "barnabas needs a C compiler: install gcc or clang (Debian: apt-get install build-essential; macOS: xcode-select --install)." >&2; exit 1; }

$(BIN)/.runtime: requirements.txt | tools
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing: install it (Debian: apt-get install python3-venv)." >&2; exit 1; }
	@echo "installing what barnabas needs into $(VENV)"
	@$(BIN)/pip install --quiet -r requirements.txt
	@touch $@

$(BIN)/.native: $(RUST_SOURCES) pyproject.toml $(BIN)/.runtime
	@echo "building the native part (a few minutes the first time)"
	@VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop --release --quiet
	@touch $@

$(BIN)/.dev: requirements-dev.txt $(BIN)/.runtime
	@echo "installing what the tests need into $(VENV)"
	@$(BIN)/pip install --quiet -r requirements-dev.txt
	@touch $@

# ---- tests

test: test-rust test-python

# Property tests draw the same cases in each run; SEED=random, or a number for Rust's, draws others.
SEED ?= 1
export SEED
test-rust: | tools
	$(if $(filter random,$(SEED)),,PROPTEST_RNG_SEED=$(SEED)) cargo test --workspace --release --quiet

test-python: $(BIN)/.native $(BIN)/.dev
	$(BIN)/pytest $(ARGS)

lint: $(BIN)/.native $(BIN)/.dev
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --release --quiet -- -D warnings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m codegen --check
	$(BIN)/python tools/shape.py --check >/dev/null

format: $(BIN)/.dev
	cargo fmt --all
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

# ---- the rest

shape:
	@$(PYTHON) tools/shape.py

bench: $(BIN)/.native $(BIN)/.dev
	$(BIN)/python -m bench $(ARGS)

# A node under mixed load; what it loses or what grows is told at the end.
MINUTES ?= 30
soak: $(BIN)/.native $(BIN)/.dev
	$(BIN)/python -m tests.soak --minutes $(MINUTES) $(ARGS)

# Each target for SECONDS; what is found is in fuzz/artifacts. Stable Rust, with the sanitizer's flags allowed.
FUZZ_TARGETS ?= request message record_batches produce gzip snappy lz4 zstd log_files
fuzz: | tools
	@command -v cargo-fuzz >/dev/null || { echo "installing cargo-fuzz"; cargo install --quiet --locked cargo-fuzz; }
	@for target in $(FUZZ_TARGETS); do \
	    mkdir -p fuzz/target/corpus/$$target; \
	    RUSTC_BOOTSTRAP=1 cargo fuzz run $$target fuzz/target/corpus/$$target fuzz/corpus/$$target -- \
	        -max_total_time=$(SECONDS) -timeout=5 -rss_limit_mb=2048 -print_final_stats=1; \
	done

codegen: $(BIN)/.dev
	$(BIN)/python -m codegen

reference: $(BIN)/.native
	$(BIN)/python -m barnabas.config.reference
	$(BIN)/python -m barnabas.server.compatibility

lock: $(BIN)/.dev
	$(BIN)/pip install --quiet uv
	for file in requirements requirements-dev; do \
	    $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-header --no-annotate $$file.in -o $$file.txt; \
	done

clean:
	rm -rf $(VENV) target
