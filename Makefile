# One-word convenience over CMake; see CMakePresets.json for the build folders.
# SPDX-License-Identifier: Apache-2.0
.PHONY: all check asan tsan format layers size install clean

all: build/build.ninja
	cmake --build build

build/build.ninja:
	cmake --preset dev

check: all layers
	cd build && ctest --output-on-failure

asan:
	cmake --preset asan
	cmake --build build-asan
	cd build-asan && ctest --output-on-failure

tsan:
	cmake --preset tsan
	cmake --build build-tsan
	cd build-tsan && ctest --output-on-failure -L 'base|run|data'

format:
	git ls-files '*.c' '*.h' | xargs clang-format -i

layers:
	python3 tools/check_layers.py

size:
	python3 tools/size.py

install: all
	cmake --install build

clean:
	rm -rf build build-asan build-tsan
