# The project's commands; CI calls the same ones. PYTHON is the interpreter that makes the environment.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: install demo test lint browser data bench docs clean

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt torch numpy
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev]"
	touch $@

demo: install  ## train on real digits, open-ready report, predictions: under a minute
	OMP_NUM_THREADS=1 $(BIN)/layerwise fit digits --out demo-model --overwrite  # so small is quickest on one thread
	$(BIN)/layerwise predict demo-model digits --csv demo-model/predictions.csv
	@echo "Open demo-model/report.html"

test: install  ## everything that needs no network, no browser and no data but what packages ship
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not browser and not data"

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

browser: install  ## the report in headless Chromium
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[browser]"
	$(BIN)/python -m pytest -m browser

data: install  ## tests on the public data sets in LAYERWISE_DATA (docs/data.md)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m data

bench: install  ## every accuracy and speed run; hours. One by one: see benchmarks/README.md
	$(BIN)/python -m benchmarks.run

docs: install  ## the figures page from the results kept in benchmarks/results
	$(BIN)/python -m benchmarks.page

clean:
	rm -rf $(VENV) demo-model .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
