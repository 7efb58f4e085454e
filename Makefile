# The two commands of the README: `make search` and `make test`. Nothing but Python and make is
# needed. A stamp inside .venv remembers what is installed, so a second call goes straight to work.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What setuptools warns of in every editable installation is nothing to act on.
PIP_INSTALL := PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet \
    --constraint constraints.txt --editable
# The CPU build of torch takes 0.2 GB, the one with CUDA 5.9 GB. `make TORCH_INDEX=` takes the latter.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

.DELETE_ON_ERROR:
.PHONY: help venv install search test docs picture lint

help:
	@echo "make search   install, then search within 80 KB of flash on synthetic recordings"
	@echo "make test     install what the tests need and run them"
	@echo "make docs     the documentation as a site, in build/site"
	@echo "make picture  docs/report.png anew, from results/run or RUN=folder; needs Chromium"
	@echo "make lint     ruff and mypy"
	@echo "make venv     only make $(VENV); make install also installs ppgnas in it"

venv: $(BIN)/python

# The pip that comes with Python 3.11 is slow at finding a hundred packages; today's is not.
$(BIN)/python:
	$(PYTHON) -m venv --upgrade-deps $(VENV)

install: $(VENV)/.installed

# Where the index cannot be reached, the next step takes torch from where pip looks anyway.
$(VENV)/.torch: constraints.txt | $(BIN)/python
	@if [ -n "$(TORCH_INDEX)" ]; then \
	    $(BIN)/python -m pip install --quiet --retries 0 --timeout 20 --no-deps \
	        --index-url "$(TORCH_INDEX)" "$$(grep '^torch==' constraints.txt)" \
	    || echo "No CPU build of torch from $(TORCH_INDEX); taking pip's own"; \
	fi
	@touch $@

$(VENV)/.installed: pyproject.toml constraints.txt $(VENV)/.torch | $(BIN)/python
	$(PIP_INSTALL) .
	@touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt $(VENV)/.torch | $(BIN)/python
	$(PIP_INSTALL) '.[test,emulate,formats,cluster,log,docs]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-dev: pyproject.toml constraints.txt $(VENV)/.torch | $(BIN)/python
	$(PIP_INSTALL) '.[test,emulate,formats,cluster,log,docs,dev]'
	@touch $@ $(VENV)/.installed-test $(VENV)/.installed

search: install
	$(BIN)/ppgnas search --budget 80KB

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist worksteal

docs: $(VENV)/.installed-test
	$(BIN)/python -m mkdocs build --strict

# docs/report.png, the top of a run's page.
RUN ?= results/run
CHROMIUM ?= chromium
picture:
	$(CHROMIUM) --headless --no-sandbox --disable-gpu --hide-scrollbars --virtual-time-budget=15000 \
	    --window-size=1400,1290 --screenshot="$(CURDIR)/docs/report.png" "file://$(abspath $(RUN))/report.html"

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@# Workers that a busy machine keeps from starting in time end mypy: then one process judges.
	$(BIN)/mypy --num-workers 2 || $(BIN)/mypy
