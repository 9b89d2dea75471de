# Relink's commands. Each one first installs what it lacks (scripts/setup), and can be interrupted and repeated.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:

TARGET := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
STAMPS := $(TARGET)/stamps

# One selection of packages and features for every cargo command: with another one cargo would resolve other features for
# shared dependencies and compile them a second time. The crash points do nothing unless a test arms them.
CARGO_SELECTION := --workspace --features relink-cli/crash-points $(if $(CI),--locked)

# The programs that the demo and the journeys start.
export RELINK_BIN := $(TARGET)/debug/relink
export RELINK_DESKTOP_BIN := $(TARGET)/debug/relink-desktop

.PHONY: help
help: ## List the commands
	@echo "Relink: make COMMAND"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# The app's exit code when DISPLAY names a display that can't be reached (src-tauri/src/main.rs).
NO_DISPLAY := 3

.PHONY: run
run: ## Open the app; without a display, run the demo
	@$(MAKE) --no-print-directory programs
	@if [ -n "$${DISPLAY:-}$${WAYLAND_DISPLAY:-}" ] || [ "$$(uname)" = Darwin ]; then \
	  $(TARGET)/debug/relink-desktop || ended=$$?; \
	  if [ "$${ended:-0}" != $(NO_DISPLAY) ]; then exit $${ended:-0}; fi; \
	fi; \
	echo "No display can be reached, so the app can't be shown. This is the demo, on a virtual display."; \
	$(MAKE) --no-print-directory demo

.PHONY: demo
demo: programs ## Run the main workflow in the app's window, on a virtual desktop; pictures in target/demo/
	@$(TARGET)/debug/demo

.PHONY: test
test: test-setup $(STAMPS)/ui ## Run every test: interface, browser, documentation, Rust, journeys
	@npm --prefix ui run --silent test
	@npm --prefix ui run --silent test:browser
	@cargo build --bins --tests $(CARGO_SELECTION)
	@cargo test --quiet --doc $(CARGO_SELECTION)
	@cargo nextest run $(CARGO_SELECTION)

