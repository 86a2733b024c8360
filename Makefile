# Two commands for a machine with only Python 3.11 and make: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# The straight path once more with every array shape in every signature checked while it runs. Attacks only: numba cannot
# compile calls of checked functions, so corruptions are left out.
SHAPES := --jaxtyping-packages=robustbench_eff,beartype.beartype tests/contract tests/attacks/test_pgd.py \
	tests/test_evaluate.py -k 'keeps_shape_and_type or stays_inside or test_pgd or right_when_clean'

# Many tests start a process, which would otherwise compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-all test-oldest test-newest fuzz speed-quick check docs coverage wheel install install-hashed audit

demo: $(VENV)/.demo
	$(BIN)/robust-eval --model digits_standard --suite standard --store runs/demo

test: check
	$(BIN)/pytest -n auto
	$(BIN)/pytest -q -n auto $(SHAPES)

# The slow tests, too: an expression given here replaces the one in pyproject.toml.
test-all: check
	$(BIN)/pytest -n auto -m ''
	$(BIN)/pytest -q -n auto $(SHAPES)

# Changed files of every kind for hours; `make test` reads the first 500 of each kind.
HOURS := 2
fuzz: $(VENV)/.dev
	$(BIN)/python scripts/fuzz.py --hours $(HOURS)

# The main figures of this machine beside those of other packages, in three minutes.
speed-quick: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python speed/quick.py

check: $(VENV)/.dev docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/basedpyright

# Reference pages are written from the code and notebooks are run, then the site: build/site/index.html. Needs no network.
docs: $(VENV)/.dev
	$(BIN)/python scripts/render_reference.py
	$(BIN)/python scripts/render_notebooks.py
	$(BIN)/zensical build --strict --clean

coverage: $(VENV)/.dev
	$(BIN)/pytest -n auto --cov --cov-report=term:skip-covered --cov-report=html:build/coverage

# Other versions of the dependencies, each in an environment of its own. Both ignore the tested versions in
# pyproject.toml (--no-config); they run CORE, the tests that touch every dependency, or what TESTS names.
OLDEST := build/oldest
NEWEST := build/newest
CORE := tests/attacks tests/models tests/benchmarks tests/leaderboards tests/golden tests/scores tests/test_evaluate.py \
	tests/test_store.py tests/test_object_store.py tests/test_cli.py tests/test_scores.py tests/test_corrupt.py tests/test_train.py
TESTS ?= $(CORE)

test-oldest: $(BIN)/uv
	$(BIN)/uv venv --quiet --clear --no-config --python $(BIN)/python $(OLDEST)
	$(BIN)/uv pip install --quiet --no-config --python $(OLDEST) --resolution lowest-direct -e '.[dev]'
	$(OLDEST)/bin/pytest -n auto $(TESTS)

test-newest: $(BIN)/uv
	$(BIN)/uv venv --quiet --clear --no-config --python $(BIN)/python $(NEWEST)
	$(BIN)/uv pip install --quiet --no-config --python $(NEWEST) --upgrade -e '.[dev]'
	$(NEWEST)/bin/pytest -n auto $(TESTS)

# Build the package, and run it where nothing but its wheel is installed.
wheel: $(BIN)/uv
	rm -rf dist build/wheel
	$(BIN)/uv build --quiet
	$(BIN)/uv venv --quiet --python $(BIN)/python build/wheel
	$(BIN)/uv pip install --quiet --python build/wheel/bin/python dist/*.whl
	cd build/wheel && bin/robust-eval --model digits_standard

install: $(VENV)/.dev

# What CI installs: uv by its hashes in .github/uv.txt, then every package by its hash, from wheels alone. The hashes of
# the packages are those that the registry states; CONTRIBUTING.md says what that protects from.
REQUIREMENTS := build/requirements.txt

install-hashed: $(REQUIREMENTS)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --only-binary :all: -r $(REQUIREMENTS)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	touch $(VENV)/.demo $(VENV)/.dev

$(REQUIREMENTS): pyproject.toml .github/uv.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r .github/uv.txt
	mkdir -p $(@D)
	$(BIN)/uv pip compile --quiet --no-header --python $(BIN)/python --only-binary :all: --generate-hashes --extra dev \
		pyproject.toml --output-file $@

# Known vulnerabilities in what is installed by `make install-hashed`.
audit: $(REQUIREMENTS)
	$(BIN)/uv tool run pip-audit==2.10.1 --strict --disable-pip --require-hashes --requirement $(REQUIREMENTS)

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
