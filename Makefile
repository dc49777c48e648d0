# The entry points; what they do stands in CMakePresets.json, cmake/ and scripts/.
export CMAKE_GENERATOR ?= $(if $(shell command -v ninja),Ninja,Unix Makefiles)
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
.PHONY: build demo check check-full bench-check gate-update fuzz prepare

build:
	cmake --preset release
	cmake --build --preset release -j $(JOBS)

prepare:
	scripts/prepare.sh

demo: prepare
	$(MAKE) build
	scripts/demo.sh

check: prepare
	scripts/prepare.sh check
	$(MAKE) build
	cmake --preset sanitize
	cmake --build --preset sanitize -j $(JOBS)
	ctest --preset sanitize
	ctest --preset release

check-full: check
	cmake --preset clang
	cmake --build --preset clang -j $(JOBS)
	ctest --preset clang
	cmake --preset tsan
	cmake --build --preset tsan -j $(JOBS)
	ctest --preset tsan
	ctest --preset full
	scripts/prepare.sh aarch64
	cmake --preset aarch64
	cmake --build --preset aarch64 -j $(JOBS)
	ctest --preset aarch64

# What needs a clock and a quiet machine: closure, A/A, costs put in and found.
bench-check: build
	python3 scripts/bench_check.py build

# The figures that check_gate.py compares with, written anew for this compiler.
gate-update: build
	python3 tests/check_gate.py . build --update

# libFuzzer over every reader, SECONDS each.
SECONDS ?= 60
fuzz:
	cmake --preset fuzz
	cmake --build --preset fuzz -j $(JOBS)
	scripts/fuzz.sh build/fuzz $(SECONDS)
