# Two commands for a machine with only Python 3.11 and make: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# The straight path once more with every array shape in every signature checked while it runs.
SHAPES := --jaxtyping-packages=robustbench_eff,beartype.beartype tests/contract tests/attacks/test_pgd.py \
	tests/test_evaluate.py -k 'keeps_shape or stays_inside or test_pgd or right_when_clean'

# Many tests start a process, which would otherwise compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test check install

demo: $(VENV)/.demo
	$(BIN)/robust-eval --model digits_standard --suite standard --store runs/demo

test: check
	$(BIN)/pytest -n auto
	$(BIN)/pytest -q -n auto $(SHAPES)

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

install: $(VENV)/.dev

# uv reads the tested versions from [tool.uv] in pyproject.toml; plain pip does not.
$(BIN)/uv:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv

$(VENV)/.demo: $(BIN)/uv pyproject.toml
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e .
	touch $@

$(VENV)/.dev: $(BIN)/uv pyproject.toml
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e '.[dev]'
	touch $@ $(VENV)/.demo
