# `make quickstart` and `make test` do all the set-up on a fresh machine: Python >= 3.11, make and a C++ compiler.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
INSTALL = -m pip install --quiet --disable-pip-version-check
PIP = $(BIN)/python $(INSTALL) -c .ci/constraints.txt
# Peers are not ours to live with: the benchmarks have an environment of their own.
BENCH = $(VENV)-bench
BENCHES = bench-chain bench-dedup bench-extract bench-quality

.PHONY: quickstart test lint gate train-cascade bench $(BENCHES) docs clean-venv
.DELETE_ON_ERROR:

quickstart: $(VENV)/.train
	$(BIN)/corpus fetch quickstart --to data/input
	$(BIN)/corpus run pipelines/quickstart.yaml

test: $(VENV)/.dev
	$(BIN)/python -m pytest

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

gate: $(VENV)/.dev
	$(BIN)/python -m pytest -s tests/test_gates.py

# Trains the classifier of the extractor `cascade` from labelled pages and Debian packages of manuals (ten minutes).
train-cascade: $(VENV)/.dev
	$(BIN)/python -m corpus.extract.cascade.training $(KITS)/extraction $(PACKAGES)

bench: $(BENCHES)

$(BENCHES): bench-%: $(BENCH)/.bench
	$(BENCH)/bin/python bench/$*.py $(ARGS)

# Writes the reference of recipe keys from the code, then checks every command, link and snippet in the docs.
docs: $(VENV)/.dev
	@{ sed '/^## top level/,$$d' docs/recipe.md; $(BIN)/corpus keys; } >docs/recipe.md.new && mv docs/recipe.md.new docs/recipe.md
	$(BIN)/python -m pytest tests/test_docs.py

# The stamps hold what is installed; a changed pin installs again.
$(VENV)/.train: pyproject.toml .ci/constraints.txt | $(VENV)/.compiler
	@echo "installing corpusmill into $(VENV) (a few minutes the first time: torch is large, fasttext is compiled)" >&2
	$(PIP) -e '.[train]'
	@touch $@

$(VENV)/.dev: $(VENV)/.train
	$(PIP) -e '.[train,dev]'
	$(BIN)/python -m pip check
	@touch $@

$(BENCH)/.bench: pyproject.toml .ci/constraints.txt bench/peers.txt | $(BENCH)/.compiler
	$(BENCH)/bin/python $(INSTALL) -c .ci/constraints.txt -e '.[bench]'
	$(BENCH)/bin/python $(INSTALL) --no-deps --upgrade --target $(BENCH)/peers -r bench/peers.txt
	@touch $@

%/.compiler:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo "corpusmill needs Python >= 3.11, which '$(PYTHON)' is not: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "corpusmill needs Python's venv module: Debian, Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_paths()["include"] + "/Python.h"))' || { echo "corpusmill needs Python's headers: fasttext is built from source. Debian, Ubuntu: apt-get install python3-dev; Fedora: dnf install python3-devel" >&2; exit 1; }
	@command -v $${CXX:-c++} >/dev/null || command -v g++ >/dev/null || { echo "corpusmill needs a C++ compiler: fasttext is built from source. Debian, Ubuntu: apt-get install g++; Fedora: dnf install gcc-c++" >&2; exit 1; }
	$(PYTHON) -m venv $*
	@touch $@

clean-venv:
	rm -rf $(VENV) $(BENCH)
