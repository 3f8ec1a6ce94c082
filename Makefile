# Everything a newcomer needs. Each target installs what is missing first (scripts/setup, which says
# nothing when nothing is), so a fresh Debian or Ubuntu with git and make is enough.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup run run-real test

# Where a run that is stopped goes on from; one that has finished leaves nothing. Own flags go before.
STORE = $(if $(findstring --checkpoints,$(ARGS)),,--checkpoints target/checkpoints)

# Arguments of the main job, e.g. make run ARGS="--rate 50000 --parallelism 4"
ARGS ?=

help:
	@echo 'make run    build the main job and run it on the flights of 2013; results in out/'
	@echo '            (arguments for it: make run ARGS="--rate 50000")'
	@echo 'make run-real  the main job on real Kafka, PostgreSQL, Elasticsearch and Redis, which it starts'
	@echo 'make test   every check: house rules, format, lints, tests, loom, golden scenarios, main job'
	@echo 'make setup  only install what building needs'

setup:
	@scripts/setup

run: setup
	@. scripts/toolchain.sh && toolchain_find && \
	cargo run --release --locked -p high_throughput -- run $(STORE) $(ARGS) && \
	rm -rf target/checkpoints

run-real:
	@scripts/setup all && scripts/run-real $(ARGS)

test:
	@scripts/setup all && scripts/test
