# Needs python3 (3.11 or 3.12), make and git; everything else comes from requirements.lock into .venv.
# ARGS reaches the command: make test ARGS="-k edge", make run ARGS=--json, make lock ARGS=--upgrade.

ARGS ?=
# Where your own listener for webhooks is, as router/PARTNERS.md has it.
HOOK_PORT ?= 8099
VENV := .venv
BIN := $(VENV)/bin
LOCKED := $(VENV)/.locked
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := install
.PHONY: help install run demo test fuzz chaos bench lint reconcile clean lock

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED)  ## Install what the lock names, and Kovra itself, into .venv
	@echo "Installed. What next:"
	@$(MAKE) --no-print-directory help

run: $(INSTALLED)  ## Start all cells here, show how to use them, stop with Ctrl-C
	@$(BIN)/kovra run --webhook-port $(HOOK_PORT) $(ARGS)

demo: $(INSTALLED)  ## Pay across the borders once, on fresh data, and prove what happened
	@$(BIN)/kovra demo $(ARGS)

# Two processes: more would fight over what two cores can do; a file's tests share their servers, so they stay together.
test: $(INSTALLED)  ## Run the tests
	@$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

# SEED decides what happens where; without it one is drawn, and printed.
chaos: $(INSTALLED)  ## Break a running stack on purpose while it pays: make chaos SEED=7
	@$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) $(ARGS)

# SEED, as for chaos, of the second fuzzer: that of what is said twice, or in several forms.
fuzz: $(INSTALLED)  ## Let two fuzzers at the API at length; make test does it for seconds
	@$(if $(SEED),SEED=$(SEED)) $(BIN)/python -m pytest tests/fuzzing/long.py $(ARGS)

# ENGINE=postgres or tigerbeetle measures that one alone; FULL=1 also the growth of cost, which takes some minutes more.
# AGAINST=<git ref> measures this tree and that one in turns, as ratios with their spread.
bench: $(INSTALLED)  ## Measure what Kovra takes, and what each payment costs
	@$(BIN)/python -m tests.bench $(if $(ENGINE),--engine $(ENGINE)) $(if $(FULL),--full) $(if $(AGAINST),--against $(AGAINST)) $(ARGS)

lint: $(INSTALLED)  ## Check style, types and the direction of imports
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

reconcile: $(INSTALLED)  ## Check the ledger's invariants over the running cells
	@$(BIN)/kovra reconcile $(ARGS)

clean:  ## Remove the data of this checkout's stack, and caches; .venv stays
	@test ! -x $(BIN)/kovra || $(BIN)/kovra clean
	@rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache

lock:  ## Write requirements.lock anew from pyproject.toml (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv: pip install uv"; exit 1; }
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
		pyproject.toml --extra local --extra dev --output-file requirements.lock $(ARGS)
	@! grep -nE '://|^ *-(-[a-gi-z]|[a-z])' requirements.lock || { echo "the lock names a place to fetch from"; exit 1; }

# The lock is complete but for what pyproject.toml overrides, so pip is to add nothing (--no-deps).
# A venv that was not finished is made anew: pip gives no promise about half of one.
$(LOCKED): requirements.lock
	@python=$$(.ci/find-python) && rm -rf $(VENV) && "$$python" -m venv $(VENV)
	@count=$$(grep -c '^[a-z].*==' requirements.lock); \
	echo "Installing $$count packages into $(VENV), once; this takes some minutes."; \
	{ $(BIN)/python -m pip install --disable-pip-version-check --progress-bar off --no-deps --require-hashes \
		-r requirements.lock || echo KOVRA-PIP-FAILED; } | awk -v count=$$count \
		'/^KOVRA-PIP-FAILED/ { exit 1 } \
		/^ *Downloading/ || /^ *Using cached/ { printf "\r  %d of %d", ++n, count; fflush() } \
		END { print "" }' || { echo "The installation failed; what pip said stands above."; exit 1; }
	@touch $@

$(INSTALLED): $(LOCKED) pyproject.toml
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	@touch $@

DEPTH ?= 1

.PHONY: explore
explore: $(INSTALLED)  ## Search the lives of payments in two simulated cells: DEPTH=n more faults than the tests
	@$(BIN)/python -m tests.model --depth $(DEPTH) $(ARGS)

.PHONY: bench-screening
bench-screening: $(INSTALLED)  ## Measure what screening finds, wrongly too, and takes: PAIRS=cases.csv adds a public set
	@$(BIN)/python -m tests.bench.screening $(if $(PAIRS),--pairs $(PAIRS)) $(ARGS)
