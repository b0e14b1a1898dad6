# Uses the Python of the active virtual environment. `make PYTHON=python3.12 test` picks another one.
PYTHON ?= python
# Tests run in so many processes beside each other, one file in one process. `make WORKERS=0 test` takes just one.
WORKERS ?= 2
# A test that fails is run once more, and then listed as RERUN: it has a race, or the machine was too slow for it.
RERUNS ?= 1

.PHONY: setup run test browser check bench

setup:            ## install what the app, the tests and the checks need
	$(PYTHON) -m pip install --quiet -r requirements-dev.txt

run:              ## start the app on http://127.0.0.1:7860
	$(PYTHON) app.py

test: setup       ## all tests that need neither a browser nor a GPU
	$(PYTHON) -m pytest -n $(WORKERS) --dist loadfile --reruns $(RERUNS)

browser: setup    ## drive the real pages in Chromium (CHROMIUM=/path/to/chromium picks another one)
	$(PYTHON) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --reruns $(RERUNS) -m browser

check: setup      ## style, types and import contracts
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	lint-imports

bench: setup      ## ratios against published code; see benchmarks/README.md
	$(PYTHON) benchmarks/evaluate.py --size small
