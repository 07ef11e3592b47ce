# Everything that this book needs is installed into .venv; nothing else on the machine is touched.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
# the first Python that is new enough; `make PYTHON=...` takes another
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done || true)
PYTHON := $(or $(PYTHON),python3)
THREADS ?= 1
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help book test lint unit notebooks site pages chapters zoo data-page ledger cards reader bench lab clean

help: ## say what each target does
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

book: $(VENV)/.book site ## render the book from the committed notebooks to _build/html/index.html
	@echo "The book is in _build/html/index.html"

test: $(VENV)/.all ## everything: lint, unit tests and laws, chapters re-run and compared, strict build, page checks
	@$(MAKE) --no-print-directory lint unit notebooks site pages

lint: $(VENV)/.all ## ruff over library, tests, tools and notebooks
	$(BIN)/ruff check .

unit: $(VENV)/.all ## laws of the library, checks of the chapters' form
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests -n 2 --dist loadfile --ignore tests/pages

notebooks: $(VENV)/.all ## run every chapter again and compare its outputs with the committed ones
	OMP_NUM_THREADS=$(THREADS) $(BIN)/python -m pytest --nbval --nbval-current-env --nbval-cell-timeout=300 \
		-n 2 --dist loadscope chapters

site: $(VENV)/.book
	@$(BIN)/python tools/vendor_mathjax.py
	$(BIN)/jupyter-book build . --all -W --keep-going -n --quiet

pages: $(VENV)/.all ## look at every rendered page in a headless browser (after `make book`)
	$(BIN)/python -m pytest tests/pages -rs -n 2 --dist load

chapters: $(VENV)/.all ## execute chapters/*.md to *.ipynb; CHAPTER=04 for one, RECORD=1 to keep time and memory
	OMP_NUM_THREADS=$(THREADS) $(BIN)/python -m tools.build_chapters $(CHAPTER)

zoo: $(VENV)/.all ## train every small model again: OUT=folder, FULL=folder of the original Fashion-MNIST
	$(BIN)/python tools/zoo.py $(or $(OUT),retrained) $(if $(FULL),--full $(FULL))

data-page: $(VENV)/.all ## make the tables and pictures of the page "Data and models" again
	$(BIN)/python -m tools.data_page
	$(BIN)/python -m tools.data_figures

ledger: $(VENV)/.all ## collect the verdicts of the executed chapters: the page "Ledger of claims" and its data
	$(BIN)/python -m tools.build_ledger

cards: $(VENV)/.all ## make the method cards, the cheat sheet and the page "Choosing a method" from the recorded results
	$(BIN)/python -m tools.build_cards

reader: $(VENV)/.all ## bring the page of passports and the links of the glossary up to date with the chapters
	$(BIN)/python -m tools.passport_page
	$(BIN)/python -m tools.first_uses

bench: $(VENV)/.bench ## time methods and metrics on a quiet machine, beside Captum and Quantus (8 minutes)
	OMP_NUM_THREADS=1 $(BIN)/python -m bench.run
	$(BIN)/python -m bench.page

lab: $(VENV)/.all ## open the chapters in JupyterLab
	$(BIN)/jupyter lab chapters

clean: ## remove the rendered book and all caches (the environment stays: rm -r .venv)
	rm -rf _build .pytest_cache .ruff_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

$(VENV)/.book: pyproject.toml constraints.txt
	@$(PYTHON) tools/check_machine.py 1
	@echo "Installing the book's tools into $(VENV) (about a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --upgrade pip
	@$(PIP) --group book
	@touch $@

$(VENV)/.all: $(VENV)/.book
	@$(PYTHON) tools/check_machine.py 9
	@echo "Installing PyTorch, the library and the test tools into $(VENV) (a few minutes)"
	@$(PIP) --group test --editable .
	@touch $@

$(VENV)/.bench: $(VENV)/.all
	@echo "Installing Quantus, which the benchmark compares with"
	@$(PIP) --group bench
	@touch $@
