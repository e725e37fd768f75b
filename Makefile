# `make help` explains the targets.
PYTHON ?= python3
BIN := .venv/bin
ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
endif
ONLY ?=

.PHONY: help run soak test clients lint types fmt schema bench clean
help: ## what each target does
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

.venv/.installed: pyproject.toml requirements.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

run: .venv/.installed ## install, start PostgreSQL, migrate, load the demo company if it is new, serve
	@$(BIN)/etm-graph serve --demo

test: .venv/.installed ## the whole test suite on a PostgreSQL of its own
	@$(BIN)/python -m pytest --numprocesses 2 --dist worksteal -m "not clients"

clients: .venv/.installed ## clients and checkers from npm against a server: needs node 20, npm and chromium
	@$(BIN)/python -m pytest --numprocesses 2 --dist worksteal -m clients tests/clients

lint: .venv/.installed ## style and import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

types: .venv/.installed ## strict types
	@$(BIN)/mypy

fmt: .venv/.installed ## format
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

schema: .venv/.installed ## write schema.graphql
	@$(BIN)/etm-graph schema > schema.graphql

soak: .venv/.installed ## kill real workers fifty times
	@ETM_SOAK_ROUNDS=13 $(BIN)/python -m pytest -q tests/crash/test_killed_at_random.py

bench: .venv/.installed ## all benchmarks, or one: make bench ONLY=name
	@$(BIN)/python -m benchmarks $(ONLY)

clean: ## remove the demo's data folder
	rm -rf .data
