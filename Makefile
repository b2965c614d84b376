# What a person types here. `make demo` and `make test` need nothing but Python 3.11, git and a network.
SHELL := /bin/bash
# Hundreds of short processes run here; some machines tell Python not to keep what it has compiled.
export PYTHONDONTWRITEBYTECODE :=
BIN := .venv/bin
UV_LOCK := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	--quiet --upgrade
SOURCES := src tests scripts benchmarks hatch_build.py

.PHONY: help demo test test-setup check format docs bench soak lock clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: ## Build the demo archive and serve it (PORT=8000, ROOT=./tomotheca-data)
	@scripts/install.sh run
	@scripts/demo.sh

test-setup:
	@scripts/install.sh dev
	@scripts/programs.sh
	@scripts/real_files.sh || echo "The tests on real files are skipped."
	@scripts/clients.sh || echo "The tests of clients in environments of their own are skipped."

test: test-setup ## Run the tests, one process more than cores, since many wait for servers (ARGS= goes to pytest)
	@$(BIN)/pytest -n $$(( $$(getconf _NPROCESSORS_ONLN) + 1 )) --dist loadfile --no-loadscope-reorder $(ARGS)

check: test-setup ## Everything that CI runs: format, lint, types, docs, licences, then the tests
	@$(BIN)/ruff format --check $(wildcard $(SOURCES))
	@$(BIN)/ruff check $(wildcard $(SOURCES))
	@$(BIN)/mypy
	@$(BIN)/python scripts/check_licences.py
	@$(BIN)/python scripts/docs.py --check
	@$(BIN)/python scripts/messages.py --check
	@$(MAKE) --no-print-directory test

format: ## Format the code and apply the linter's safe fixes
	@$(BIN)/ruff check --fix $(wildcard $(SOURCES))
	@$(BIN)/ruff format $(wildcard $(SOURCES))

docs: ## Write the generated documentation
	@scripts/install.sh dev
	@$(BIN)/python scripts/docs.py
	@$(BIN)/python scripts/messages.py

bench: ## Print the figures of docs/benchmarks.md
	@scripts/install.sh dev
	@scripts/run_all.sh benchmarks bench_

soak: ## Run the long tests: crashes at random moments, clients too large for CI
	@scripts/install.sh dev
	@scripts/run_all.sh benchmarks soak_

lock: ## Write the lock files anew, from pyproject.toml and assets/package.json
	@scripts/install.sh dev
	@$(UV_LOCK) pyproject.toml --group dev -o requirements/dev.txt
	@$(UV_LOCK) pyproject.toml -c requirements/dev.txt -o requirements/run.txt
	@$(UV_LOCK) requirements/clients.in -o requirements/clients.txt
	@$(UV_LOCK) requirements/clients-copick.in -o requirements/clients-copick.txt
	@cd assets && npm install --package-lock-only

clean: ## Remove what was built (not the archive)
	@rm -rf .venv build dist .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@rm -rf assets/node_modules assets/dist src/tomotheca/web/static/vendor
