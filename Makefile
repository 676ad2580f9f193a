# Each target makes its own environment in .venv and then calls the command that does the work, so that it can be
# typed by hand where there is no make (see README.md, "Windows"). Works with GNU make 3.81, which macOS ships.
#
#   make demo PYTHON=python3.12     another interpreter
#   make demo ARGS="--help"         more arguments for the command
#   make demo TORCH_INDEX=          torch as pip itself would choose it: on Linux the CUDA build, several GB

PYTHON ?= python3
VENV ?= .venv
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
ARGS ?=

# The version has one home, constraints.txt.
TORCH := $(shell sed -n 's/^torch==/torch==/p' constraints.txt)
BIN := $(VENV)/bin
# Byte code is left to the first import, which compiles what is used and not all of torch: half a minute less.
PIP_INSTALL := $(BIN)/python -m pip --disable-pip-version-check install --no-compile

.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help demo test thirdparty bench lint clean

help: ## Say what there is (the default)
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' Makefile

demo: $(VENV)/.installed ## Train ten networks on sequential digits; see the accuracy, the energy and the pictures
	$(BIN)/spinhw demo $(ARGS)

test: $(VENV)/.installed-dev ## Run the test suite
	$(BIN)/pytest --numprocesses=auto --maxprocesses=4 --dist=worksteal $(ARGS)

thirdparty: $(VENV)/.installed-thirdparty ## Drive the virtual bench by the drivers of PyMeasure and QCoDeS; about 800 MB to install
	$(BIN)/pytest tests/third_party tests/instruments/test_adapters.py $(ARGS)

bench: $(VENV)/.installed-bench ## Compare speed and memory with PyTorch, JAX and ODE libraries; about 20 minutes
	$(BIN)/python benchmarks/run.py $(ARGS)

lint: $(VENV)/.installed-dev ## Check style, types and the direction of the imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

clean: ## Remove .venv, caches and builds, never your runs
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis
	find src tests examples -type d -name __pycache__ -prune -exec rm -rf {} +

# torch comes first and alone, because its build must be chosen: a wheel that lies on this machine (pip's find-links),
# else the CPU build, else whatever pip finds. Its own requirements come with the next step, from pip's usual place.
$(VENV)/.torch: constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "spinhw needs Python 3.11 or newer; '$(PYTHON)' is: $$($(PYTHON) --version 2>&1 | head -n 1)"; \
	  echo "Install one, then name it: make $(or $(MAKECMDGOALS),demo) PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { \
	  rm -rf $(VENV); \
	  echo "Could not make $(VENV). On Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }
	@if $(PIP_INSTALL) --quiet --no-index --no-deps $(TORCH) >/dev/null 2>&1; then \
	  echo "$(TORCH) is at hand on this machine"; \
	elif [ "$$(uname -s)" = Linux ] && [ -n "$(TORCH_INDEX)" ] && \
	  $(PIP_INSTALL) --retries 1 --timeout 20 --no-deps --index-url $(TORCH_INDEX) $(TORCH); then \
	  echo "$(TORCH) is the build of $(TORCH_INDEX)"; \
	else \
	  echo "Installing $(TORCH) as pip chooses it (on Linux that may be the CUDA build, several GB)"; \
	  $(PIP_INSTALL) --no-deps $(TORCH); \
	fi
	@touch $@

$(VENV)/.installed: $(VENV)/.torch pyproject.toml
	@echo "Installing spinhw and what it needs (about 150 MB)"
	$(PIP_INSTALL) --quiet -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.torch pyproject.toml
	@echo "Installing spinhw, what it needs (about 150 MB) and the tools to test it"
	$(PIP_INSTALL) --quiet -c constraints.txt -e ".[dev]"
	@touch $@ $(VENV)/.installed

# In the same environment, pinned as the rest; `make clean` takes them away again.
$(VENV)/.installed-thirdparty: $(VENV)/.installed-dev
	@echo "Installing PyMeasure and QCoDeS with what they need (about 800 MB)"
	$(PIP_INSTALL) --quiet -c constraints.txt -e ".[dev,pymeasure,qcodes]"
	@touch $@

# Without them the benchmark runs too, and says what is missing.
$(VENV)/.installed-bench: $(VENV)/.installed
	@echo "Installing what spinhw is compared with: JAX, diffrax, torchdiffeq (about 120 MB)"
	@$(PIP_INSTALL) --quiet -c constraints.txt -e ".[bench]" && touch $@ || \
	  echo "Could not install all of them: what is absent is listed as not installed"
