# `make lab` and `make test` need nothing set up before. `make` alone lists the targets.
# To use an environment of your own (conda, an active venv): make test PYTHON=python

VENV := .venv
STAMP := $(VENV)/.installed
PHOTOS ?=
RUN ?= runs/small
MINUTES ?= 600
IMAGES ?= data/images
MODEL ?= small
VALIDATION ?=
RESULT ?= data/results/$(notdir $(IMAGES:/=)).json
HELD = $(if $(VALIDATION),--validation "$(VALIDATION)")
PYTEST_ARGS ?=
RULER_ARGS ?=
WORKERS ?= 2
LAB_ARGS ?=

ifeq ($(origin PYTHON),command line)
  READY :=
  IN_ENV :=
else
  PYTHON := $(VENV)/bin/python
  READY := $(STAMP)
  IN_ENV := PATH="$(CURDIR)/$(VENV)/bin:$$PATH"
endif

# Where this is set (in many containers), each process and each kernel compiles torch anew: 8 s, not 4. Empty is unset.
export PYTHONDONTWRITEBYTECODE :=

# Say little when most is there already. Python compiles what is used when it is used: all of it takes a third of the time.
PIP_ARGS := --disable-pip-version-check --no-compile $(if $(wildcard $(VENV)/lib/python3.*/site-packages/torch/version.py),--quiet)

.DEFAULT_GOAL := help
.SUFFIXES:
.PHONY: help .venv lab test test-browser lint notebooks site student train evaluate complexity rulers ablation weak arms trials endings card figures clean

help:  ## list these targets
	@awk -F ':.*## ' '/^[.a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.venv: $(READY)  ## make the Python environment (the others do it when they need it)

# Written last, so an interrupted install is taken up again. A pyenv shim can exist and yet not run, so each is tried.
$(STAMP): pyproject.toml constraints.txt
	@if ! $(VENV)/bin/python -m pip --version >/dev/null 2>&1; then \
	    found=; \
	    for python in python3.12 python3.11 python3.10 python3 python; do \
	        if "$$python" -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' \
	            >/dev/null 2>&1; then found=$$python; break; fi; \
	    done; \
	    if [ -z "$$found" ]; then \
	        echo "No suitable Python found: ccalib needs 3.10, 3.11 or 3.12, with its venv module." >&2; \
	        echo "(compressai, the entropy coder, has no wheel for 3.13 and later, nor for Windows.) Any of these helps:" >&2; \
	        echo "  Debian, Ubuntu   apt install python3-venv (or python3.12 python3.12-venv, if the system has it)" >&2; \
	        echo "  macOS, Linux     conda env create -f environment.yml; conda activate ccalib; make lab PYTHON=python" >&2; \
	        echo "  Windows          install WSL (wsl --install), and run make there" >&2; \
	        exit 1; \
	    fi; \
	    echo "Making $(VENV) with $$("$$found" --version); the first install downloads what README.md says."; \
	    "$$found" -m venv --clear $(VENV); \
	fi
	$(VENV)/bin/python -m pip install $(PIP_ARGS) -c constraints.txt -e ".[dev]"
	@$(VENV)/bin/python -W ignore -c "import torch, torchvision, compressai.ans"
	@# no questions about news and no look-ups of updates: the course needs no network
	@$(VENV)/bin/python -m jupyter labextension disable --level=sys_prefix "@jupyterlab/apputils-extension:announcements" \
	    >/dev/null 2>&1 || echo "(JupyterLab will ask about its news: it could not be told not to)"
	@touch $(STAMP)

lab: $(READY)  ## open JupyterLab on the first notebook
	$(IN_ENV) $(PYTHON) -m jupyter lab --ServerApp.root_dir=notebooks $(if $(filter 0,$(shell id -u)),--allow-root) \
	    $(LAB_ARGS) notebooks/00_tour.ipynb

# Processes beside each other, one thread each: two with two threads each would wait for one another on two cores.
# (A student's copy has no tests and no solutions; its exercises run as the lessons do. Here a test runs them, in one process.)
SIDE_BY_SIDE = OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n $(WORKERS) --dist loadfile

test: $(READY)  ## run the tests and check the notebooks (some tests: PYTEST_ARGS="-k file")
	$(if $(wildcard tests),$(IN_ENV) $(SIDE_BY_SIDE) $(PYTEST_ARGS))
	$(IN_ENV) $(PYTHON) -m ccalib.lessons.build --check
	$(IN_ENV) $(PYTHON) -m ccalib.lessons.exercises.build --check
	$(IN_ENV) $(SIDE_BY_SIDE) -p ccalib.lessons.kernels --nbval --nbval-current-env --nbval-cell-timeout=300 notebooks/[0-9]*.ipynb \
	    $(if $(wildcard tests),,notebooks/exercises/[0-9]*.ipynb)

