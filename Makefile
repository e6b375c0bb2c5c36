# make figure-12            train what Figure 12 lacks, draw it, judge its claims; make figure-12a: one panel
# make figures              all that are defined; FIGURE=12,13 only these
# make table-4              a table of the paper, with the scale's values beside the paper's; make tables: all
# make plan                 runs, what they share, what they cost: FIGURE=12 TABLE=7 SCALE=paper
# make sweep FILE=mine.yaml hyperparameters of your own (docs/sweeps.md)
# make status               what is done, running, diverged, failed, at each scale
# make runs                 the runs there are, by what differs: FIGURE=12 SCALE=cpu STATE=failed
# make plots claims docs report    draw, judge, write pages and report again from what is committed
# make export import        records of finished runs to and from figures/<scale>/records
# make test                 lint types pytest
# make gpu-day              an hour on one GPU in calls of MINUTES=9, results in OUT=DIR (docs/gpu.md)
# make bench                the cost of the training loop, of the optimizer, of preparing data
# make setup                the environment, which every other target makes when it is missing
#
# SCALE=smoke|cpu|gpu|paper  RUNS=DIR (store)  DATA=DIR  OUT=DIR  JOBS=N  DEVICE=cpu|cuda  SEEDS=0,1,2
# LAUNCHER=slurm CLUSTER=configs/clusters/NAME.yaml  WAIT=1  DRY_RUN=1  RETRY=1    (docs/running-on-slurm.md)
# PACK=N|auto runs of one shape that a worker trains as one program                  (docs/gpu.md)
# GPUS=N      GPUs that train one run together, here (with DEVICE=cpu: processes)    (docs/scaling.md)
# SHARD=1     each of those GPUs keeps a part of weights and moments alone (FSDP2)
# VENV=DIR    the environment; made when it does not exist, completed (your torch stays) when it does
# ADEMAMIX_PYTHON=EXE  make it with this interpreter (one built without optimisation, as pyenv's are, is a quarter slower)
# PYTHON=EXE  use this interpreter as it is and install nothing
# One run outside any figure, overrides and more: python -m ademamix --help

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
         $(if $(JOBS),--jobs $(JOBS)) $(if $(DEVICE),--device $(DEVICE)) $(if $(GPUS),--gpus-per-run $(GPUS)) \
         $(if $(SHARD),--shard) $(if $(PACK),--pack $(PACK)) $(if $(SEEDS),--seeds $(SEEDS)) \
         $(if $(LAUNCHER),--launcher $(LAUNCHER)) $(if $(CLUSTER),--cluster "$(CLUSTER)") \
         $(if $(WAIT),--wait) $(if $(DRY_RUN),--dry-run) $(if $(RETRY),--retry)
FIGURES := $(if $(FIGURE),--figure "$(FIGURE)")
# Tests start hundreds of interpreters. Where the environment forbids to keep bytecode, as in many containers, each would
# compile torch's modules anew, for 3.5 of its 6 seconds.
TESTS := env -u PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX="$(abspath $(VENV))/bytecode" $(PYTHON) -m pytest

.PHONY: help setup figures tables sweep plan status runs plots claims docs report export import bench gpu-day test lint types \
        pytest test-slurm
.DEFAULT_GOAL := help

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

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
	@$(RUN) run $(FIGURES) $(TRAIN)

sweep: $(SETUP)
	@$(RUN) sweep $(FILE) $(TRAIN)

plan: $(SETUP)
	@$(RUN) plan --scale $(SCALE) $(FIGURES) $(foreach t,$(TABLE),--table $(t)) $(STORE) \
		$(if $(SEEDS),--seeds $(SEEDS))

status: $(SETUP)
	@$(RUN) status $(STORE)

runs: $(SETUP)
	@$(RUN) runs $(FIGURES) $(ASKED) $(if $(STATE),--state $(STATE)) $(STORE)

plots: $(SETUP)
	@$(RUN) plot $(FIGURES) $(ASKED) $(WRITE)

claims: $(SETUP)
	@$(RUN) claims $(FIGURES) $(ASKED) $(WRITE)

report: $(SETUP)
	@$(RUN) report $(WRITE)

docs: $(SETUP)
	@$(RUN) docs

export: $(SETUP)
	@$(RUN) export --scale $(SCALE) $(STORE) $(WRITE)

import: $(SETUP)
	@$(RUN) import $(STORE) $(if $(DATA),--data "$(DATA)")

bench: $(SETUP)
	@$(PYTHON) -m benchmarks.training
	@$(PYTHON) -m benchmarks.optimizer
	@$(PYTHON) -m benchmarks.data
	@$(PYTHON) -m benchmarks.images

gpu-day: $(SETUP)
	@$(PYTHON) -m benchmarks.gpu_day --out "$(or $(OUT),out/gpu-day)" $(if $(MINUTES),--minutes $(MINUTES)) \
		$(if $(DATA),--data "$(DATA)") $(if $(RUNS),--runs "$(RUNS)") $(if $(DEVICE),--device $(DEVICE)) \
		$(if $(filter command environment%,$(origin SCALE)),--scale $(SCALE)) $(if $(PACK),--pack $(PACK)) \
		$(if $(RETRY),--retry) $(if $(QUICK),--quick) $(foreach f,$(FIGURE),--figure $(f))

test: lint types pytest

lint: $(SETUP)
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .

types: $(SETUP)
	@$(PYTHON) -m mypy

pytest: $(SETUP)
	@$(TESTS) -n auto --dist loadfile

# A real Slurm on this machine, started for the tests; they say so and are skipped where it cannot be.
test-slurm: $(SETUP)
	@$(TESTS) tests/slurm -m slurm -rs
