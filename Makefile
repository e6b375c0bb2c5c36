# make figure-12            train what Figure 12 lacks, draw it, judge its claims
# make figures              all that are defined
# make table-4              a table of the paper, with the scale's values beside the paper's
# make plan FIGURE=12 SCALE=paper
#
# SCALE=smoke|cpu|gpu|paper  RUNS=DIR (store)  DATA=DIR  OUT=DIR  JOBS=N  SEEDS=0,1,2
# VENV=DIR    the environment; made when it does not exist, completed (your torch stays) when it does
# PYTHON=EXE  use this interpreter as it is and install nothing

SCALE ?= cpu
VENV ?= .venv
# The digest of what the environment is made from: set up again when it changes, and only then.
STAMP := $(VENV)/.ademamix-$(shell cat requirements.lock pyproject.toml | git hash-object --stdin)

ifdef PYTHON
SETUP :=
else
PYTHON := $(VENV)/bin/python
SETUP := $(STAMP)
endif

RUN := $(PYTHON) -m ademamix
STORE := $(if $(RUNS),--runs "$(RUNS)")
WRITE := $(if $(OUT),--out "$(OUT)")
TRAIN := --scale $(SCALE) $(STORE) $(if $(DATA),--data "$(DATA)") $(WRITE) \
         $(if $(JOBS),--jobs $(JOBS)) $(if $(SEEDS),--seeds $(SEEDS))

.PHONY: help setup figures tables plan status plots claims docs export import bench test lint types pytest
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# \{0,1\}//p' Makefile | head -9

setup: $(SETUP)

$(STAMP):
	@tools/setup.sh "$(VENV)"
	@rm -f "$(VENV)"/.ademamix-????????????????????????????????????????
	@touch "$@"

figure-%: $(SETUP)
	@$(RUN) run --figure $* $(TRAIN)

table-%: $(SETUP)
	@$(RUN) run --table $* $(TRAIN)

# All that need no training, or whose models are trained: with the paper's values, and those of a scale asked for.
tables: $(SETUP)
	@$(RUN) table $(if $(filter command environment%,$(origin SCALE)),--scale $(SCALE)) $(WRITE)

figures: $(SETUP)
	@$(RUN) run $(TRAIN)

plan: $(SETUP)
	@$(RUN) plan --scale $(SCALE) $(foreach f,$(FIGURE),--figure $(f)) \
		$(foreach t,$(TABLE),--table $(t)) $(STORE) $(if $(SEEDS),--seeds $(SEEDS))

status: $(SETUP)
	@$(RUN) status $(STORE)

plots: $(SETUP)
	@$(RUN) plot $(WRITE)

claims: $(SETUP)
	@$(RUN) claims $(WRITE)

docs: $(SETUP)
	@$(RUN) docs

export: $(SETUP)
	@$(RUN) export --scale $(SCALE) $(STORE) $(WRITE)

import: $(SETUP)
	@$(RUN) import $(STORE)

bench: $(SETUP)
	@$(PYTHON) benchmarks/training.py
	@$(PYTHON) benchmarks/optimizer.py

test: lint types pytest

lint: $(SETUP)
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .

types: $(SETUP)
	@$(PYTHON) -m mypy

pytest: $(SETUP)
	@$(PYTHON) -m pytest -n auto --dist loadfile
