# make course     install into .venv, and open the course in JupyterLab
# make test       install into .venv, and run every test and every notebook
# make refresh    run the notebooks and write their outputs (CONTRIBUTING.md)
# make student    copies of the notebooks for a class, without solutions and outputs
# make oldest     a part of the tests with the oldest versions that pyproject.toml allows, in .venv-oldest
# make docs       the pages of docs/ and the reference, to docs/_build/html
# make lint, make environment, make hashes, make licences, make links, make resolve, make binder: see CONTRIBUTING.md
#
# PYTHON=python3.12          the Python to build .venv from (3.11-3.13; else the first of the list below that runs)
# TORCH=torch==2.13.0        another torch, such as the CUDA one of Linux; .venv keeps it until told otherwise
# JUPYTER_FLAGS=--no-browser anything that `jupyter lab` understands
# PYTEST_FLAGS="-k groups"   anything that pytest understands

PY := .venv/bin/python
JUPYTER_FLAGS ?=
PYTEST_FLAGS ?=
WORKERS ?= 2
FIRST_NOTEBOOK := notebooks/00_start_here.ipynb
PIP := $(PY) -m pip --disable-pip-version-check install -qq --no-warn-script-location -c constraints.txt

# JupyterLab covers its first page with a question about news. Off, for this environment; binder/postBuild says the same.
NO_NEWS := jupyter labextension disable --level=sys_prefix --log-level=ERROR "@jupyterlab/apputils-extension:announcements"

# A name on the PATH proves little (a version manager's shims fail, Debian leaves out ensurepip): run it.
FITS := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	if $$p -c '$(FITS)' >/dev/null 2>&1; then echo $$p; break; fi; done)

# What .venv holds: the torch that was asked for (nothing means the CPU wheel), and whether it still runs, here.
TORCH ?= $(shell cat .venv/torch.stamp 2>/dev/null)
TORCH_HELD := $(shell cat .venv/torch.stamp 2>/dev/null)
ALIVE := $(shell [ "$$(cat .venv/made.stamp 2>/dev/null)" = "$(CURDIR)" ] && $(PY) -c '' 2>/dev/null && echo yes)

.PHONY: course test oldest docs refresh student lint environment hashes licences links resolve binder which-python clean FORCE
.DELETE_ON_ERROR:

