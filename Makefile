# Every target sets up what it needs: Python >= 3.11, a C compiler and make are enough.
# Without a compiler the pure-Python core is used, and the build says so.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
EXTRAS := tunnel,rich,uvloop,test,dev
ARGS ?=
TARGET ?= frames
EXECUTIONS ?= 1000000
HOURS ?= 24
SEEDS ?= 1000
START ?= 0
JOBS ?= 2

.PHONY: help demo test check lint programs sim fuzz faults soak mutants wheels docs bench bench-peers \
	bench-growth bench-hostile coverage \
	build clean distclean
.DEFAULT_GOAL := help

help:
	@echo "make demo       the main job: every kind of channel at once over one connection"
	@echo "make test       the suite on both cores"
	@echo "make check      linters, uvloop, wheels of every Python here, sanitizers, seeds, instructions, docs"
	@echo "make programs   the tunnel with ssh, curl, dig, iperf3, rsync, git, Chromium, as far as they are there"
	@echo "make sim        SEEDS=... START=... JOBS=...: seeds of the simulation (docs/simulation.md)"
	@echo "make fuzz       TARGET=... EXECUTIONS=...: mutated inputs under the sanitizers (fuzz/README.md)"
	@echo "make faults     the fault table and the interop-style cases in full size, on both cores (15 minutes at most)"
	@echo "make soak       HOURS=...: one connection over a bad link for hours; Ctrl-C ends it with its report"
	@echo "make mutants    plants bugs in both cores and looks whether the tests find them (an hour)"
	@echo "make wheels     the source archive, a wheel for every CPython here, the pure one; each tried; in dist/"
	@echo "make docs       the documentation site, in build/docs"
	@echo "make lint       ruff, mypy, cython-lint, stubtest, the workflows"
	@echo "make bench      benchmarks beside the goals: tables, JSON, plots (25 minutes; ARGS=--quick: 5)"
	@echo "make bench-peers  installs the peers that pip can install here, and runs what they can do too"
	@echo "make bench-growth  cost as channels, packets, connections, gaps grow: fitted, against its goals"
	@echo "make bench-hostile  what hostile datagrams cost, and what a connection beside them keeps of its speed"
	@echo "make coverage   what the suite reaches of the Python code, on the pure core"
	@echo "make build      the environment and the compiled core"
	@echo "make clean      all that is built; make distclean: the environment too"
	@echo "ARGS='...' goes on to the command behind a target; PYTHON=... makes the environment"

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("fastmux needs Python 3.11 or newer, and $(PYTHON) is " \
		+ sys.version.split()[0] + ": set PYTHON=..." if sys.version_info < (3, 11) else 0)'
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[$(EXTRAS)]'
	touch $@

$(VENV)/.bench: $(VENV)/.installed
	$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	touch $@

$(VENV)/.docs: $(VENV)/.installed
	$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	touch $@

# Always run: setuptools and Cython know best whether a part is newer than the extension.
build: $(VENV)/.installed
	@$(PY) setup.py --quiet build_ext --inplace
	@$(PY) -c 'from fastmux import core; print(core.describe())'

demo: build
	$(PY) -m fastmux demo $(ARGS)

test: build
	$(PY) -m tools.suite $(ARGS)

check: build $(VENV)/.docs
	$(PY) -m tools.check $(ARGS)

lint: build
	$(PY) -m tools.check lint stubtest workflows

wheels: build
	$(PY) -m tools.check package wheel-pure wheel-3.11 wheel-3.12 wheel-3.13 wheel-3.14 wheel-3.15 \
		demo-wheel-pure demo-wheel-3.11 demo-wheel-3.12 demo-wheel-3.13
	mkdir -p dist && rm -f dist/fastmux-*
	cp build/check/sdist/*.tar.gz build/check/wheelhouse/*.whl dist/
	@ls dist

# The docs describe the package that is installed in the environment: no core is needed to read its names.
docs: $(VENV)/.docs
	$(PY) -m sphinx --fail-on-warning --keep-going --nitpicky --quiet --builder html docs build/docs
	@echo "build/docs/index.html"

programs: build
	FASTMUX_TEST_PROGRAMS=1 $(PY) -m pytest tests/programs -rs $(ARGS)

sim: build
	$(PY) -m tests.sim.runner --seed $(START) --count $(SEEDS) --jobs $(JOBS) $(ARGS)

fuzz: build
	$(PY) -m fuzz $(TARGET) --executions $(EXECUTIONS) $(ARGS)

# The rooms of tests/ are on the path, as they are for pytest.
faults: build
	PYTHONPATH=tests $(PY) -m faults $(ARGS)

soak: build
	PYTHONPATH=tests $(PY) -m faults.soak --hours $(HOURS) --json build/soak.json $(ARGS)

mutants: build
	$(PY) -m tools.mutants $(ARGS)

bench: build $(VENV)/.bench
	$(PY) -m bench $(ARGS)

bench-peers: build
	$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[bench,bench-peers]'
	$(PY) -m bench --peers $(ARGS)

bench-hostile: build $(VENV)/.bench
	$(PY) -m bench.hostile $(ARGS)

bench-growth: build $(VENV)/.bench
	$(PY) -m bench.growth $(ARGS)

coverage: build
	FASTMUX_NO_EXTENSIONS=1 $(PY) -m coverage run -m pytest $(ARGS)
	$(PY) -m coverage report

clean:
	rm -rf build dist src/*.egg-info .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	rm -f src/fastmux/_core.*.so src/fastmux/_core.*.pyd
	find src tests bench tools fuzz -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)
