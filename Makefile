# SPDX-License-Identifier: Apache-2.0
# The front door. Meson builds and tests; tools/ and tests/ hold what is more than a line.
#
#	BUILD=DIR	build there instead of in build/
#	PREFIX=DIR	where `make install` puts things (/usr/local)
#	DESTDIR=DIR	in front of PREFIX, for packagers
#	SECONDS=N	how long `make fuzz` tries each target
#	ONCE=1		`make run` ends after the walk instead of serving on

BUILD ?= build
PREFIX ?= /usr/local
SOURCES = $(shell git ls-files --cached --others --exclude-standard '*.[ch]')

.PHONY: all run test unit lint bench scale soak fuzz corpus format install clean help

all: ## build into build/; the binary is build/ctfy
	@tools/deps.sh build
	@tools/build.sh $(BUILD)

run: ## platform, node, samples and a demo player on this machine
	@tools/deps.sh build run
	@tools/build.sh $(BUILD)
	@tools/engine.sh
	@tools/base-image.sh
	@tools/demo.sh $(if $(ONCE),--once) $(BUILD)

test: ## everything: plain and sanitized, on real parts
	@tools/test.sh $(BUILD)

unit: all ## the unit tests alone
	@meson test -C $(BUILD) --no-rebuild --print-errorlogs --suite unit

lint: ## clang-tidy, cppcheck, shellcheck; ten minutes
	@tools/deps.sh build lint
	@tools/build.sh $(BUILD)
	@tools/lint.sh $(BUILD)

bench: ## the figures of docs/BENCHMARKS.md
	@tools/deps.sh build run test
	@tools/build.sh $(BUILD)
	@tools/engine.sh
	@tools/base-image.sh
	@/usr/bin/python3 tests/bench/bench.py $(BUILD)

scale: ## 200 instances beside the same by hand: SCALE_COUNT, SCALE_SECONDS
	@tools/deps.sh build run test
	@tools/build.sh $(BUILD)
	@tools/engine.sh
	@tools/base-image.sh
	@/usr/bin/python3 tests/bench/scale.py $(BUILD)

soak: ## the node for ten minutes or more, while all goes wrong that may: SOAK_CYCLES=300
	@tools/deps.sh build run test
	@tools/build.sh $(BUILD)
	@tools/engine.sh
	@tools/base-image.sh
	@CTFY=$(BUILD)/ctfy tests/node/soak.py

fuzz: ## every parser that reads others' bytes, each for SECONDS=3600: TARGETS="flow json"
	@tools/deps.sh build test
	@tests/fuzz/fuzz.sh $(or $(SECONDS),3600) $(TARGETS)

corpus: all ## what of ../shared/corpus, or CTFY_CORPUS, gets a plan
	@meson test -C $(BUILD) --no-rebuild --verbose --suite corpus

format: ## clang-format over all C sources
	@tools/deps.sh lint
	@clang-format -i $(SOURCES)

install: all ## into $(DESTDIR)$(PREFIX)
	@meson configure $(BUILD) -Dprefix=$(PREFIX)
	@tools/build.sh $(BUILD)
	@meson install -C $(BUILD) --no-rebuild $(if $(DESTDIR),--destdir $(abspath $(DESTDIR)))
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || ldconfig

clean: ## remove what was built
	rm -rf $(BUILD) $(BUILD)-sanitize $(BUILD)-threads

help: ## this list
	@awk -F ':[^#]*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile
