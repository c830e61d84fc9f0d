# Two commands for a fresh machine (Python 3.11+ with venv): `make app` and `make test`.
VENV   := .venv
PYTHON ?= python3
PORT   ?= 8501
# Every wheel is checked against its hash; grad-cam is published as a source archive only (pure Python).
FLAGS  := --require-hashes --only-binary :all: --no-binary grad-cam
UV     := $(shell command -v uv 2>/dev/null)
ifdef UV
PIP    := VIRTUAL_ENV=$(VENV) $(UV) pip install --compile-bytecode $(FLAGS)
MAKE_VENV := $(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
else
PIP    := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check $(FLAGS)
MAKE_VENV := $(PYTHON) -m venv $(VENV)
endif

.PHONY: app test check lock clean

app: $(VENV)/.app
	@$(VENV)/bin/python -m medtl demo || echo "The example could not be made (see above); the app starts without it."
	@echo "MedTL: http://localhost:$(PORT)  (Ctrl+C ends it; runs in progress go on)"
	@$(VENV)/bin/streamlit run app.py --server.port $(PORT)

test: $(VENV)/.test check
	$(VENV)/bin/python -m pytest -m "not e2e" -n 2 --dist loadfile
	$(VENV)/bin/python -m pytest -m e2e

check: $(VENV)/.test
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

# Stamps make a second call cheap; a changed lock installs again.
$(VENV)/.app: requirements.lock
	@echo "Installing MedTL into $(VENV): about 6 GB, some minutes the first time."
	@$(MAKE_VENV)
	@$(PIP) -r requirements.lock
	@touch $@

$(VENV)/.test: $(VENV)/.app tests/requirements.lock
	@$(PIP) -r tests/requirements.lock
	@touch $@

# Needs uv. The locks name exact versions with hashes, and no host.
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --only-binary :all: --no-binary grad-cam --no-header
lock:
	$(LOCK) requirements.txt -o requirements.lock
	cd tests && $(LOCK) requirements.txt -o requirements.lock

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
