# The only entry points. CI calls them, and so can you.
#
#   make run     build, then `sumun demo`: the gateway in front of demo services under a changing load
#   make test    every test there is; the last line is the count
#   make check   format, lints, tidiness, types of the admin UI
#   make bench   Sumun beside its peers, in CPU time per request
#   make bench-overload   admission at up to ten times the load, beside five baselines
#   make ui      build the admin UI into admin-ui/dist, which the next build of the binary embeds

TARGET := $(or $(CARGO_TARGET_DIR),target)
# Empty where it is not installed, or said to be: `make run NODE=`.
NODE := $(shell command -v npm 2>/dev/null)

.PHONY: run test check bench bench-overload ui ui-check

run: ui
	cargo build --release --locked --bin sumun
	$(TARGET)/release/sumun demo

test:
	@tests/prepare
	@tests/run

check: ui-check
	@tests/prepare
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo build --workspace --locked --tests --bin sumun
	SUMUN_BIN=$(abspath $(TARGET))/debug/sumun cargo test --workspace --locked --test gateway -- tidy:: docs:: readme:: deploy::

bench:
	tests/bench/run

bench-overload:
	tests/bench/overload/run --svg tests/bench/overload/goodput.svg

ifeq ($(NODE),)
ui ui-check:
	@echo "Node.js is not installed: going on without the admin UI (the binary serves a page that says so)."
else
ui: admin-ui/dist/index.html

ui-check: admin-ui/node_modules
	cd admin-ui && npm run --silent check

# Made once: a page that is newer than all it is made of stays, and with it the binary that carries it.
# The folders are named too, as a file that is gone has no time.
admin-ui/dist/index.html: admin-ui/node_modules admin-ui/index.html admin-ui/vite.config.ts $(shell find admin-ui/src admin-ui/public)
	cd admin-ui && npm run --silent build
	@touch gateway/server/build.rs $@

admin-ui/node_modules: admin-ui/package-lock.json admin-ui/package.json
	cd admin-ui && npm ci --no-audit --no-fund
	@touch admin-ui/node_modules
endif
