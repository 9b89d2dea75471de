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

# The app's exit code where DISPLAY names a display that nobody answers at, as one of another session does (src-tauri/src/main.rs).
NO_DISPLAY := 3

.PHONY: run
run: ## Open the app; where there is no display, say so and run demo
	@$(MAKE) --no-print-directory programs
	@if [ -n "$${DISPLAY:-}$${WAYLAND_DISPLAY:-}" ] || [ "$$(uname)" = Darwin ]; then \
	  $(TARGET)/debug/relink-desktop || ended=$$?; \
	  if [ "$${ended:-0}" != $(NO_DISPLAY) ]; then exit $${ended:-0}; fi; \
	fi; \
	echo "No display can be reached here, so the app can't be shown: this is the demo, on a display of its own."; \
	$(MAKE) --no-print-directory demo

.PHONY: demo
demo: programs ## Walk the main job through the app's own window, on a desktop of its own; pictures in target/demo/
	@$(TARGET)/debug/demo

.PHONY: test
test: test-setup $(STAMPS)/ui ## Run every test: interface, browser, documentation, Rust, journeys
	@npm --prefix ui run --silent test
	@npm --prefix ui run --silent test:browser
	@cargo build --bins --tests $(CARGO_SELECTION)
	@cargo test --quiet --doc $(CARGO_SELECTION)
	@cargo nextest run $(CARGO_SELECTION)

.PHONY: check
check: install ## Check format, lints and types
	@cargo fmt --all --check
	@cargo clippy --quiet --all-targets $(CARGO_SELECTION) -- -D warnings
	@npm --prefix ui run --silent lint
	@npm --prefix ui run --silent check

.PHONY: format
format: install ## Format everything
	@cargo fmt --all
	@npm --prefix ui run --silent format

# A palette without dithering: noise would be seen, and doesn't compress.
SMALL := -strip +dither -colors 255 -define png:compression-level=9

.PHONY: screenshots
screenshots: install $(STAMPS)/ui ## Take every page and state, light and dark, narrow and wide, into target/screenshots/; the README's into docs/pictures/
	@npm --prefix ui run --silent test:browser
	@convert-im6.q16 target/screenshots/app/accounts-light-1120.png $(SMALL) docs/pictures/app.png
	@montage-im6.q16 $(addprefix target/screenshots/connect/,authorize-light-1000.png question-light-1000.png succeeded-dark-1000.png) \
	  -gravity north -crop 560x620+0+40 +repage -tile 3x1 -geometry 420x465+0+0 miff:- \
	  | convert-im6.q16 - -depth 8 $(SMALL) docs/pictures/connect.png

.PHONY: bundle
bundle: install $(STAMPS)/ui ## Make the .deb and .rpm, in target/release/bundle/
	@cargo build --release -p relink-cli
	@npm exec --yes --package=@tauri-apps/cli@2.12.5 -- tauri build --bundles deb,rpm

# As people run them: release builds, without the tests' features.
BENCHED := -p relink-desktop -p relink-cli -p relink-benches

.PHONY: bench
bench: install $(STAMPS)/ui ## Measure Relink beside its peers, as in docs/benchmarks.md; SECTIONS="start idle calls" names some
	@cargo build --release --bins $(BENCHED)
	@RELINK_BIN=$(TARGET)/release/relink $(TARGET)/release/bench $(SECTIONS)

.PHONY: try-deb
try-deb: bundle ## Install the .deb in a clean Debian, use it as a person does, remove it (root, Debian); pictures in target/try-deb/
	@scripts/try-deb

.PHONY: reliability
reliability: programs ## Kill Relink at each crash point, or at POINTS, ROUNDS times each; prints the table of docs/reliability.md
	@$(TARGET)/debug/reliability $(or $(ROUNDS),200) $(POINTS)

.PHONY: types
types: install ## Write the window's TypeScript types anew from Rust's
	@RELINK_WRITE_TYPES=1 cargo test --quiet $(CARGO_SELECTION) --lib the_windows_types_are_current

.PHONY: icons
icons: ## Draw every size of icons/icon.svg anew
	@scripts/icons

.PHONY: setup
setup: test-setup ## Install what this machine lacks; every other command does it by itself
	@echo "Everything is in place."

# What a build and the demo need.
.PHONY: install
install:
	@scripts/setup

# The same and the test runner, which is a long build on a machine without it.
.PHONY: test-setup
test-setup:
	@scripts/setup --test

# `--test journeys` makes cargo resolve the features as for the tests, so that `make test` goes on from here.
.PHONY: programs
programs: install $(STAMPS)/ui
	@cargo build --bins --test journeys $(CARGO_SELECTION)

UI_SOURCES := icons/icon.svg $(shell find ui -name node_modules -prune -o -path ui/dist -prune -o -type f -print)
UI_PAGES := ui/dist/app/index.html ui/dist/connect/index.html
# Both pages are there, or the interface is built whatever its stamp says.
UI_MISSING := $(if $(word 2,$(wildcard $(UI_PAGES))),,missing)

.PHONY: missing
missing:

$(STAMPS)/ui: $(UI_SOURCES) $(UI_MISSING)
	@npm --prefix ui run --silent build
	@touch $@
