# Every verb makes its own environment from nothing and uses it again afterwards.
# People and CI type the same words: `make help` lists them.

PYTHON  ?= python3
VENV    ?= .venv
ARGS    ?=
COUNT   ?= 300
SEED    ?=
FAMILY  ?=
MINUTES ?= 3
RECORD  ?=

BIN     := $(VENV)/bin
PY      := $(BIN)/python
STAMP   := $(VENV)/.installed-from

CAMPAIGN = $(PY) -m tests.conformance --count '$(COUNT)' $(if $(SEED),--seed '$(SEED)') $(addprefix --family ,$(FAMILY))
SOURCES := src examples tests scripts benchmarks

.DEFAULT_GOAL := help
.PHONY: help venv run test check fix bench conformance conformance-mutants matrix docs soak clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(STAMP)  ## the environment in .venv, made only when pyproject.toml changed

run: $(STAMP)  ## the example system, e.g. make run ARGS="--chaos 20"
	@$(PY) -m examples.code_census $(ARGS)

test: $(STAMP)  ## the test suite (soak runs left out)
	@$(PY) -m pytest $(ARGS)

check: $(STAMP)  ## format, lint, strict types, import contracts, generated docs, docs examples
	@BIN=$(BIN) sh scripts/check.sh

fix: $(STAMP)  ## repair format and what the linter can repair
	@$(BIN)/ruff check --fix $(wildcard $(SOURCES))
	@$(BIN)/ruff format $(wildcard $(SOURCES))

bench: $(STAMP)  ## benchmarks beside peers; writes docs/reference/benchmarks.md (ARGS="--only call --peers all ...")
	@$(PY) -c 'import pykka, aiostream, aiometer' 2>/dev/null || $(PY) -m pip install -qq --no-build-isolation --editable ".[bench]"
	@$(PY) -m benchmarks $(ARGS)

conformance: $(STAMP)  ## the statements of OTP, then COUNT random programs (SEED=n) of each FAMILY beside Erlang and Elixir
	@$(CAMPAIGN) --dry-run
	@$(PY) -m pytest -m "otp and not soak" $(ARGS)
	@$(PY) scripts/conformance_table.py --check --strict
	@$(CAMPAIGN)

conformance-mutants: $(STAMP)  ## faults of one line in the supervisors, which random programs must notice
	@$(PY) -m tests.conformance.mutants $(ARGS)

matrix: $(STAMP)  ## the suite over direct call x loop x warnings x every Python found
	@$(PY) scripts/matrix.py $(ARGS)

docs: $(STAMP)  ## write the generated pages of docs/reference
	@$(PY) scripts/conformance_table.py --write
	@$(PY) scripts/reference.py --write

soak: $(STAMP)  ## the long runs: what a system in trouble holds stays flat (MINUTES=n, SEED=n, RECORD=1 writes the page)
	@$(PY) -m pytest -m soak $(ARGS)
	@$(PY) -m tests.soak.system --minutes '$(MINUTES)' $(if $(SEED),--seed '$(SEED)') $(if $(RECORD),--record)

clean:  ## remove the environment and every cache
	rm -rf $(VENV) .venv-* .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is a copy of the pyproject.toml it was installed from, so that a touched but
# unchanged file costs nothing. The build backend is installed first and used without
# isolation: once everything is in, installing again needs no network.
$(STAMP): pyproject.toml
	@if cmp -s pyproject.toml $(STAMP); then touch $(STAMP); else sh scripts/venv.sh "$(PYTHON)" "$(VENV)" "$(STAMP)"; fi
