# The commands that run everything. `make` alone lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/qnt9
export UV_CACHE_DIR := $(CACHE)/uv
export PIP_CACHE_DIR := $(CACHE)/pip
# pip asks rustc for its version, and rustup would make itself a folder in HOME.
export RUSTUP_HOME := $(CACHE)/rustup
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_WARN_SCRIPT_LOCATION := 1
# Without cached bytecode each of the many processes that the tests start compiles all that it imports.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
UV := $(BIN)/uv
ARGS ?=

## Use

.PHONY: up
up: .venv/embedded ## start the whole system; ARGS="--detach --port-base 9000"
	@$(BIN)/qnt9 up $(ARGS)

.PHONY: down
down: .venv/embedded ## stop the system
	@$(BIN)/qnt9 down $(ARGS)

.PHONY: status
status: .venv/embedded ## show every process and its health
	@$(BIN)/qnt9 status $(ARGS)

.PHONY: secrets
secrets: ## with Docker: build the image, and create keys and passwords for compose.yaml in secrets/, once
	@docker build --quiet --tag qnt9:latest .
	@mkdir -p -m 700 secrets
	@docker run --rm --user "$$(id -u):$$(id -g)" --volume "$$PWD/secrets:/secrets" qnt9:latest qnt9 keys files /secrets

## Change

.PHONY: test
test: .venv/dev ## run every test, the proofs at a small size; ARGS="-k name"
	@$(BIN)/pytest --numprocesses 2 --dist loadscope --durations 30 $(ARGS)

.PHONY: test-fast
test-fast: .venv/dev ## run the tests that need no server, in under two minutes
	@$(BIN)/pytest --numprocesses 2 --dist loadscope --durations 10 -m "not stack and not postgres and not slow" $(ARGS)

NAME ?=
.PHONY: prove
prove: .venv/dev ## run the proofs at full size, results in docs/evidence/; NAME=kills for one
	@QNT9_PROVE=full $(BIN)/pytest -m prove $(if $(NAME),-k "$(NAME)") $(ARGS)

.PHONY: bench
bench: .venv/dev ## compare with three plain services, results in docs/evidence/; ARGS="--only put_watchlist --clients 64 --seconds 5"
	@$(BIN)/python -m bench $(ARGS)

.PHONY: check
check: .venv/dev ## check style, types, layers, dependencies and schemas; changes nothing
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/qnt9 schemas --check
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec compose.yaml
	$(BIN)/kubernetes-validate -k 1.34 --strict --quiet infra/helm/rendered/*/qnt9.yaml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/ci.yaml

.PHONY: format
format: .venv/dev ## fix what ruff can fix
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: schemas
schemas: .venv/dev ## generate schemas/ and the pages and tables made from code
	$(BIN)/qnt9 schemas
	$(BIN)/python -m tests.support.infra.schema_page

COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate --generate-hashes

.PHONY: lock
lock: .venv/dev ## resolve the dependencies into requirements/
	$(COMPILE) pyproject.toml --output-file requirements/runtime.txt
	$(COMPILE) pyproject.toml --extra embedded --output-file requirements/embedded.txt
	$(COMPILE) pyproject.toml --extra embedded --extra bench --extra dev --output-file requirements/dev.txt

.PHONY: sbom
sbom: .venv/dev ## write bills of materials (CycloneDX) into build/sbom/
	@$(BIN)/python -m operations.release sbom $(ARGS)

.PHONY: audit
audit: .venv/dev ## look for known vulnerabilities; exit code 3 if it could not run
	@$(BIN)/python -m operations.release audit $(ARGS)

VERSION ?=
.PHONY: release-prepare
release-prepare: .venv/dev ## write version, changelog and baseline of a release; VERSION=0.2.0
	@$(BIN)/python -m operations.release prepare "$(VERSION)"
	@$(MAKE) .venv/dev
	@$(BIN)/qnt9 schemas --release

.PHONY: release
release: .venv/dev ## build wheel, bills of materials, image and checksums; ARGS=--no-image
	@$(BIN)/python -m operations.release build $(ARGS)

RANGE ?= origin/main..HEAD
.PHONY: check-commits
check-commits: .venv/dev ## check commit messages (Conventional Commits); RANGE=a..b
	@$(BIN)/python -m operations.release check-commits "$(RANGE)"

.PHONY: pin-images
pin-images: .venv/dev ## write the images of compose.yaml by digest; needs Docker
	@$(BIN)/python -m operations.release pin-images $(ARGS)

.PHONY: screenshots
screenshots: .venv/dev ## take pictures of the front end's pages for docs/screenshots/; needs Chromium
	@QNT9_SCREENSHOTS=yes $(BIN)/pytest tests/e2e/web/test_screenshots.py $(ARGS)

.PHONY: vendor
vendor: .venv/dev ## fetch the vendored packages of /docs and the front end from npm; needs npm
	@$(BIN)/python -m operations.release vendor $(ARGS)

.PHONY: clean
clean: ## remove the virtual environment and caches, never data
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

.PHONY: help
help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The virtual environment. `dev` has all that `embedded` has, so an environment for one never has
# to make way for the other: whoever once ran the tests starts the system from the same one.

PINNED := pyproject.toml requirements/uv.txt requirements/build.txt

$(UV): requirements/uv.txt
	@mkdir -p "$(CACHE)" 2>/dev/null && test -w "$(CACHE)" || { \
	  echo "cannot write the cache folder $(CACHE): set XDG_CACHE_HOME or HOME to where you may" >&2; exit 1; }
	@for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "making .venv with $$("$$python" -V)"; exec "$$python" -m venv .venv; \
	  fi; \
	done; \
	echo "Python 3.11 or newer is needed, python3 is $$(python3 -V 2>&1): make PYTHON=/path/to/python" >&2; exit 1

	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/uv.txt
	@touch $@

define install
	@echo "installing requirements/$(1).txt"
	@$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements/$(1).txt
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/build.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
endef

.venv/dev: $(UV) $(PINNED) requirements/dev.txt
	$(call install,dev)
	@touch .venv/dev .venv/embedded

.venv/embedded: $(UV) $(PINNED) requirements/embedded.txt
	@if test -e .venv/dev; then $(MAKE) .venv/dev; else $(MAKE) .venv/embedded-only; fi
	@touch $@

.PHONY: .venv/embedded-only
.venv/embedded-only:
	$(call install,embedded)