# The database of advisories, where somebody has fetched it (`cargo deny fetch`): a check of a clone needs no network for it.
ADVISORIES := $(if $(wildcard $(or $(CARGO_HOME),$(HOME)/.cargo)/advisory-dbs/*),advisories)

.PHONY: check
check: check-setup ## Check format, lints, types, structure, unused dependencies, licenses and the OpenAPI document
	@cargo fmt --all --check
	@node --test --test-reporter=dot scripts/structure-check >/dev/null
	@scripts/structure
	@cargo machete --skip-target-dir
	@cargo deny --log-level error check --hide-inclusion-graph licenses bans sources $(ADVISORIES)
	@$(TARGET)/python/openapi-spec-validator/bin/openapi-spec-validator docs/openapi.json >/dev/null
	@cargo clippy --quiet --all-targets $(CARGO_SELECTION) -- -D warnings
	@npm --prefix ui run --silent lint
	@npm --prefix ui run --silent check
	@node src-tauri/jsonata/js/bundle.mjs --check
	@node src-tauri/domain/js/reference.mjs --check
	@node src-tauri/domain/js/providers.mjs --check

.PHONY: api-check
api-check: api-check-setup programs ## Send generated requests to a running Relink and compare its responses with the OpenAPI document; ARGUMENTS="--seed 2"
	@scripts/api-check $(ARGUMENTS)

.PHONY: stress
stress: test-setup ## Run the Rust tests RUNS times (20) with every core busy, without the journeys; PACKAGES="-p …" names some
	@scripts/stress $(or $(RUNS),20) $(PACKAGES)

.PHONY: mutants
mutants: mutants-setup ## Test the domain's tests with cargo-mutants; SHARD=k/n runs a part
	@scripts/mutants $(SHARD)

.PHONY: format
format: install ## Format everything
	@cargo fmt --all
	@npm --prefix ui run --silent format

# A palette without dithering: noise would be seen, and doesn't compress.
SMALL := -strip +dither -colors 255 -define png:compression-level=9

.PHONY: screenshots
screenshots: install $(STAMPS)/ui ## Take screenshots of every page and state into target/screenshots/, and the README's into docs/pictures/
	@npm --prefix ui run --silent test:browser
	@convert-im6.q16 target/screenshots/app/accounts-light-1120.png $(SMALL) docs/pictures/app.png
	@montage-im6.q16 $(addprefix target/screenshots/connect/,authorize-light-1000.png question-light-1000.png succeeded-dark-1000.png) \
	  -gravity north -crop 560x620+0+40 +repage -tile 3x1 -geometry 420x465+0+0 miff:- \
	  | convert-im6.q16 - -depth 8 $(SMALL) docs/pictures/connect.png

.PHONY: bundle
bundle: install $(STAMPS)/ui ## Build the .deb and .rpm into target/release/bundle/
	@cargo build --release -p relink-cli
	@npm exec --yes --package=@tauri-apps/cli@2.12.5 -- tauri build --bundles deb,rpm

# As people run them: release builds, without the tests' features. BENCHED_BIN names another build of relink to measure in its place.
BENCHED := -p relink-desktop -p relink-cli -p relink-benches

# The npm packages that Node runs beside Relink.
JSONATA_PACKAGES := src-tauri/jsonata/js/node_modules/.package-lock.json
$(JSONATA_PACKAGES): src-tauri/jsonata/js/package-lock.json
	@npm --prefix src-tauri/jsonata/js ci --silent --no-audit --no-fund

.PHONY: bench
bench: bench-setup $(STAMPS)/ui $(JSONATA_PACKAGES) ## Measure Relink and its baselines, as in docs/benchmarks.md; SECTIONS="start idle calls via scale jsonata sync detection accounts refreshes" names some
	@cargo build --release --bins $(BENCHED)
	@if [ -z "$(SECTIONS)" ] || [ -n "$(filter-out refreshes accounts,$(SECTIONS))" ]; then \
	  RELINK_BIN=$(or $(BENCHED_BIN),$(TARGET)/release/relink) $(TARGET)/release/bench $(filter-out refreshes accounts,$(SECTIONS)); \
	fi
	@if [ -z "$(SECTIONS)" ] || [ -n "$(filter accounts,$(SECTIONS))" ]; then \
	  cargo bench --quiet -p relink-api --bench many_accounts; \
	fi
	@if [ -z "$(SECTIONS)" ] || [ -n "$(filter refreshes,$(SECTIONS))" ]; then \
	  cargo bench --quiet -p relink-engine --bench due_at_once; \
	fi

.PHONY: try-deb
try-deb: bundle ## Install the .deb in a clean Debian, use it, remove it (needs root and Debian); pictures in target/try-deb/
	@scripts/try-deb

.PHONY: reliability
reliability: programs ## Kill Relink ROUNDS times at each crash point, or at POINTS; prints the table of docs/reliability.md
	@$(TARGET)/debug/reliability $(or $(ROUNDS),200) $(POINTS)

.PHONY: types
types: install ## Regenerate the TypeScript types and docs/openapi.json from the Rust types
	@RELINK_WRITE_TYPES=1 cargo test --quiet $(CARGO_SELECTION) --lib -- \
	  the_windows_types_are_current the_connect_uis_types_are_current the_openapi_document_is_current

.PHONY: jsonata
jsonata: install ## Bundle the npm packages that evaluate JSONata again, into src-tauri/jsonata/generated/
	@node src-tauri/jsonata/js/bundle.mjs

.PHONY: icons
icons: ## Redraw every size of icons/icon.svg
	@scripts/icons

.PHONY: setup
setup: test-setup check-setup ## Install missing tools; every other command does so too
	@echo "Everything is in place."

# What a build and the demo need.
.PHONY: install
install:
	@scripts/setup

# The same, and tools that a machine without them has to build first, which takes some minutes each.
# The benchmark also needs the peer of calls, and what calls both.
.PHONY: test-setup check-setup mutants-setup api-check-setup bench-setup
test-setup:
	@scripts/setup cargo-nextest authlib slack_sdk standardwebhooks truto-python-sdk curl
check-setup:
	@scripts/setup cargo-machete cargo-deny openapi-spec-validator
mutants-setup:
	@scripts/setup cargo-nextest cargo-mutants
api-check-setup:
	@scripts/setup schemathesis
bench-setup:
	@scripts/setup curl nginx-light wrk

# `--test journeys` makes cargo resolve the features as for the tests, so that `make test` goes on from here.
.PHONY: programs
programs: install $(STAMPS)/ui
	@cargo build --bins --test journeys $(CARGO_SELECTION)

UI_SOURCES := icons/icon.svg $(shell find ui -name node_modules -prune -o -path ui/dist -prune -o -type f -print)
UI_PAGES := ui/dist/app/index.html ui/dist/connect/index.html ui/dist/docs/index.html
# All pages are there, or the interface is built whatever its stamp says.
UI_MISSING := $(if $(word 3,$(wildcard $(UI_PAGES))),,missing)

.PHONY: missing
missing:

$(STAMPS)/ui: $(UI_SOURCES) $(UI_MISSING)
	@npm --prefix ui run --silent build
	@touch $@
