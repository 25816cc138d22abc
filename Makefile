# Every target makes what it needs: the first run builds .venv, later ones reuse it.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-deep check types format clean

demo: $(READY)
	$(BIN)/realtape demo

test: $(READY)
	$(BIN)/python -m pytest -m "not deep"

test-deep: $(READY)
	HYPOTHESIS_PROFILE=deep $(BIN)/python -m pytest --timeout=1800

check: $(READY) types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	mkdir -p build/typing/realtape
	for folder in schema recorder replay integrations cli; do ln -sfn ../../../$$folder build/typing/realtape/$$folder; done
	$(BIN)/basedpyright --level error

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(READY): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Realtape needs Python 3.11 or newer; say which: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $(READY)

clean:
	rm -rf $(VENV) build dist *.egg-info
