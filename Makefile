# `make demo` and `make test` do everything on a machine with Python 3.11 or newer.
PYTHON ?= python3
PORT ?= 8000
DATA_DIR ?= data
VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/.ready

.PHONY: demo up test lint lock bench clean

demo: $(READY)
	SYNTHLAB_DATA_DIR="$(DATA_DIR)" $(RUN) manage.py demo --port $(PORT)

up: $(READY)
	SYNTHLAB_DATA_DIR="$(DATA_DIR)" $(RUN) manage.py up --port $(PORT)

test: $(READY)
	$(RUN) -m pytest -n auto --dist loadgroup $(ARGS)

lint: $(READY)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(VENV)/bin/djade --check --target-version 5.2 $$(git ls-files 'templates/*.html')
	SYNTHLAB_DATA_DIR="$$(mktemp -d)" $(RUN) manage.py makemigrations --check --dry-run
	SYNTHLAB_DATA_DIR="$$(mktemp -d)" SYNTHLAB_ENV=production SYNTHLAB_HOSTS=synthlab.example \
		$(RUN) manage.py check --deploy --fail-level WARNING

bench: $(READY)
	for script in bench/*.py; do PYTHONPATH=. $(RUN) $$script || exit 1; done

# Needs uv; the file is installed by pip alone.
lock:
	uv pip compile --universal --generate-hashes --no-emit-index-url --all-extras \
		--python-version 3.11 pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV)

$(READY): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "SynthLab needs Python 3.11 or newer; set PYTHON=python3.11")'
	@echo "Installing the packages into $(VENV), which takes a minute or more."
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@touch $(READY)
