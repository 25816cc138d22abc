# Every target makes what it needs: the first run builds .venv, later ones reuse it.
PYTHON ?= python3

# Each Python has a virtual environment of its own: .venv is python3's, .venv-3.12 that of PYTHON=python3.12.
version = $(if $(1),$(shell $(1) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null))
INTERPRETER := $(shell .ci/python $(PYTHON))
VERSION := $(call version,$(INTERPRETER))
ifneq ($(PYTHON),python3)
OWN := $(if $(filter $(VERSION),$(call version,$(shell .ci/python python3 2>/dev/null))),,-$(VERSION))
endif
VENV ?= .venv$(OWN)
BIN := $(VENV)/bin
READY := $(VENV)/.ready
OLDEST := $(VENV)-oldest

# Whoever starts Python here finds compiled what was compiled before, also where the environment says otherwise: a suite
# is hundreds of processes.
export PYTHONDONTWRITEBYTECODE :=

# Those that pyproject.toml names. What cannot be tried is not claimed.
PYTHONS := $(shell sed -n 's/^ *"Programming Language :: Python :: \(3\.[0-9]*\)",$$/\1/p' pyproject.toml)

.PHONY: ready ready-oldest ready-all demo test test-noisy test-pythons slice slice-pythons test-deep test-oldest test-postgresql test-browser screenshots test-sdk-suite test-clients bench bench-viewing damage check types script-types format clean

ready: $(READY)

ready-oldest: $(OLDEST)/.ready

# All that some targets need besides: an environment that is made now has it in one go.
ready-all: EXTRAS = ,types,postgresql,browser
ready-all: $(READY) $(VENV)/.with-types $(VENV)/.with-postgresql $(VENV)/.with-browser

demo: $(READY)
	$(BIN)/realtape demo

# On all cores, and one test more: some wait for a process or a disk.
WORKERS = $(shell $(INTERPRETER) -c 'import os; print((os.cpu_count() or 1) + 1)')

test: $(READY)
	$(BIN)/python -m pytest -n $(WORKERS) -m "not deep and not postgresql and not browser"

# The same with random delays of 0 to 6 ms in appends, commits and starting threads, on one core: what a test
# asserts exactly depends on none of them. The seed is printed: REALTAPE_TEST_NOISE=<seed> gives the same delays.
NOISY ?= tests

test-noisy: $(READY)
	REALTAPE_TEST_NOISE=$${REALTAPE_TEST_NOISE:-random} $(BIN)/python -m pytest -n 3 -m "not deep and not postgresql and not browser" $(NOISY)

# On every Python that we name.
test-pythons:
	@.ci/pythons make test -- $(PYTHONS)

# Where Pythons may differ: the loop's canaries, the golden files, how deep things are nested, whole sessions.
SLICE := tests/schema/test_asyncio_private.py tests/replay/test_virtual_loop.py tests/replay/test_skipped_rounds.py \
	tests/test_golden.py tests/test_golden_fixtures.py tests/schema/test_nesting.py tests/integrations/test_driving.py

slice: $(READY)
	$(BIN)/python -m pytest -n auto -m "not deep and not postgresql and not browser" $(SLICE)

# On every Python that we name but the one with which `make test` runs it all.
slice-pythons:
	@.ci/pythons make slice -- $(filter-out $(VERSION),$(PYTHONS))

# What `make test` leaves out, in an hour and a half: every property with many examples, then the large counts, one
# after another, for some of them measure.
test-deep: $(READY)
	HYPOTHESIS_PROFILE=deep $(BIN)/python -m pytest -n auto -m "hypothesis and not deep and not postgresql and not browser" --timeout=2400
	HYPOTHESIS_PROFILE=deep $(BIN)/python -m pytest -m deep --timeout=2400

# With the oldest releases that pyproject.toml allows: what calls them. Those are the SDK and pytest (integrations),
# websockets (provider, wire), SQLAlchemy, aiosqlite, pydantic and pybase64 (schema, session), time-machine (the loop).
# `replay/` calls none of them but through these, `lab/` only hypothesis, which SessionMachine tries; and what replays
# in many processes, searches long for a bug, reckons with what was read, or feeds our own code with garbage, tries that
# again. How soon a search finds something is another matter with each release of hypothesis; and what is held against
# the SDK's own events is held against the newest.
# What a release does otherwise shows in the first examples.
BY_OLDEST := tests/integrations tests/provider tests/schema tests/session tests/replay/test_virtual_loop.py \
	tests/replay/test_client_ids.py tests/replay/test_play.py tests/wire tests/test_golden.py