test-browser: $(READY)  ## drive the widgets, JupyterLab and the site in a Chromium of yours (CCALIB_CHROMIUM names it)
	@$(PYTHON) -c "import axe_playwright_python, playwright" 2>/dev/null || \
	    $(PYTHON) -m pip install $(PIP_ARGS) -c constraints.txt -e ".[dev,browser]"
	$(IN_ENV) CCALIB_BROWSER=1 $(SIDE_BY_SIDE) tests/browser $(PYTEST_ARGS)

lint: $(READY)  ## check the style of the code
	$(PYTHON) -m ruff check .

notebooks: $(READY)  ## build and execute notebooks/*.ipynb from notebooks/source/*.py
	$(IN_ENV) $(PYTHON) -m ccalib.lessons.build
	$(IN_ENV) $(PYTHON) -m ccalib.lessons.exercises.build

site: $(READY)  ## the lessons as static HTML in site/ (runs the notebooks; unchanged ones are remembered)
	$(IN_ENV) $(PYTHON) -m ccalib.lessons.site -o site

student: $(READY)  ## the last commit without solutions and tests, as ccalib-student.zip
	$(IN_ENV) $(PYTHON) -m ccalib.lessons.student -o ccalib-student.zip

train: $(READY)  ## train `small` in the background: make train PHOTOS=FOLDER MINUTES=600 (once more: it resumes; FROM=FILE: from there)
	@if [ ! -d "$(PHOTOS)" ]; then echo "make train PHOTOS=FOLDER: name a folder of photographs" >&2; exit 2; fi
	@if ps -o args= -p "$$(cat "$(RUN)/pid" 2>/dev/null)" 2>/dev/null | grep -q "ccalib train"; then \
	    echo "$(RUN): process $$(cat "$(RUN)/pid") is still at it" >&2; exit 2; fi
	@mkdir -p "$(RUN)"
	@if [ -f "$(RUN)/last.pt" ]; then set -- --resume; else set -- --minutes $(MINUTES) $(if $(FROM),--continue-from "$(FROM)"); fi; \
	    $(IN_ENV) nohup $(PYTHON) -m ccalib train "$(PHOTOS)" --run "$(RUN)" $(HELD) --quiet "$$@" \
	    >> "$(RUN)/output.txt" 2>&1 < /dev/null & echo $$! > "$(RUN)/pid"; \
	    echo "Training in process $$!. Watch it: tail -f $(RUN)/output.txt $(RUN)/log.jsonl. Stop it (it saves): kill $$!"

evaluate: $(READY)  ## measure the weights on a folder: make evaluate IMAGES=FOLDER
	$(IN_ENV) $(PYTHON) -m ccalib evaluate "$(IMAGES)" -o "$(RESULT)" --model "$(MODEL)" --plot "$(basename $(RESULT)).png"

complexity: $(READY)  ## parameters, kMAC/pixel and milliseconds of the presets (the paper's Table 2)
	$(IN_ENV) $(PYTHON) -m ccalib.evaluation.complexity --image data/images/stream.png -o data/results/complexity.json

rulers: $(READY)  ## fit entropy models to frozen weights and measure: make rulers PHOTOS=FOLDER IMAGES="FOLDER FOLDER"
	$(IN_ENV) $(PYTHON) -m ccalib rulers $(PHOTOS) --model $(MODEL) $(HELD) $(addprefix --images ,$(IMAGES)) $(RULER_ARGS)

# The course's results and weights: what is there is not trained again. (`ccalib ablation` by itself keeps its own.)
ABLATION := --results data/results/ablation --keep data/weights/ablation
NAMES ?= [!w]*
NAMED = $(foreach name,$(NAMES),'$(name)')
ablation: MINUTES = 10
ablation: $(READY)  ## train and compare the arms: make ablation PHOTOS=FOLDER (once more: it goes on; some: NAMES="k1.7-*-s0")
	$(IN_ENV) $(PYTHON) -m ccalib ablation $(NAMED) --photos "$(PHOTOS)" --minutes $(MINUTES) $(HELD) $(ABLATION)
	$(IN_ENV) $(PYTHON) -m ccalib ablation $(NAMED) --rulers --photos "$(PHOTOS)" $(HELD) $(ABLATION)

weak: $(READY)  ## the ablation's runs with a weak entropy model, on their own plan: make weak PHOTOS=FOLDER
	$(IN_ENV) $(PYTHON) -m ccalib ablation 'weak-*' --photos "$(PHOTOS)" $(HELD) --results data/results/ablation_weak \
	    --runs runs/weak --keep runs/weak/kept $(if $(wildcard data/results/ablation_weak/plan.json),,--steps 3000 --settings '{"bf16": false}')

