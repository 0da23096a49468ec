# Each target does the whole set-up on a fresh machine: .venv with the pinned versions of constraints.txt.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
# uv where it is installed (`make UV= …` takes pip); both take the versions of constraints.txt.
UV ?= $(shell command -v uv)
PROGRESS := awk '/^Collecting/ {if (++n % 20 == 1) print "  package " n ": " $$2; fflush()} /^Installing/ {print "  writing files"; fflush()}'
ifeq ($(UV),)
install = $(BIN)/python -m pip install --progress-bar off -c constraints.txt -e '.[$(1)]' | $(PROGRESS)
else
install = UV_COMPILE_BYTECODE=1 $(UV) pip install --python $(BIN)/python -c constraints.txt -e '.[$(1)]'
endif

# One thread a process: trials and tests run side by side, and results do not depend on the number of cores.
export OMP_NUM_THREADS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Each driver and each worker imports thousands of modules; without byte code a study starts three times slower.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo cluster-demo test check long faults mutations audit bench bench-gpu docs clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo 'Installing the pinned packages into .venv: about 2 GB, two to four minutes with pip.'
	$(call install,dev)
	touch $@

# A complete study on real digits; ends with the best-config table.
demo: setup
	@rm -rf runs/demo
	$(BIN)/cskd launch digits --storage runs/demo

# Three Ray nodes as processes of this machine, a study on them, one node killed in the middle; all ends with the command.
cluster-demo: setup
	$(BIN)/python -m tests.cluster_demo

# Three at once on two cores: many tests wait for a process of their own.
test: check
	$(BIN)/python -m pytest -n 3 --dist loadgroup --no-loadscope-reorder --durations=20 -m 'not long'

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q --doctest-modules study trainables search_spaces analysis

# Minutes of kills and a real study; not part of the gate.
long: setup
	$(call install,long)
	$(BIN)/python -m pytest -m long

# Every fault of the acceptance list and every input to refuse; writes and prints the table, fails where a row does.
faults: setup
	$(BIN)/python -m pytest -n 2 -p tests.kit.faults.fault_table --fault-table=tests/faults.md -m 'fault or bad_input'

# Deliberate defects in a copy of the code, each with the tests that must fail of it.
mutations: setup
	$(BIN)/python -m tests.mutations

bench: setup
	$(BIN)/python -m tests.benchmarks

# Known vulnerabilities of the pins, and a bill of materials; 69 where the vulnerability service cannot be asked.
audit: setup
	test -x .audit/bin/python || $(PYTHON) -m venv .audit
	.audit/bin/python -m pip install --quiet -r tests/audit/tools.txt
	.audit/bin/python -m tests.audit $(BIN)/python

# The manual with its reference as a site in build/site/; a broken link is an error. `python -m` finds docs/formulas.py.
docs: setup
	$(BIN)/python -m zensical build --strict --clean

# Runs from the bare source tree with any Python that has torch: no .venv, no Ray, no MLflow.
bench-gpu:
	$(PYTHON) -m tests.benchmarks --gpu

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache runs/demo runs/cluster-demo .audit build
