VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
NAME ?= afriqa-sw

.PHONY: demo test check lint format types layers reproduce benchmark clean

demo: $(VENV)/.installed  ## Carry all-MiniLM-L6-v2 across to Swahili on the embedded collection
	$(BIN)/kivuko demo

test: $(VENV)/.installed  ## Run the tests, doctests included
	$(BIN)/python -m pytest -n 2

check: lint types layers test  ## What every commit has to pass

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed
	$(BIN)/mypy

layers: $(VENV)/.installed
	$(BIN)/lint-imports

format: $(VENV)/.installed  ## Sort imports, mend what can be mended, format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

reproduce: $(VENV)/.installed  ## Run a file of reproductions/, for example NAME=afriqa-sw
	$(BIN)/kivuko reproduce reproductions/$(NAME).toml

benchmark: $(VENV)/.installed  ## Time the transport solvers against each other
	$(BIN)/python benchmarks/transport.py

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# Everything installed at the versions that were tested; torch comes as the CPU build where pip finds one.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@
