# Two commands are all a newcomer needs: `make demo` and `make test`. Both set up .venv by themselves.

# The first Python of 3.11 or newer; name another with `make PYTHON=… demo`.
PYTHON ?= $(shell for p in python3 python3.12 python3.11 python3.13; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
CODE := domain workflows tasks adapters api workers config cli console benchmarks tests

.PHONY: demo test check bench format lock setup clean

demo: setup
	@$(BIN)/slipway demo

# Most tests wait for processes, so two run at a time; those of a file share servers and stay together.
PYTEST ?= -n 2 --dist loadfile

test: setup
	$(BIN)/python -m pytest $(PYTEST)

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(CODE)
	$(BIN)/python -m pytest -q tests/unit/test_architecture.py

bench: setup
	$(BIN)/python -m benchmarks $(BENCH)

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

setup: .venv/.ready

.venv/.ready: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; none was found on the PATH."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# Needs uv; exact versions and hashes for every Python we support, and no address of an index.
lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--group dev --upgrade pyproject.toml --output-file requirements.lock

clean:
	@test ! -x $(BIN)/slipway || $(BIN)/slipway demo --clean
	rm -rf .venv .slipway .mypy_cache .ruff_cache .pytest_cache .hypothesis
