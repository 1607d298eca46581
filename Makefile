# `make demo` and `make test` need Python 3.11+ and nothing else: each makes what it lacks in .venv, once.

PYTHON ?= python3
VENV ?= .venv
PORT ?= 8000
PYTEST_ARGS ?= -n auto
BENCH_ARGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
RECORDER := tests/conformance/record

.DEFAULT_GOAL := help
.PHONY: help demo test lint types format lowest bench record clean

help: ## Show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

demo: $(VENV)/.demo ## Serve the FastAPI example on port 8000 (PORT=... for another)
	@echo
	@echo '  FastAPI with an Express router mounted at /api (examples/fastapi/mounted.py)'
	@echo
	@echo '  open   http://127.0.0.1:$(PORT)/docs'
	@echo '  open   http://127.0.0.1:$(PORT)/api/users'
	@echo '  curl   -i http://127.0.0.1:$(PORT)/api/users/1'
	@echo "  curl   -i http://127.0.0.1:$(PORT)/api/users -H 'Content-Type: application/json' -d '{\"name\": \"Grace\"}'"
	@echo '  curl   -i http://127.0.0.1:$(PORT)/api/users/99'
	@echo
	@exec $(BIN)/python -m uvicorn --app-dir examples/fastapi mounted:app --port $(PORT)

# The tests of Redis are skipped where there is none, and what they cover is then not covered: only the gate is left out.
REDIS = $(BIN)/python -m tests.stores.redis_server
COVERAGE = --cov --cov-report=term $(shell $(REDIS) 2>/dev/null || echo --cov-fail-under=0)

test: lint types ## Run every check: ruff, mypy, pyright, and the tests with coverage
	@$(REDIS) || echo 'Its tests are skipped, and coverage is not judged.'
	$(BIN)/python -m pytest $(PYTEST_ARGS) $(COVERAGE)

lint: $(VENV)/.dev ## Run ruff, the linter and the formatter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev ## Run mypy (strict) and pyright
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python

format: $(VENV)/.dev ## Rewrite the code as ruff wants it
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

lowest: $(BIN)/python ## Run the tests with the oldest releases that pyproject.toml admits
	@$(PIP) install --upgrade uv
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(VENV)-lowest
	@$(BIN)/uv pip install --quiet --python $(VENV)-lowest --resolution lowest-direct --editable '.[server]' --group test
	$(VENV)-lowest/bin/python -m pytest $(PYTEST_ARGS)

bench: $(VENV)/.dev ## Print every table of the benchmarks, about 10 minutes (BENCH_ARGS=--help)
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

record: ## Record again what the real Express answers (needs node and npm)
	npm ci --prefix $(RECORDER)
	npm run record --prefix $(RECORDER)

clean: ## Remove the environment and what the tools left behind
	rm -rf $(VENV) $(VENV)-lowest $(RECORDER)/node_modules .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis

# Debian keeps what venv needs in a package of its own; root may install it. An unfinished environment is removed.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo 'asgi-express needs Python 3.11 or newer; name one: make PYTHON=python3.13 ...' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	  [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -qq --yes --no-install-recommends python3-venv; } || { \
	  echo 'Python lacks the venv module; on Debian and Ubuntu: sudo apt-get install python3-venv' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

# A stamp says that what pyproject.toml asks for is installed. pip reads dependency groups since 25.1.
$(VENV)/.demo: pyproject.toml | $(BIN)/python
	@echo 'Installing asgi-express and FastAPI into $(VENV) ...'
	@$(PIP) install --upgrade 'pip>=25.1'
	@$(PIP) install --editable '.[server]' --group examples
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	@echo 'Installing asgi-express and its development tools into $(VENV) ...'
	@$(PIP) install --upgrade 'pip>=25.1'
	@$(PIP) install --editable . --group dev
	@touch $@ $(VENV)/.demo
