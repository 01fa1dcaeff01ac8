# `make help` lists what can be made.

SHELL := /bin/bash
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null && $$p -c '$(SUPPORTED)' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
INSTALL := requirements/install.sh $(VENV)
TORCH ?= torch==2.13.0
ARGS ?=

.PHONY: help demo test check format train lock clean
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{split($$2, part, " - "); printf "  make %-7s %s\n", $$1, part[1]; if (part[2]) printf "               %s\n", part[2]}' Makefile

demo: $(VENV)/.runtime ## the sample newswire through the real stack - make demo ARGS="--once --json"
	@exec $(BIN)/bellwether demo $(ARGS)

test: $(VENV)/.dev ## the whole test suite - make test ARGS="tests/unit -q"
	@# Unit tests side by side; what starts servers has the machine to itself.
	@$(if $(filter tests/%,$(ARGS)),$(BIN)/python -m pytest $(ARGS),\
		$(BIN)/python -m pytest tests/unit -n auto --dist loadfile $(ARGS); unit=$$?; \
		[ $$unit -ne 5 ] || unit=0; \
		$(BIN)/python -m pytest --ignore=tests/unit $(ARGS); rest=$$?; [ $$rest -ne 5 ] || rest=0; exit $$((unit | rest)))

check: $(VENV)/.dev ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/.dev ## put the format right, mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

train: $(VENV)/.train ## install the training extra (torch, transformers) as well - make train TORCH=torch==2.13.0

lock: ## resolve requirements/*.lock again
	requirements/lock.sh

clean: ## remove the environment and the caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "error: Python 3.11, 3.12 or 3.13 is needed; none is on the PATH" >&2; \
		echo " mend: install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; exit 2; }
	@$(PYTHON) -c '$(SUPPORTED)' 2>/dev/null || { echo "error: PYTHON=$(PYTHON) is not Python 3.11, 3.12 or 3.13" >&2; \
		echo " mend: name one: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; exit 2; }
	@echo "making $(VENV) with $$($(PYTHON) --version) …" >&2
	@$(PYTHON) -m venv --clear $(VENV) >&2 || { rm -f $@; echo "error: $(PYTHON) cannot make a virtual environment" >&2; \
		echo " mend: on Debian and Ubuntu: apt install python3-venv" >&2; exit 2; }

$(VENV)/.runtime: requirements/runtime.lock pyproject.toml | $(BIN)/python
	@$(INSTALL) "Bellwether (about a minute the first time)" requirements/runtime.lock
	@$(INSTALL) "the command" --no-deps --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.lock
	@$(INSTALL) "the tools for tests and checks" requirements/dev.lock
	@touch $@

# torch first and by name: which build is right depends on the machine.
$(VENV)/.train: $(VENV)/.dev requirements/train.lock
	@$(INSTALL) "torch (it is large)" "$(TORCH)"
	@$(INSTALL) "the training extra" requirements/train.lock
	@touch $@
