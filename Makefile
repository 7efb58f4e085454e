# The two commands of the README: `make search` and `make test`. Nothing but Python and make is
# needed. A stamp inside .venv remembers what is installed, so a second call goes straight to work.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable

.DELETE_ON_ERROR:
.PHONY: help venv install search test lint

help:
	@echo "make search   install, then search within 80 KB of flash on synthetic recordings"
	@echo "make test     install what the tests need and run them"
	@echo "make lint     ruff and mypy"
	@echo "make venv     only make $(VENV); make install also installs ppgnas in it"

venv: $(BIN)/python

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) .
	@touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) '.[test,emulate]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) '.[test,emulate,dev]'
	@touch $@ $(VENV)/.installed-test $(VENV)/.installed

search: install
	$(BIN)/ppgnas search --budget 80KB

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
