# Every target first installs what is missing (Debian packages, .venv, kubectl): see .ci/install.
SHELL := /bin/bash
export PATH := $(CURDIR)/.venv/bin:$(PATH)

SEEDS ?= 20000
MACHINES ?= 40
PYTEST_ARGS ?=
WORKERS ?= 2
PARTS := nix-bin qemu-system-x86 vde2 busybox-static iproute2 openssh-client git

.PHONY: help parts engine demo test soak bench lint format types layers docs chart wheel clean install

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

install: ## what the other targets need
	@.ci/install

parts: install # real Nix, QEMU and what goes with them; where they cannot be had, the tests that need them are skipped by name
	@.ci/install $(PARTS) || echo "going on without some of: $(PARTS)" >&2

engine: parts # the same for containers: an engine for the tests' own dockerd, and docker compose
	@.ci/engine || echo "going on without a Docker engine, or without docker compose" >&2

demo: parts ## a local control plane, the operator and a deployment, to look at
	@examples/demo

test: engine ## all tests but the benchmarks and the soak, two files at a time (WORKERS=0: one after the other)
	pytest -n $(WORKERS) --dist loadfile --max-worker-restart 0 $(PYTEST_ARGS)

soak: parts ## SEEDS scenarios in virtual time; MACHINES deployments on real machines under random faults
	python -m tests.scenarios.soak --seeds $(SEEDS)
	@[ $(MACHINES) = 0 ] || NXC_SOAK_MACHINES=$(MACHINES) pytest -n 0 -q tests/system/vm/test_soak.py

bench: engine ## time, memory and API requests, of machines beside a shell script, measured in one run
	python -m tests.bench

lint: install ## style
	ruff check .
	ruff format --check .

format: install ## puts the style right
	ruff check --fix .
	ruff format .

types: install ## mypy --strict
	mypy

layers: install ## who may import whom
	lint-imports

docs: parts ## docs/api-reference.md from crds/, docs/seed-options.md from nix/seed/modules
	python .ci/api_reference.py crds docs/api-reference.md
	NIX_CONFIG= nix-instantiate --store dummy:// --eval --strict --json nix/seed/documentation.nix | \
	  python -c 'import json, sys; sys.stdout.write(json.load(sys.stdin))' >docs/seed-options.md.new
	mv docs/seed-options.md.new docs/seed-options.md

chart: install ## charts/ through helm, which is unpacked into .venv where there is none
	@command -v helm >/dev/null || python .ci/unpack.py helm .venv/bin/helm
	helm lint --quiet charts/nxc-controller --set image.repository=example.org/nxc-controller
	pytest -q tests/conformance/test_chart.py

wheel: install ## builds dist/*.whl and looks inside
	.ci/wheel

clean: ## everything that a target made
	rm -rf .demo .venv build dist .bench .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
