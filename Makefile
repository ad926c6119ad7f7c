# The CI's jobs, word for word. `make venv` first; every other target does it if needed.
.DELETE_ON_ERROR:
.PHONY: help venv lint test e2e attacks fuzz demo reference perf perf-report docs

PYTHON := .venv/bin/python
ENGINE ?= sandbox
DEMO_sandbox := .venv/bin/mpgit demo
DEMO_docker := $(PYTHON) tools/demo_images.py .venv/bin/mpgit demo --engine docker
JOBS ?= 2
SECONDS_EACH ?= 30

help:
	@echo "make lint   ruff, mypy, import-linter, generated files"
	@echo "make test   all tests; installs what they need where it may (root, or sudo in CI)"
	@echo "make e2e    the end-to-end tests alone"
	@echo "make attacks   the attack corpus: each refused for its own reason, each twin accepted"
	@echo "make fuzz   a minute of fuzzing (SECONDS_EACH=30 for each of two targets)"
	@echo "make demo   three hospitals, one benchmark, on this machine (ENGINE=docker for Docker)"
	@echo "make reference   plays the story anew into registry/ and its history"
	@echo "make perf   measurements"
	@echo "make docs   writes the generated files"

venv: .venv/dev.stamp

.venv/dev.stamp: locks/dev.txt pyproject.toml tools/venv.sh
	@bash tools/venv.sh dev

# A developer's environment will do for the demo; a stranger gets the smaller one.
.venv/demo.stamp: locks/demo.txt pyproject.toml tools/venv.sh
	@test -e .venv/dev.stamp || bash tools/venv.sh demo

lint: .venv/dev.stamp
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(PYTHON) tools/generate.py --check
	bash tools/lint_workflows.sh

test: .venv/dev.stamp
	bash tools/test_needs.sh
	$(PYTHON) tools/run_tests.py -n $(JOBS) --dist loadgroup

e2e: .venv/dev.stamp
	bash tools/test_needs.sh
	$(PYTHON) tools/run_tests.py -n $(JOBS) tests/e2e

attacks: .venv/dev.stamp
	$(PYTHON) -m tests.attacks.run

fuzz: .venv/dev.stamp
	$(PYTHON) -m fuzz --seconds $(SECONDS_EACH)

demo: .venv/demo.stamp
	bash tools/demo_needs.sh $(ENGINE)
	$(DEMO_$(ENGINE))

reference: .venv/dev.stamp
	bash tools/demo_needs.sh sandbox
	$(PYTHON) tools/reference_registry.py

perf: .venv/dev.stamp
	$(PYTHON) -m perf

perf-report: .venv/dev.stamp
	mkdir -p build
	MPGIT_PERF_JSON=build/growth.json $(PYTHON) -m perf growth
	$(PYTHON) -m perf.report build/growth.json

docs: .venv/dev.stamp
	$(PYTHON) tools/generate.py
