# Everything happens in .venv; a second run finds it ready.
PYTHON ?= python3
BIN := .venv/bin
C_SOURCES := $(wildcard plugin_resolve/ofx/native/*.[ch] core/*.h core/frames/*.c core/runtimes/*.[ch])
# What an installation compiles.
NATIVE := core/cpu.h core/frames/scaling.c $(wildcard core/runtimes/*.[ch])

.PHONY: demo test test-slow test-ray test-site bench bench-gpu gpu-check check format site dist clean

demo: .venv/run.stamp
	$(BIN)/brushreel demo

# A process for each core; a file's tests stay together, for what they share.
test: .venv/dev.stamp
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow and not ray and not site" --numprocesses auto --maxprocesses 8 --dist loadfile

test-slow: .venv/dev.stamp
	$(BIN)/python -m pytest -m "not ray"

# Three nodes of a Ray cluster on this machine.
test-ray: .venv/farm.stamp
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m ray tests/batch/farm

# The site's pages in a browser.
test-site: .venv/dev.stamp
	$(BIN)/python -m pytest -m site

bench: .venv/dev.stamp
	$(BIN)/python benchmarks/batch/speed.py --json speed.json --chart speed.png

bench-gpu: .venv/dev.stamp
	$(BIN)/python benchmarks/batch/speed.py --device cuda --frames 480 --encoder auto --decoder auto --json speed-gpu.json --chart speed-gpu.png

gpu-check: .venv/dev.stamp
	$(BIN)/python benchmarks/gpu_check.py $(if $(LOSS_WEIGHTS),--loss-weights $(LOSS_WEIGHTS))

check: .venv/dev.stamp build/import/brushreel
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/clang-format --dry-run --Werror $(C_SOURCES)
	$(BIN)/pyright

format: .venv/dev.stamp
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/clang-format -i $(C_SOURCES)

# Documents and references as pages, in site/.
site: .venv/dev.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	$(BIN)/python docs/make_site.py

# The source distribution and a wheel for each system, checked, in dist/.
dist: .venv/dev.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dist]'
	$(BIN)/python release/make_dist.py

clean:
	rm -rf .venv build dist site *.egg-info demo

# The checkout under the package's name, whatever its folder is called: for the type checker.
build/import/brushreel:
	mkdir -p $(@D)
	ln -s ../.. $@

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Brushreel needs Python 3.11 or newer")'
	$(PYTHON) -m venv .venv

.venv/run.stamp: pyproject.toml constraints.txt $(NATIVE) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

.venv/dev.stamp: pyproject.toml constraints.txt $(NATIVE) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@ .venv/run.stamp

.venv/farm.stamp: .venv/dev.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[farm]'
	touch $@
