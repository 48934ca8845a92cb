# make demo    set up, build a space from real data, answer queries
# make test    set up, lint, type-check, test
# make docs    the docs site, into build/site
# make bench   print the tables of benchmarks/
# make fuzz    requests and files that nobody sends on purpose, many of them (about half an hour)
# make chaos   processes killed, disks filled, files damaged, spaces published under load: a table (20 minutes)
# make soak    half an hour of requests: slopes of memory, descriptors and p99
# make spark   Java and pyspark, for the tests of builds on a cluster
# make audit   licences of all dependencies, an SBOM (dist/sbom.json), what pip-audit knows, and the workflows linted
# make lock    requirements-released.txt again: every package of a release with its hashes
# make reproduce   the paper's tables on real data (about 40 minutes each on two cores)
# make studies     the tables with all studies, into benchmarks/results (hours)
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Processes of `make test`; a file of tests stays in one of them.
WORKERS ?= 2
EXTRAS := build,serve,audio,image-lite,llm,mcp,otel,postgres,qdrant,tune,bench,dev

# Examples of each kind in `make fuzz`.
FUZZ ?= 1000

# What a release is installed with; image-lite and bench are not part of it.
RELEASED := build serve audio image llm mcp otel

# The folder of data sets beside a checkout, where there is one.
ifeq ($(origin ANTIPHON_DATA), undefined)
  ifneq ($(wildcard ../shared/data),)
    export ANTIPHON_DATA := $(abspath ../shared/data)
  endif
endif

.PHONY: demo docs test test-fast test-slow lint format bench fuzz chaos soak spark audit lock reproduce studies clean

demo: $(STAMP)
	$(BIN)/antiphon demo $(DEMO)

test: lint $(STAMP)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadscope -m "not slow" $(PYTEST)

test-slow: $(STAMP)
	$(BIN)/python -m pytest -m slow $(PYTEST)

# What the tests of Spark need: Java, and pyspark, which is 450 MB and so not for everybody. Without it they skip.
spark: $(STAMP)
	scripts/install-java
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[spark]'

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

fuzz: $(STAMP)
	ANTIPHON_FUZZ=$(FUZZ) $(BIN)/python -m pytest tests/fuzz tests/unit/serve/test_fuzz.py \
	  tests/unit/serve/test_schemathesis.py $(PYTEST)

chaos: $(STAMP)
	$(BIN)/python tests/chaos/chaos.py --minutes 20 $(CHAOS)

soak: $(STAMP)
	$(BIN)/python benchmarks/soak.py --minutes 30 $(SOAK)

audit: $(STAMP)
	mkdir -p dist
	$(BIN)/python scripts/supply.py licences
	$(BIN)/python scripts/supply.py sbom --out dist/sbom.json
	$(BIN)/python scripts/supply.py audit
	$(BIN)/zizmor --offline .github/workflows

# By uv, not by pip: the file is for Python 3.11 to 3.13 on Linux, macOS and Windows, with a marker where a package is
# for some of them only (the CUDA libraries of torch). `pip lock` and pip-tools' pip-compile know the machine that they
# run on, and no other. What is installed from the file is installed by pip: --require-hashes -r requirements-released.txt
lock: $(STAMP)
	$(BIN)/uv pip compile pyproject.toml $(foreach extra,$(RELEASED),--extra $(extra)) --constraint constraints.txt \
	  --universal --python-version 3.11 --generate-hashes --no-annotate --custom-compile-command "make lock" --output-file requirements-released.txt

reproduce: $(STAMP)
	$(BIN)/antiphon reproduce movies --no-studies --out runs/reproduce-movies
	$(BIN)/antiphon reproduce music --no-studies --out runs/reproduce-music

studies: $(STAMP)
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
