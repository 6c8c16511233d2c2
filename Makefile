# make demo    sets up and runs the main job: an organization deployed, a real call answered into a mailbox
#              with DIRECTORY=samba, as root, the same in a Samba Active Directory that it installs and starts
# make test    sets up (as root with the peers from apt) and runs linters, types, import contracts, all tests
# make check   the developer's loop: no root, no peers, less than a minute on two cores
# make fuzz    feeds the parsers whatever atheris makes up, FUZZ_S seconds (300) for each target, FUZZ_JOBS (2) at once; not a part of make test
# make chaos   injects faults while honest calls go on, as root, half an hour, FAULTS="clock kill" for some; not a part of make test
# make soak    half an hour of calls of all kinds: nothing lost, nothing doubled, everything given back; not a part of make test

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test check quick fuzz chaos soak lint format clean

# Tests wait for real peers more than they compute: more of them at once than there are cores.
WORKERS ?= 3

# Tests that pytest has compiled once are not compiled again by each worker of each run, whatever the environment says.
export PYTHONDONTWRITEBYTECODE :=

FUZZ_S ?= 300
FUZZ_JOBS ?= 2
FUZZ ?= message headers auth masked framing sdp sdes rtp srtp

demo: .venv/.user
ifeq ($(DIRECTORY),samba)
	tools/peers directory
	$(PIP) --editable '.[ldap]'
	$(BIN)/python tools/samba demo
else
	$(BIN)/tandem demo
endif

test: .venv/.developer
	tools/peers
	$(PIP) --editable '.[ldap]'
	$(MAKE) --no-print-directory lint
	$(BIN)/pytest --numprocesses=$(WORKERS) -m "not alone"
	$(BIN)/pytest -m alone

check: .venv/.developer
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target lint quick

quick:
	$(BIN)/pytest -q -x --numprocesses=3 --hypothesis-profile=quick -m "not peer and not slow"

fuzz: .venv/.developer
	$(PIP) --editable '.[fuzz]'
	@$(MAKE) --no-print-directory --keep-going --jobs=$(FUZZ_JOBS) --output-sync=target $(FUZZ:%=fuzz-%)

fuzz-%:
	@$(BIN)/python fuzz/run.py $* $(FUZZ_S) > fuzz/$*.log 2>&1 || { echo "$*: a finding"; tail -40 fuzz/$*.log; exit 1; }
	@echo "$*: $$(grep -a ^Done fuzz/$*.log)"

chaos: .venv/.developer
	$(BIN)/python bench/chaos.py $(FAULTS)

MINUTES ?= 30
soak: .venv/.developer
	$(BIN)/python bench/soak.py --minutes $(MINUTES)

lint:
	$(BIN)/ruff format --check --quiet src tests tools
	$(BIN)/ruff check --quiet src tests tools
	$(BIN)/lint-imports --no-cache > .venv/imports.txt || { cat .venv/imports.txt; exit 1; }
	$(BIN)/mypy src

format:
	$(BIN)/ruff format src tests tools
	$(BIN)/ruff check --fix src tests tools

clean:
	rm -rf .venv dist fuzz/corpus fuzz/findings fuzz/*.log .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/.user: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Tandem needs Python 3.11 or later, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv .venv
	$(PIP) --editable .
	touch $@

.venv/.developer: .venv/.user
	$(PIP) --editable '.[dev]'
	touch $@
