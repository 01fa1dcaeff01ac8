# make demo   the sample newswire through the real stack (ARGS="--once --json" without a terminal)
# make test   the default test suite
# make check  format, lint, types
# make train  the training extra (torch, transformers) into the same environment
# make clean  remove the environment and caches

SHELL := /bin/bash
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
TORCH ?= torch==2.13.0
ARGS ?=

.PHONY: demo test check format train lock clean
.DELETE_ON_ERROR:

demo: $(VENV)/.runtime
	@exec $(BIN)/bellwether demo $(ARGS)

test: $(VENV)/.dev
	$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

train: $(VENV)/.train

lock:
	requirements/lock.sh

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "error: Python 3.11, 3.12 or 3.13 is needed; none is on the PATH" >&2; \
		echo " mend: install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; exit 2; }
	@echo "making $(VENV) with $(PYTHON) …" >&2
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: $(BIN)/python requirements/runtime.lock pyproject.toml
	@echo "installing Bellwether (about a minute the first time) …" >&2
	@$(PIP) install --quiet --requirement requirements/runtime.lock >&2
	@$(PIP) install --quiet --no-deps --editable . >&2
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.lock
	@echo "installing the tools for tests and checks …" >&2
	@$(PIP) install --quiet --requirement requirements/dev.lock >&2
	@touch $@

# torch first and by name: which build is right depends on the machine.
$(VENV)/.train: $(VENV)/.dev requirements/train.lock
	@echo "installing the training extra (torch is large) …" >&2
	@$(PIP) install --quiet "$(TORCH)" >&2
	@$(PIP) install --quiet --requirement requirements/train.lock >&2
	@touch $@