course: .venv/course.stamp .venv/loops.stamp
	@$(PY) -m jupyter trust notebooks/*.ipynb > /dev/null # so that pictures of space turn before a page is run
	$(PY) -m jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) --ServerApp.root_dir="$(CURDIR)" \
		$(JUPYTER_FLAGS) $(FIRST_NOTEBOOK)

# Each notebook has a budget of one core, so the threads are few and the workers share the notebooks out.
test: .venv/test.stamp .venv/loops.stamp .venv/resolved.stamp
	OMP_NUM_THREADS=1 $(PY) -m pytest -n $(WORKERS) --nbval --nbval-current-env $(PYTEST_FLAGS) tests notebooks

# What the bounds of pyproject.toml are about: numbers, groups, layers, and a page.
oldest: .venv-oldest/made.stamp
	EQLIB_ANY_PICTURES=1 OMP_NUM_THREADS=1 PYTHONPATH="$(CURDIR)" .venv-oldest/bin/python -m pytest -n $(WORKERS) \
		--nbval --nbval-current-env $(PYTEST_FLAGS) tests/groups tests/nn $(FIRST_NOTEBOOK)

refresh: .venv/test.stamp .venv/loops.stamp
	$(PY) tools/refresh.py notebooks/*.ipynb

student: .venv/test.stamp
	$(PY) tools/student.py

docs: .venv/test.stamp
	$(PY) -m sphinx -q -W --keep-going -b html docs docs/_build/html

lint: .venv/test.stamp
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

environment: .venv/test.stamp
	$(PY) tools/environment.py

hashes: .venv/test.stamp
	$(PY) tools/hashes.py

licences: .venv/test.stamp
	$(PY) tools/licences.py

links: .venv/test.stamp
	$(PY) tools/links.py

resolve: .venv/test.stamp
	$(PY) tools/resolve.py --require-index --stamp .venv/resolved.stamp

binder: .venv/test.stamp
	$(PY) tools/check_binder.py --install

which-python:
	@echo "$(PYTHON)"

clean:
	rm -rf .venv .venv-oldest build docs/_build *.egg-info

# --- the environment, in steps; a stamp is newer than what it was made from, so the second time costs nothing

# The pinned setuptools comes first: it builds eqlib below, so that nothing unpinned is fetched for the build.
.venv/made.stamp: $(if $(ALIVE),,FORCE)
	@[ -n "$(PYTHON)" ] || { echo "eqlib needs Python 3.11, 3.12 or 3.13 with venv, and found none: say PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c '$(FITS)' || { echo "PYTHON=$(PYTHON) is not a Python 3.11-3.13 with venv that runs." >&2; exit 1; }
	@$(PYTHON) -c 'import platform, sys; sys.exit((sys.platform, platform.machine()) == ("darwin", "x86_64"))' \
		|| { echo "torch 2.13 does not exist for Intel Macs; README.md says what to do there." >&2; exit 1; }
	@echo "Making .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear .venv
	@$(PIP) setuptools
	@echo "$(CURDIR)" > $@

# torch first and alone: a missing CPU wheel ends here in seconds instead of pulling gigabytes of CUDA.
# A torch that the user names replaces the one that is there, and brings its own dependencies (CUDA) along.
.venv/torch.stamp: .venv/made.stamp requirements-torch.txt $(if $(filter $(TORCH),$(TORCH_HELD)),,$(if $(TORCH),FORCE))
	@echo "Installing $(or $(TORCH),torch for the CPU)"
	@$(if $(TORCH),$(PY) -m pip uninstall --quiet --yes torch && $(PIP) "$(TORCH)",\
		$(PIP) --no-deps --retries 1 -r requirements-torch.txt) \
		|| { echo "This torch is not to be had here for this Python: see 'Installing' in README.md." >&2; exit 1; }
	@echo "$(TORCH)" > $@

.venv/course.stamp: .venv/torch.stamp constraints.txt pyproject.toml $(wildcard binder/*.py binder/*.json)
	@echo "Installing eqlib and JupyterLab"
	@$(PIP) --no-build-isolation -e ".[course]"
	@$(PY) -m $(NO_NEWS)
	@mkdir -p .venv/etc/jupyter .venv/share/jupyter/lab/settings
	@cp binder/jupyter_server_config.py .venv/etc/jupyter/
	@cp binder/overrides.json .venv/share/jupyter/lab/settings/
	@touch $@

.venv/loops.stamp: .venv/course.stamp tools/compile_loops.py eqlib/products/in_numba.py
	@echo "Compiling the loops of the fast engine"
	@$(PY) tools/compile_loops.py
	@touch $@

.venv/test.stamp: .venv/course.stamp
	@echo "Installing what the tests and the docs need"
	@$(PIP) --no-build-isolation -e ".[course,test,docs]"
	@$(PY) -m pip --disable-pip-version-check check
	@touch $@

.venv-oldest/made.stamp: .venv/test.stamp constraints.txt requirements-torch.txt pyproject.toml tools/oldest.py
	@echo "Installing the oldest versions that pyproject.toml allows"
	@$(PY) tools/oldest.py .venv-oldest
	@touch $@

# Asked anew when the pins change; without a network it says so and goes on, and asks again the next time.
.venv/resolved.stamp: .venv/test.stamp constraints.txt requirements-torch.txt pyproject.toml
	@echo "Asking the package index whether the pins hold on other systems"
	@$(PY) tools/resolve.py --stamp $@
