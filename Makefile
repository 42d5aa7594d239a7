# Two commands matter: `make conformance` and `make test`. Both set up .venv from requirements.lock when it is missing or old.
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
COUNT ?= 5
ARGS ?=
NODE_PROXY := conformance/tests/node_proxy
WHOLE_LIBRARY := conformance/real/tests/test_whole_library.py
PYTHON ?= $(firstword $(foreach name,python3 python3.14 python3.13 python3.12 python3.11,$(shell \
	command -v $(name) >/dev/null && $(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(name))))

.PHONY: help setup conformance test external lint bench report lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## Make .venv from the lock file (uv when present, else venv and pip)

$(VENV)/.ready: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "make: Python 3.11 or newer is needed; install one or name it with PYTHON=…" >&2; exit 1; }
	@if command -v uv >/dev/null; then \
		uv venv --quiet --allow-existing --python $(PYTHON) $(VENV) && \
		uv pip sync --quiet --python $(BIN)/python requirements.lock && \
		uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .; \
	else \
		$(PYTHON) -m venv $(VENV) && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .; \
	fi
	@touch $@

conformance: setup ## Run every scenario on the mock through the reference proxy, COUNT=5 times each, and write the report
	$(BIN)/pytest scenarios --count $(COUNT) --quiet --numprocesses auto --maxprocesses 4 $(ARGS)

test: setup ## Run our own tests
	$(BIN)/pytest conformance mock_upstream reports --quiet -n 2 --hypothesis-profile ci --ignore $(WHOLE_LIBRARY) $(ARGS)

external: setup $(NODE_PROXY)/node_modules ## Run the library in real time, minutes: on a proxy in Node, and over --real on stand-ins
	$(BIN)/pytest $(WHOLE_LIBRARY) --quiet
	$(BIN)/pytest scenarios --target node --concurrency 32 --reruns 2 --quiet $(ARGS)

$(NODE_PROXY)/node_modules: $(NODE_PROXY)/package-lock.json
	cd $(NODE_PROXY) && npm ci --silent --no-audit --no-fund --ignore-scripts
	@touch $@

lint: setup ## Check style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: setup ## Measure what has a number in the design, as ratios and CPU time
	$(BIN)/python -m bench $(ARGS)

report: setup ## Write the report of the latest run again
	$(BIN)/conformance report runs/latest

lock: ## Resolve the dependencies anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --extra dev --generate-hashes \
		--custom-compile-command "make lock" --output-file requirements.lock pyproject.toml

clean: ## Remove what was made
	rm -rf $(VENV) runs build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
