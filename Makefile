# `make quickstart` and `make test` do all the set-up on a fresh machine: Python >= 3.11, make and a C++ compiler.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c .ci/constraints.txt

.PHONY: quickstart test lint gate bench docs clean-venv
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
	$(BIN)/python -m pytest tests/test_gates.py

bench: $(VENV)/.bench
	$(BIN)/python bench/chain.py

docs: $(VENV)/.dev
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

$(VENV)/.bench: $(VENV)/.train
	$(PIP) -e '.[train,bench]'
	@touch $@

$(VENV)/.compiler:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "corpusmill needs Python >= 3.11; $(PYTHON) is `$(PYTHON) -V 2>&1`: make PYTHON=python3.12 quickstart" >&2; exit 1; }
	@command -v $${CXX:-c++} >/dev/null || command -v g++ >/dev/null || { echo "corpusmill needs a C++ compiler: fasttext is built from source. Debian, Ubuntu: apt-get install g++; Fedora: dnf install gcc-c++" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

clean-venv:
	rm -rf $(VENV)
