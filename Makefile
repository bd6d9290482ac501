# SPDX-License-Identifier: Apache-2.0
# The commands of this repository; `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help setup kernels demo serve pipelines test lint format bench phantom-bench spec-coverage parity gpu-check clean
PY := .venv/bin/python

help:            ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t18

setup:           ## environment, auction backend, exported model
	@./deploy/bootstrap.sh
	@$(MAKE) --no-print-directory kernels
	@$(PY) -m export.llm

kernels:         ## build the C++ auction backend
	@$(MAKE) --no-print-directory -C kernels_cuda all

demo: setup      ## ask a built-in chat, show every token's auction, stop everything
	@.venv/bin/skynet demo

serve: setup     ## keep the stack up until Ctrl-C
	@.venv/bin/skynet serve

pipelines: setup ## Dagster with everything loaded, until Ctrl-C: http://127.0.0.1:3000
	@.venv/bin/skynet pipelines

test: setup      ## the whole test suite
	$(PY) -m pytest -q

lint: setup      ## ruff, mypy, clang-format
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(MAKE) --no-print-directory -C kernels_cuda format-check CLANG_FORMAT=$(CURDIR)/.venv/bin/clang-format

format: setup    ## let the formatters decide
	$(PY) -m ruff check --fix -q .
	$(PY) -m ruff format -q .
	$(MAKE) --no-print-directory -C kernels_cuda format CLANG_FORMAT=$(CURDIR)/.venv/bin/clang-format

bench: setup     ## measured figures, each beside its bare floor in the same run
	$(PY) -m perf_analyzer_configs.bench

phantom-bench: setup  ## pricing policies under agents, short: tables and plots in build/phantom
	@.venv/bin/skynet phantom bench --tiers static,surge,linear,ppo --robust none,w1,conditional \
	  --alpha-values 0,0.4,0.8 --seeds 3 --timesteps 1200 --out build/phantom_bench

parity: setup    ## the exported model against the fp32 reference
	$(PY) -m export.llm.parity

gpu-check:       ## CUDA kernels on this machine's GPU, into docs/gpu_results.md; or LIBRARY=built elsewhere
	@command -v nvcc >/dev/null || test -n "$(LIBRARY)" || \
	  { echo "gpu-check: no nvcc here; make gpu-check LIBRARY=PATH takes a library built elsewhere"; exit 2; }
	@$(MAKE) --no-print-directory -C kernels_cuda -j2 build/libskynet_auction_host.so \
	  $(if $(LIBRARY),,cuda)
	@$(or $(wildcard $(PY)),python3) -m kernels_cuda.cuda.check $(if $(LIBRARY),--library $(LIBRARY))

spec-coverage:   ## seed cases covered by the tests that last ran and passed
	@test -f build/spec_results.json || $(MAKE) --no-print-directory test
	@$(PY) -m tests.spec_coverage

clean:           ## build outputs, exported models, logs; not .venv
	rm -rf build .cache .state
	$(MAKE) --no-print-directory -C kernels_cuda clean
