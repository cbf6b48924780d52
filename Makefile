# One target for each thing a person does. Python is the one named here, or: make PYTHON=python3.13 run
PYTHON ?= python3

.PHONY: help run test truth lint catalogue goldens screenshots lock clean

help:
	@echo "make run    open the console on a throw-away production that is really broken: gonogo demo"
	@echo "make test   install what the tests need, then run them all"
	@echo "make truth  make every state of the table of truth, and print it: state, expected, got"
	@echo "make lint   formatting, lint, types, import direction"
	@echo "make catalogue  collect what is said, and compile the translations"
	@echo "make goldens      write anew how every screen looks, for you to review the diff"
	@echo "make screenshots  make the pictures of the README anew"
	@echo "make lock   resolve the lock files anew (needs uv)"
	@echo "make clean  remove what the other targets made"

run: .venv/run.stamp
	@.venv/bin/gonogo demo

test: .venv/test.stamp .parts/ready.stamp
	@.venv/bin/python -m pytest --numprocesses auto $(ARGS)

truth: .venv/test.stamp .parts/ready.stamp
	@.venv/bin/python -m pytest --numprocesses auto --quiet --truth tests/truth $(ARGS)

lint: .venv/test.stamp
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

catalogue: .venv/test.stamp
	@.venv/bin/python tools/catalogue

PICTURES = WRITE_PICTURES=1 .venv/bin/python -m pytest --numprocesses auto --quiet tests/tui/test_pictures.py

goldens: .venv/test.stamp
	@$(PICTURES) -k every_screen $(ARGS)

screenshots: .venv/test.stamp
	@$(PICTURES) -k in_the_readme $(ARGS)

.venv/run.stamp: requirements.lock pyproject.toml tools/venv
	@tools/venv $(PYTHON) requirements.lock
	@touch $@

.venv/test.stamp: requirements-test.lock pyproject.toml tools/venv
	@tools/venv $(PYTHON) requirements-test.lock
	@touch $@ .venv/run.stamp

.parts/ready.stamp: tools/parts $(wildcard tests/servers/*.lock)
	@tools/parts $(PYTHON)
	@touch $@

LOCK = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --no-annotate

lock:
	$(LOCK) pyproject.toml --group build -o requirements.lock
	$(LOCK) pyproject.toml --group build --group test -o requirements-test.lock
	for part in tests/servers/*.in; do $(LOCK) $$part -o $${part%.in}.lock; done

clean:
	rm -rf .venv .parts .mypy_cache .ruff_cache .hypothesis dist
