#!/bin/bash
# All tests, from a bare Debian 12 on: installs what is missing, builds with warnings as errors, runs everything, then once more
# under the address and undefined-behaviour sanitizers, and the threaded part under the thread sanitizer.
# The last line is "N passed, N failed, N skipped".
# SPDX-License-Identifier: Apache-2.0
set -u
. "$(dirname "$0")/setup.sh"
# shellcheck disable=SC2086
gn_install $GN_PACKAGES $GN_TEST_PACKAGES || exit 1
export GANNET_DATA="${GANNET_DATA:-$GN_ROOT/../shared/data}"
passed=0 failed=0 skipped=0
start=$SECONDS

# count NAME STATUS LOG: adds the cases of one test program; a program that ended badly without a summary counts as one failure.
count() {
  local name=$1 status=$2 log=$3 p f s
  p=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p; s/^\([0-9]*\) passed, .*/\1/p' "$log" | awk '{n+=$1} END{print n+0}')
  f=$(sed -n 's/^\[  FAILED  \] \([0-9]*\) test(s).*/\1/p; s/^[0-9]* passed, \([0-9]*\) failed.*/\1/p' "$log" | awk '{n+=$1} END{print n+0}')
  s=$(sed -n 's/^\[  SKIPPED \] \([0-9]*\) test(s).*/\1/p; s/^[0-9]* passed, [0-9]* failed, \([0-9]*\) skipped.*/\1/p' "$log" | awk '{n+=$1} END{print n+0}')
  if [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; then f=1; fi
  if [ "$status" -eq 0 ] && [ $((p + f + s)) -eq 0 ]; then p=1; fi
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  if [ "$status" -ne 0 ] || [ "$f" -gt 0 ]; then
    echo "FAILED: $name (status $status)"
    grep -vE '^\[ +(RUN|OK) ' "$log" | tail -n 40
  fi
}

# Tests that train or measure hold the machine's lock, and run one at a time; of all others two run at once.
alone=$(cd tests && ls {cli,measure,pipeline,run,search,train}/test_*.c | sed 's|.*/||; s|\.c$||' | tr '\n' ' ')

# run_one PROGRAM: its output in PROGRAM.log, its status in PROGRAM.status.
run_one() {
  local began=$SECONDS
  timeout 300 "$1" >"$1.log" 2>&1
  echo $? >"$1.status"
  if [ $((SECONDS - began)) -ge 10 ]; then echo "   $(basename "$1"): $((SECONDS - began)) s"; fi
}
export -f run_one

# run_tests FOLDER PATTERN: every test program of a build whose name matches.
run_tests() {
  local folder=$1 pattern=$2 program name
  local together=() one_by_one=()
  for program in "$folder"/tests/test_*; do
    name=$(basename "$program")
    [ -x "$program" ] && [ -f "$program" ] && [[ $name =~ $pattern ]] || continue
    if [[ " $alone " == *" $name "* ]]; then one_by_one+=("$program"); else together+=("$program"); fi
  done
  [ ${#together[@]} -eq 0 ] || printf '%s\n' "${together[@]}" | xargs -P 2 -I{} bash -c 'run_one "$1"' - {}
  for program in "${one_by_one[@]}"; do run_one "$program"; done
  for program in "${together[@]}" "${one_by_one[@]}"; do
    count "$program" "$(cat "$program.status")" "$program.log"
    rm -f "$program.status" "$program.log"
  done
}

# check NAME COMMAND...: a check that is no test program.
check() {
  local name=$1 log=build-test/check.log
  shift
  "$@" >"$log" 2>&1
  count "$name" $? "$log"
}

stage() { echo "== $1 (after $((SECONDS - start)) s)"; }

stage "build, warnings are errors"
gn_build build-test all -DCMAKE_BUILD_TYPE=Release -DGN_WERROR=ON || exit 1
stage "rules of the house"
check layers python3 tools/check_layers.py
check size python3 tools/size.py --check
# The edge runtime exports what gannet.h declares, and nothing else.
check symbols bash -c '! nm -D --defined-only build-test/libgannet_run.so | awk "{print \$3}" | grep -vE "^gn_(model_[a-z_]+|version|code_text)\$"'
stage "tests"
run_tests build-test .
stage "build with address and undefined-behaviour sanitizers"
gn_build build-asan all -DCMAKE_BUILD_TYPE=RelWithDebInfo -DGN_SANITIZE=address,undefined -DGN_BENCH=OFF || exit 1
stage "tests under them"
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1
run_tests build-asan .
stage "build with the thread sanitizer"
threaded="test_pool test_loader test_backend_exec test_synth test_session"
gn_build build-tsan "$threaded" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DGN_SANITIZE=thread -DGN_BENCH=OFF || exit 1
stage "threaded tests under it"
run_tests build-tsan "^($(echo "$threaded" | tr ' ' '|'))$"
stage "done"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
