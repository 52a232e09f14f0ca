# Two commands set everything up: `make demo` and `make test`. Both work again without redoing anything.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev

.PHONY: help demo test check format sample docs clean

help: ## Show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "crosswind needs Python 3.11 or newer; name one with: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

$(STAMP): pyproject.toml | $(BIN)/python
	@echo "installing crosswind into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(DEV_STAMP): pyproject.toml | $(BIN)/python
	@echo "installing crosswind and its test tools into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(STAMP) $@

demo: $(STAMP) ## Set up and watch crosswind find an attack in sample logs
	@$(BIN)/crosswind demo

test: $(DEV_STAMP) ## Set up and run the whole test suite
	@$(BIN)/python -m pytest -n auto

check: $(DEV_STAMP) ## Lint, format check and strict types, then the tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(MAKE) --no-print-directory test

format: $(DEV_STAMP) ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

sample: $(DEV_STAMP) ## Generate sample_logs/ anew
	@$(BIN)/python -m engine.simulate sample_logs

docs: $(DEV_STAMP) ## Generate the reference pages anew
	@$(BIN)/python -m engine.report.reference > docs/schema.md
	@$(BIN)/python -m engine.report.sigma_support > docs/sigma-support.md

clean: ## Remove what was installed and built
	@rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