# Each command goes on where it stopped, so the whole does; an arm whose results are there is left alone. Equal time: as
# many steps as fit by step times that are measured first. The constant phase of `small` ended with what is in .training.
ARMS := plain honest released
ARM_PHASE := --batch 4 --crop 192
ARM_plain := --loss plain $(ARM_PHASE)
ARM_honest := --loss honest --alpha 0.05 --alpha-fall 0.7 $(ARM_PHASE)
ARM_released := --loss released $(ARM_PHASE)
ARM_RESULTS := data/results/arms
ARM_RUNS := runs/arms
ARM_ARGS ?=
arms: MINUTES = 60
arms: FROM = $(FORK)
ARMS_TO_DO = $(strip $(foreach loss,$(ARMS),$(if $(wildcard $(ARM_RESULTS)/small-$(loss).json),$(if $(wildcard $(ARM_RUNS)/$(loss)/last.pt),$(loss)),$(loss))))
arms: $(READY)  ## train `small` (or FROM=FILE) on with each loss, and measure: make arms PHOTOS=FOLDER IMAGES="FOLDER FOLDER" VALIDATION=FILE
	@for loss in $(filter-out $(ARMS_TO_DO),$(ARMS)); do \
	    echo "$$loss: its results are in $(ARM_RESULTS); name another ARM_RESULTS (and ARM_RUNS) to train it again"; done
	$(if $(ARMS_TO_DO),$(train_arms))

define train_arms
	@if [ ! -d "$(PHOTOS)" ] || [ ! -f "$(FROM)" ]; then \
	    echo "make arms PHOTOS=FOLDER: name a folder of photographs, and FROM=FILE where $(FROM) is missing" >&2; exit 2; fi
	@mkdir -p $(ARM_RESULTS)
	$(IN_ENV) $(PYTHON) -m ccalib.training.pace "$(PHOTOS)" $(HELD) -o $(ARM_RESULTS)/pace.json --minutes $(MINUTES) \
	    $(foreach loss,$(ARMS_TO_DO),"$(loss)=$(ARM_$(loss))")
	$(foreach loss,$(ARMS_TO_DO),$(call arm,$(loss),$(ARM_RUNS)/$(loss)))
	$(IN_ENV) $(PYTHON) -m ccalib.evaluation.trials $(addprefix $(ARM_RUNS)/,$(ARMS_TO_DO)) --add --pace $(ARM_RESULTS)/pace.json \
	    -o $(ARM_RESULTS)/trials.json
endef

define arm
	@[ -f $2/small.safetensors ] || $(IN_ENV) $(PYTHON) -m ccalib train "$(PHOTOS)" --run $2 $(HELD) $(ARM_ARGS) \
	    $$(if [ -f $2/last.pt ]; then echo --resume; else echo "--continue-from $(FROM) $(ARM_$1) \
	    --steps $$($(PYTHON) -m ccalib.training.pace -o $(ARM_RESULTS)/pace.json --of $1)"; fi)
	$(IN_ENV) $(PYTHON) -m ccalib rulers "$(PHOTOS)" --model $2/small.safetensors --name small-$1 --models main,auxiliary \
	    --steps 4000 --rounds 1 --run $2/rulers --weights $2/rulers.safetensors -o $(ARM_RESULTS)/small-$1.rulers.json $(addprefix --images ,$(IMAGES)) $(HELD)
	$(IN_ENV) $(PYTHON) -m ccalib evaluate $(lastword $(IMAGES)) --model $2/small.safetensors --codecs none --no-memory \
	    -o $(ARM_RESULTS)/small-$1.json

endef

# One difference each from the first, from the same seed (seed-1 shows what chance does). What is in the results is not run again.
TRIALS ?= reference seed-1 crop-192 lr-double no-klt m-192 unweighted narrow crop-256 klt-free klt-still gains-free lr-half \
    kernel-5 no-hyper-klt no-ema long-ema muon m-256 m-128 lambdas batch-4
