# make demo    set up, build a space from real data, answer queries
# make test    set up, lint, type-check, test
# make docs    the docs site, into build/site
# make bench   print the tables of benchmarks/
# make reproduce   the paper's tables on real data, into benchmarks/results (about 20 minutes each on two idle cores)
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
EXTRAS := build,serve,audio,image-lite,llm,mcp,tune,bench,dev

# The folder of data sets beside a checkout, where there is one.
ifeq ($(origin ANTIPHON_DATA), undefined)
  ifneq ($(wildcard ../shared/data),)
    export ANTIPHON_DATA := $(abspath ../shared/data)
  endif
endif

.PHONY: demo docs test test-fast test-slow lint format bench reproduce clean

demo: $(STAMP)
	$(BIN)/antiphon demo $(DEMO)

test: lint $(STAMP)
	$(BIN)/python -m pytest -m "not slow" $(PYTEST)

test-slow: $(STAMP)
	$(BIN)/python -m pytest -m slow $(PYTEST)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	$(BIN)/mkdocs build --strict

bench: $(STAMP)
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/service.py

reproduce: $(STAMP)
	$(BIN)/antiphon reproduce movies --out runs/reproduce-movies
	$(BIN)/antiphon reproduce music --out runs/reproduce-music
	for name in movies music; do \
	  mkdir -p benchmarks/results/$$name/plots && \
	  cp runs/reproduce-$$name/report.md runs/reproduce-$$name/metrics.json benchmarks/results/$$name/ && \
	  cp runs/reproduce-$$name/plots/*.svg benchmarks/results/$$name/plots/; \
	done

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), f"antiphon needs Python 3.11 or newer, this is {sys.version}"'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[$(EXTRAS)]'
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
