# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
#
# make demo    onboard twelve people in the simulated estate, twice
# make test    everything that CI runs: tests, checks, molecule
# make lint    the checks alone
# make lab     the simulated estate in the foreground, with its inventory
# make soak    hundreds of runs against faults of all kinds, then onboardings over connections that break, then killed ones; SOAK_SEED= SOAK_RUNS= (1 tells the whole story) SOAK_BROKEN= SOAK_KILLS=
# make bench   ratios against the plain way, one line each; BENCH_PEOPLE=1000 BENCH_ROUNDS=3 measure for longer, BENCH_SERVERS= takes fewer, BENCH_ONLY= takes parts, SPAWN_MS= models starts of processes
# make matrix  the tests with ansible-core 2.16 and newer, as far as this machine has the Pythons for them
# make clean   take away what the other targets made

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
export PYTHONDONTWRITEBYTECODE := 1
export PYTHONPATH := .view:tests

.PHONY: demo test lint lab soak bench matrix clean
.DEFAULT_GOAL := help

help:
	@grep -E '^# make' Makefile | sed 's/^# //'

demo:
	@tools/prepare.sh demo
	@.venv/bin/python -m lab demo

lab:
	@tools/prepare.sh demo
	@.venv/bin/python -m lab up

test:
	@tools/prepare.sh test
	@tools/test.sh

lint:
	@tools/prepare.sh test
	@tools/lint.sh

soak:
	@tools/prepare.sh test
	@.venv/bin/python -m soak
	@.venv/bin/python -m soak.broken
	@.venv/bin/python -m soak.kills

bench:
	@tools/prepare.sh test
	@.venv/bin/python -m bench $(if $(SPAWN_MS),--spawn-ms $(SPAWN_MS))

matrix:
	@tools/prepare.sh test
	@tools/matrix.sh

clean:
	rm -rf .venv .view .view-copy .cache tests/output .mypy_cache .ruff_cache .pytest_cache .hypothesis