TRIAL_seed-1 := --seed 1
TRIAL_crop-192 := --batch 4 --crop 192
TRIAL_crop-256 := --batch 2 --crop 256
TRIAL_muon := --optimizer muon
TRIAL_lr-half := --lr 5e-4
TRIAL_lr-double := --lr 2e-3
TRIAL_klt-free := --klt-rate 0.1
TRIAL_klt-still := --klt-rate 0
TRIAL_gains-free := --gain-rate 1
TRIAL_unweighted := --weight-power 0
TRIAL_no-ema := --ema 0
TRIAL_long-ema := --ema 0.999
TRIAL_m-192 := --shape latent=192 k=1.7
TRIAL_m-256 := --shape latent=256 k=1.9
TRIAL_m-128 := --shape latent=128 k=1.4
TRIAL_lambdas := --lambdas 0.0018 0.05
TRIAL_batch-4 := --batch 4
TRIAL_kernel-5 := --shape last_kernel=5
TRIAL_narrow := --shape widths=[24,48,96]
TRIAL_no-klt := --shape klt=false hyper_klt=false
TRIAL_no-hyper-klt := --shape hyper_klt=false
TRIAL_RESULTS := data/results/minutes.json
TRIAL_PACE := data/results/pace.json
TRIAL_RUNS := runs/trials
TRIAL_ARGS ?=
trials: $(READY)  ## what pays per minute, at equal time: make trials PHOTOS=FOLDER VALIDATION=FILE (some: TRIALS="reference muon")

# Decays of equal time from where the decay of the weights that ship began; "as-it-was" has the crops with which it went on.
FORK := .training/constant.safetensors
END := --decay-from $(FORK)
TRIAL_as-it-was := $(END) --batch 4 --crop 192
TRIAL_end-128 := $(END) --batch 8 --crop 128
TRIAL_end-256 := $(END) --batch 2 --crop 256
TRIAL_end-frozen := $(END) --batch 4 --crop 192 --freeze 0.4
TRIAL_end-256-frozen := $(END) --batch 2 --crop 256 --freeze 0.4
ENDINGS ?= as-it-was end-128 end-256 end-frozen end-256-frozen
endings: TRIALS = $(ENDINGS)
endings: TRIAL_RESULTS = data/results/endings.json
endings: TRIAL_PACE = data/results/endings_pace.json
endings: TRIAL_RUNS = runs/endings
endings: $(READY) $(FORK)  ## how the training of `small` might have ended, at equal time: make endings PHOTOS=FOLDER VALIDATION=FILE

trials endings: MINUTES = 15
trials endings:
	@if [ ! -d "$(PHOTOS)" ]; then echo "make $@ PHOTOS=FOLDER: name a folder of photographs" >&2; exit 2; fi
	$(IN_ENV) $(PYTHON) -m ccalib.training.pace "$(PHOTOS)" $(HELD) -o $(TRIAL_PACE) --minutes $(MINUTES) \
	    $(foreach name,$(TRIALS),"$(name)=$(strip $(TRIAL_$(name)))")
	$(foreach name,$(TRIALS),$(call trial,$(name),$(TRIAL_RUNS)/$(name)))

define trial
	@grep -qs '^  "name": "$1"' $(TRIAL_RESULTS) || { { [ -f $2/small.safetensors ] || $(IN_ENV) $(PYTHON) -m ccalib train "$(PHOTOS)" \
	    --run $2 $(HELD) $(TRIAL_ARGS) $$(if [ -f $2/last.pt ]; then echo --resume; else \
	    echo "--steps $$($(PYTHON) -m ccalib.training.pace -o $(TRIAL_PACE) --of $1) $(TRIAL_$1)"; fi); } && \
	    $(IN_ENV) $(PYTHON) -m ccalib.evaluation.trials $2 --add --pace $(TRIAL_PACE) -o $(TRIAL_RESULTS); }

endef

card: $(READY)  ## rewrite the model card, the README's picture and its table from weights and results
	$(IN_ENV) $(PYTHON) -m ccalib.evaluation.card small data/results/kodak.json

figures: $(READY)  ## rewrite what depends on the weights of `small`: make figures PHOTOS=FOLDER KODAK=FOLDER VALIDATION=FILE
	@if [ ! -d "$(PHOTOS)" ] || [ ! -d "$(KODAK)" ]; then echo "make figures PHOTOS=FOLDER KODAK=FOLDER: name both" >&2; exit 2; fi
	$(MAKE) rulers MODEL=small IMAGES="data/images $(KODAK)" RULER_ARGS=--again
	$(IN_ENV) $(PYTHON) -m ccalib evaluate "$(KODAK)" -o data/results/kodak.json --again --effort 20 --plot data/results/kodak.png
	$(IN_ENV) $(PYTHON) -m ccalib.evaluation.effort "$(PHOTOS)" $(HELD) --again
	$(IN_ENV) $(PYTHON) -m ccalib.evaluation.dead_zone "$(PHOTOS)" $(HELD)
	$(MAKE) complexity card notebooks
	@echo "Longer, and on their own (README, what is promised): fuzz.json, symbols.json and speed.json, by benchmarks/."

clean:  ## remove caches and build products (keeps .venv, runs and weights)
	rm -rf build dist site *.egg-info .pytest_cache .ruff_cache .hypothesis .coverage notebooks/.ipynb_checkpoints
	find . -name .venv -prune -o -name .git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
