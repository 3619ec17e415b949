# `make` shows what can be made. Everything needs only Python >= 3.11, make and git.

PYTHON  ?= python3
WORKERS ?= 2
VENV    := .venv
BIN     := $(VENV)/bin
STAMP   := $(VENV)/.installed
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo test check bench docs clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(STAMP)  ## run the main job on an embedded SQLite file
	@$(BIN)/crmcore demo

test: $(STAMP)  ## run all tests on all stores; the servers are started for you
	@$(BIN)/python -m pytest -n $(WORKERS) $(TESTS)

check: $(STAMP)  ## ruff, mypy --strict, import-linter
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(STAMP)  ## run the benchmarks and write benchmarks/RESULTS.md
	@$(BIN)/python -m benchmarks all

docs: $(STAMP)  ## build the documentation in docs/_build/html
	@$(BIN)/python -m tools.capabilities
	@$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

clean:  ## remove everything that was made, the environment too
	@rm -rf $(VENV) build dist docs/_build .mypy_cache .pytest_cache .ruff_cache .hypothesis

# The environment is made once, and again when its description changes.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "crmcore needs Python 3.11 or later: make PYTHON=python3.11 ...")'
	@echo "Installing into $(VENV) (once; a few minutes) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[all,dev]'
	@touch $@
