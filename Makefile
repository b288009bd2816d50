# The only things to remember: make run, make test, make lint, make docs, make bench, make paper, make audit.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PLUGINS := $(wildcard plugins/*/pyproject.toml)
PYTEST := $(CURDIR)/$(BIN)/pytest -n 2 --dist loadfile
STAMP := $(VENV)/.installed
# Every suite that tests a paper, and where their run is kept.
PAPERS := strsaga pipedream pipedream-plan skewscout orion orion-plans $(basename $(notdir $(wildcard suites/focus.toml)))
PAPER := results/paper

# Some environments forbid writing byte code, which makes every start slow.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test tools lint docs bench paper audit clean

run: $(STAMP)
	$(BIN)/harness run suites/smoke.toml

test: $(STAMP) tools
	$(PYTEST) tests
	@set -e; for plugin in $(dir $(PLUGINS)); do echo "== $$plugin"; (cd $$plugin && $(PYTEST) tests); done

# A browser for tests of pages, ip and tc for limited links. Where they cannot be had, what needs them is skipped.
tools:
	@set --; command -v chromium >/dev/null || set -- "$$@" chromium; command -v tc >/dev/null || set -- "$$@" iproute2; \
	if [ $$# -gt 0 ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing $$*"; export DEBIAN_FRONTEND=noninteractive; \
		{ apt-get update && apt-get install -y --no-install-recommends "$$@"; } >/dev/null 2>&1 || echo "apt: no $$*"; \
	fi

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy harness $(filter-out %.egg-info,$(wildcard plugins/*/src/*))
	MYPYPATH=docs/generate $(BIN)/mypy docs/generate/hook.py docs/generate/reference
	PYTHONPATH=. $(BIN)/lint-imports

docs: $(STAMP)
	$(BIN)/mkdocs build --strict --site-dir build/site

# Everything that takes long and needs a quiet machine: the papers' suites, then this commit against the one before.
bench: $(STAMP) tools
	$(BIN)/harness run strsaga pipedream pipedream-plan
	PYTHONPATH=. $(BIN)/python tests/overhead.py 10000
	$(BIN)/asv machine --yes
	$(BIN)/asv continuous --interleave-rounds --factor 1.1 HEAD~1 HEAD

# Every claim of the five papers in one run, which goes on where it was cut off: make paper PAPER=results/another begins anew.
paper: $(STAMP) tools
	@$(BIN)/harness run $(PAPERS) -o $(PAPER) --resume; status=$$?; \
	if [ $$status -lt 2 ]; then $(BIN)/harness report $(PAPER) --summary docs/results.md >/dev/null; fi; exit $$status

# What is pinned, against the advisories on PyPI; a version that PyPI does not tell of fails too.
audit:
	@test -x build/audit/bin/python || $(PYTHON) -m venv build/audit
	@build/audit/bin/python -m pip install --quiet -c constraints.txt pip-audit
	build/audit/bin/pip-audit --strict --no-deps --disable-pip --progress-spinner off -r constraints.txt

clean:
	rm -rf $(VENV) build dist *.egg-info plugins/*/build plugins/*/src/*.egg-info

# torch comes with the core's extra; the plugins are installed beside the core, editable.
$(STAMP): pyproject.toml constraints.txt $(PLUGINS)
	@echo "installing torch, the core and the plugins into $(VENV); the first time this takes some minutes"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade pip setuptools -c constraints.txt
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[torch,report,dev,docs]' \
		$(foreach plugin,$(filter-out plugins/peers/,$(dir $(PLUGINS))),-e $(plugin)) -e 'plugins/peers[libmf,pipelining,scikit-learn,tomotopy]'
	@touch $@