BEYOND_OLDEST := --ignore=tests/integrations/test_hundred_replays.py --ignore=tests/integrations/test_planted_bugs.py \
	--ignore=tests/integrations/test_two_planted_bugs.py --ignore=tests/session/redaction/test_redacted.py \
	--deselect=tests/integrations/test_session_machine.py::test_a_planted_bug_is_found_shrunk_and_kept \
	--deselect=tests/integrations/test_session_machine.py::test_rules_are_within_the_protocol_and_all_of_them_are_used \
	--ignore=tests/wire/test_wire_events.py --ignore=tests/wire/test_clients.py --ignore=tests/provider/test_live.py \
	--ignore=tests/session/derived --ignore=tests/session/fixture/test_fuzzed.py \
	--ignore=tests/schema/test_endless_values.py --ignore=tests/integrations/test_planted_credentials.py

test-oldest: $(OLDEST)/.ready
	HYPOTHESIS_PROFILE=few $(OLDEST)/bin/python -m pytest -n $(WORKERS) -m "not deep and not postgresql and not browser" $(BY_OLDEST) $(BEYOND_OLDEST)

# Needs a PostgreSQL server's programs on the machine, or REALTAPE_TEST_POSTGRESQL=postgresql://…
test-postgresql: $(VENV)/.with-postgresql
	$(BIN)/python -m pytest -m "postgresql and not deep"

# The page in Debian's Chromium, which is installed if it is missing; one process of it for all tests.
test-browser: $(VENV)/.with-browser
	.ci/chromium
	$(BIN)/python -m pytest -m browser tests/viewer

# The pictures of docs/images, as the page is now.
screenshots: $(VENV)/.with-browser
	.ci/chromium
	PYTHONPATH=tests $(BIN)/python tests/viewer/screenshots.py

# The SDK's own test suite, without our wrapper under every session and with it.
test-sdk-suite: $(READY)
	$(BIN)/python tests/sdk_suite/run.py

# Clients of other makers and languages, installed into build/clients: recorded by the proxy, served offline ten times.
CLIENTS ?=

test-clients: $(READY)
	PYTHONPATH=tests $(BIN)/python tests/clients/run.py $(CLIENTS)

# Measures, and writes docs/performance.md.
bench: $(READY) build/peers/.ready
	$(BIN)/python benchmarks/run.py

# What a page and `view` cost, in Chromium: writes the figures of docs/viewer.md, in three minutes.
bench-viewing: $(VENV)/.with-browser
	.ci/chromium
	$(BIN)/python benchmarks/viewing.py

# Others who record, to compare with: their dependencies are not ours.
build/peers/.ready: pyproject.toml
	$(INTERPRETER) -m venv build/peers
	build/peers/bin/python -m pip install --quiet --disable-pip-version-check '.[bench]' \
		|| echo "not all of them can be installed here: the table says which are missing" >&2
	touch $@

# The table in docs/reliability.md.
damage: $(READY)
	$(BIN)/python benchmarks/damage.py 1201

check: $(READY) types script-types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.with-types
	mkdir -p build/typing/realtape
	for folder in schema session recorder replay provider wire lab viewer integrations cli; do ln -sfn ../../../$$folder build/typing/realtape/$$folder; done
	$(BIN)/basedpyright --level error

# The page's scripts, by the types in their comments; where there is npm, which brings the checker.
TSC := build/tsc/node_modules/.bin/tsc

script-types:
	@if ! command -v npm >/dev/null; then echo "no npm here: the types of viewer/page were not checked"; exit 0; fi; \
	set -e; mkdir -p build/tsc; \
	test -x $(TSC) || npm install --prefix build/tsc --silent --no-save --no-package-lock --no-audit --no-fund typescript@5; \
	$(TSC) --noEmit --allowJs --checkJs --strict --target es2024 --lib es2024,dom,dom.iterable,dom.asynciterable viewer/page/*.js

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Anew where it is another Python's by now, or its Python is gone.
stale = $(if $(wildcard $(1)/pyvenv.cfg),$(if $(filter $(VERSION),$(call version,$(1)/bin/python)),,anew))
new_venv = test -n "$(VERSION)" || { echo "No $(PYTHON): say which Python, make PYTHON=python3.12 …" >&2; exit 1; }; \
	$(INTERPRETER) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Realtape needs Python 3.11 or newer; say which: make PYTHON=python3.12 …")'; \
	$(INTERPRETER) -m venv $(if $(call stale,$(1)),--clear )$(1)

.PHONY: anew

comma := ,

$(READY): pyproject.toml $(call stale,$(VENV))
	set -e; $(call new_venv,$(VENV))
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --editable '.[dev$(EXTRAS)]'
	touch $(READY) $(patsubst %,$(VENV)/.with-%,$(subst $(comma), ,$(EXTRAS)))

# What only some targets need.
$(VENV)/.with-%: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --editable '.[$*]'
	touch $@

$(OLDEST)/.ready: pyproject.toml .ci/oldest.txt $(call stale,$(OLDEST))
	set -e; $(call new_venv,$(OLDEST))
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --constraint .ci/oldest.txt \
		--editable '.[clocks,openai-agents,redaction,testing,tls]' pytest-asyncio pytest-timeout pytest-xdist
	touch $@

clean:
	rm -rf .venv .venv-* build dist *.egg-info
