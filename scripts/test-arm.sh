#!/bin/bash
# The tests for 64-bit ARM on another machine, from a bare Debian 12 on: cross build, then under qemu-aarch64 as on a Cortex-A57 (ARMv8.0)
# the kernel checker, the edge runtime and whole networks against their golden files, and the number of instructions per inference.
# The last line is "N passed, N failed, N skipped".
#   scripts/test-arm.sh [counts]      (counts: the instructions alone)
# SPDX-License-Identifier: Apache-2.0
set -u
. "$(dirname "$0")/setup.sh"
only=${1:-all}
foreign=""
for package in $GN_PACKAGES $GN_TEST_PACKAGES; do
  case "$package" in
    lib*-dev|libc6-dev) [ "$package" = libonnx-dev ] || foreign="$foreign $package:arm64" ;;
  esac
done
if ! dpkg --print-foreign-architectures | grep -qx arm64; then
  if [ "$(id -u)" -eq 0 ]; then dpkg --add-architecture arm64; else sudo dpkg --add-architecture arm64; fi || exit 1
fi
# shellcheck disable=SC2086
gn_install $GN_PACKAGES $GN_TEST_PACKAGES gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user $foreign || exit 1
export GANNET_DATA="${GANNET_DATA:-$GN_ROOT/../shared/data}"
folder=build-arm
passed=0 failed=0 skipped=0
start=$SECONDS

stage() { echo "== $1 (after $((SECONDS - start)) s)"; }

# check NAME COMMAND...: counts lines "ok" and "FAILED", or what cmocka says, or else the status.
check() {
  local name=$1 log=$folder/check.log status n_ok n_failed n_skipped
  shift
  "$@" >"$log" 2>&1
  status=$?
  n_ok=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$log" | awk '{n+=$1} END{print n+0}')
  n_failed=$(sed -n 's/^\[  FAILED  \] \([0-9]*\) test(s).*/\1/p' "$log" | awk '{n+=$1} END{print n+0}')
  n_skipped=$(sed -n 's/^\[  SKIPPED \] \([0-9]*\) test(s).*/\1/p' "$log" | awk '{n+=$1} END{print n+0}')
  n_ok=$((n_ok + $(grep -c '^ok \|  ok$' "$log"))) n_failed=$((n_failed + $(grep -c '^FAILED ' "$log")))
  if [ "$status" -ne 0 ] && [ "$n_failed" -eq 0 ]; then n_failed=1; fi
  if [ "$status" -eq 0 ] && [ $((n_ok + n_failed + n_skipped)) -eq 0 ]; then n_ok=1; fi
  passed=$((passed + n_ok)) failed=$((failed + n_failed)) skipped=$((skipped + n_skipped))
  echo "$name: $n_ok ok, $n_failed failed"
  if [ "$n_failed" -gt 0 ]; then grep -vE '^\[ +(RUN|OK) |^ok ' "$log" | tail -n 40; fi
}
emulated() { timeout 1800 qemu-aarch64 -cpu cortex-a57 "$@"; }

stage "cross build, warnings are errors"
tests="test_kernels test_ops test_backend_ops test_backend_conv test_backend_exec test_plan test_gannet_model test_golden_onnx test_forward"
gn_build "$folder" "gannet gannet_run run_again $tests" -DCMAKE_BUILD_TYPE=Release -DGN_WERROR=ON \
  -DCMAKE_TOOLCHAIN_FILE="$GN_ROOT/cmake/aarch64-linux-gnu.cmake" || exit 1
if [ "$only" = all ]; then
  stage "tests under qemu-aarch64"
  for test in $tests; do check "$test" emulated "$folder/tests/$test"; done
  check "gannet doctor" emulated "$folder/gannet" doctor
fi
stage "instructions per inference"
check "arm_instructions.py" python3 tests/oracle/arm_instructions.py "$folder" --check
stage "done"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
