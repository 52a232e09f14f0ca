# Two commands set everything up: `make demo` and `make test`. Both work again without redoing anything.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
SIGMA_VENV := .venv-sigma
SIGMA_STAMP := $(SIGMA_VENV)/.installed

.PHONY: help demo test check format sample docs clean

help: ## Show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

$(BIN)/python $(SIGMA_VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "crosswind needs Python 3.11 or newer; name one with: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -m venv $(@D:/bin=) || { echo "Python's venv module is missing; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

$(STAMP): pyproject.toml | $(BIN)/python
	@echo "installing crosswind into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(DEV_STAMP): pyproject.toml | $(BIN)/python
	@echo "installing crosswind and its test tools into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(STAMP) $@

# The sigma command wants an older pySigma than .venv has, so that one is tested here as well: tests/contract/test_sigma_command.py.
$(SIGMA_STAMP): pyproject.toml | $(SIGMA_VENV)/bin/python
	@echo "installing crosswind, the sigma command and pySigma 1.5 into $(SIGMA_VENV) …"
	@$(SIGMA_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[sigma,test]' 'pysigma==1.5.*'
	@touch $@

demo: $(STAMP) ## Set up and watch crosswind find an attack in sample logs
	@$(BIN)/crosswind demo

test: $(DEV_STAMP) $(SIGMA_STAMP) ## Set up and run the whole test suite
	@$(BIN)/python -m pytest -n auto --dist loadgroup

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
	@rm -rf $(VENV) $(SIGMA_VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
