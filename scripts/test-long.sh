#!/bin/bash
# The tests that need other people's tools or much time, from a bare Debian 12 on: golden files made again by PyTorch, Pillow, ONNX
# Runtime and pycocotools; exported models, models of others and the node tests of ONNX, in ONNX Runtime and here; each fuzzer for a
# minute; reports in Chromium; the tests for ARM under an emulator (scripts/test-arm.sh).  The last line is "N passed, N failed, N skipped".
#   scripts/test-long.sh [oracles] [models] [browser] [fuzz] [arm]     (all unless some are named)
# GANNET_PYTHON=/path/to/python uses an interpreter that has the packages already, GANNET_ONNX_PYTHON one with onnx 1.16;
# GN_FUZZ_SECONDS changes the minute.
# SPDX-License-Identifier: Apache-2.0
set -u
. "$(dirname "$0")/setup.sh"
parts=${*:-oracles models browser fuzz arm}
for part in $parts; do
  case "$part" in
    oracles|models|browser|fuzz|arm) ;;
    *) echo "there is no part '$part'; expected oracles, models, browser, fuzz or arm" >&2; exit 2 ;;
  esac
done
# shellcheck disable=SC2086
gn_install $GN_PACKAGES $GN_TEST_PACKAGES clang libclang-rt-14-dev python3-venv || exit 1
folder=$GN_ROOT/build-long
mkdir -p "$folder"
passed=0 failed=0 skipped=0
start=$SECONDS

stage() { echo "== $1 (after $((SECONDS - start)) s)"; }
wants() { [[ " $parts " == *" $1 "* ]]; }

# check NAME COMMAND...: lines that begin with "ok" or "FAILED" count one each; a command that prints none counts once, by its status.
check() {
  local name=$1 log=$folder/check.log status n_ok n_failed
  shift
  "$@" >"$log" 2>&1
  status=$?
  n_ok=$(grep -c '^ok ' "$log") n_failed=$(grep -c '^FAILED ' "$log")
  if [ "$status" -ne 0 ] && [ "$n_failed" -eq 0 ]; then n_failed=1; fi
  if [ "$status" -eq 0 ] && [ $((n_ok + n_failed)) -eq 0 ]; then n_ok=1; fi
  passed=$((passed + n_ok)) failed=$((failed + n_failed))
  echo "$name: $n_ok ok, $n_failed failed"
  if [ "$n_failed" -gt 0 ]; then grep -v '^ok ' "$log" | tail -n 40; fi
}

# The interpreter with everything that the oracles import.
make_python() {
  python=${GANNET_PYTHON:-$folder/venv/bin/python}
  if [ -n "${GANNET_PYTHON:-}" ] || [ -e "$folder/venv/.complete" ]; then return 0; fi
  python3 -m venv "$folder/venv" &&
    "$python" -m pip install --quiet --disable-pip-version-check 'numpy>=1.24' 'pillow>=9.4' 'onnx>=1.13' 'onnxruntime>=1.14' \
      'torch>=2.0' 'torchvision>=0.15' 'pycocotools>=2.0.6' 'opencv-python-headless<4.12' \
      'optuna>=3' 'scikit-learn>=1.2' && touch "$folder/venv/.complete"
}

# The interpreter with the package whose node tests are run; that package alone, in the version that docs/onnx.md speaks of.
make_onnx_python() {
  onnx_python=${GANNET_ONNX_PYTHON:-$folder/venv-onnx/bin/python}
  if [ -n "${GANNET_ONNX_PYTHON:-}" ] || [ -e "$folder/venv-onnx/.complete" ]; then return 0; fi
  python3 -m venv "$folder/venv-onnx" &&
    "$onnx_python" -m pip install --quiet --disable-pip-version-check 'onnx==1.16.2' && touch "$folder/venv-onnx/.complete"
}

if wants oracles || wants models; then
  stage "Python packages"
  make_python || { echo "the Python packages cannot be installed" >&2; exit 1; }
fi

if wants oracles; then
  stage "golden files, made again"
  for script in tests/oracle/make_*_golden.py; do
    check "$(basename "$script")" "$python" "$script" --check
  done
  check "voc_map.py" "$python" tests/oracle/voc_map.py --check
  check "detector_loss.py" "$python" tests/oracle/detector_loss.py --check
fi

if wants models; then
  stage "models in ONNX Runtime"
  gn_build build-long/release "gannet run_numbers zoo_numbers onnx_node_runner test_step test_backend_step test_fast_paths" -DCMAKE_BUILD_TYPE=Release || exit 1
  check "check_onnx.py" "$python" tests/oracle/check_onnx.py build-long/release
  check "check_detectors.py" "$python" tests/oracle/check_detectors.py build-long/release
  check "check_torch_weights.py" "$python" tests/oracle/check_torch_weights.py build-long/release
  check "onnx_models.py" "$python" tests/oracle/onnx_models.py build-long/release
  check "test_fast_paths" env GN_EVERY_LAYER=1 build-long/release/tests/test_fast_paths
  check "fast_paths.py" "$python" tests/oracle/fast_paths.py build-long/release
  check "learning_bars.py" "$python" tests/oracle/learning_bars.py build-long/release
  check "zoo_forward.py" "$python" tests/oracle/zoo_forward.py build-long/release
  check "zoo_step.py" "$python" tests/oracle/zoo_step.py build-long/release
  check "zoo_detect.py" "$python" tests/oracle/zoo_detect.py build-long/release
  check "importance.py" "$python" tests/oracle/importance.py build-long/release
  check "search_kill.py" "$python" tests/oracle/search_kill.py build-long/release/gannet
  mkdir -p build-long/steps
  check "make_step_golden.py --long" "$python" tests/oracle/make_step_golden.py --long build-long/steps
  check "test_step" env GN_STEP_FOLDER=build-long/steps build-long/release/tests/test_step
  check "test_backend_step" env GN_STEP_FOLDER=build-long/steps build-long/release/tests/test_backend_step
  check "import_torch.py" "$python" tests/oracle/import_torch.py build-long/release
  check "import_darknet.py" "$python" tests/oracle/import_darknet.py build-long/release
  check "darknet_opencv.py" "$python" tests/oracle/darknet_opencv.py build-long/release
  check "coco_random.py" "$python" tests/oracle/coco_random.py build-long/release
  make_onnx_python || { echo "the package onnx 1.16 cannot be installed" >&2; exit 1; }
  check "onnx_nodes.py" "$onnx_python" tests/oracle/onnx_nodes.py build-long/release --check
fi

if wants browser; then
  stage "reports in Chromium"
  gn_install chromium || exit 1
  gn_build build-long/release "test_report" -DCMAKE_BUILD_TYPE=Release || exit 1
  check "report_browser.py" python3 tests/oracle/report_browser.py build-long/release
fi

# fuzz NAME: from the seeds in the tree, and from what earlier runs found.
fuzz() {
  local name=$1 found=$folder/found/$1 seeds=$GN_ROOT/fuzz/corpus/$1
  mkdir -p "$found" "$folder/crashes"
  check "fuzz_$name, $seconds s" "$folder/fuzz/fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 \
    -artifact_prefix="$folder/crashes/$name-" "$found" "$seeds"
}

if wants fuzz; then
  seconds=${GN_FUZZ_SECONDS:-60}
  stage "fuzzers, $seconds s each"
  targets=$(cd fuzz && echo fuzz_*.c)
  CC=clang gn_build build-long/fuzz "${targets//.c/}" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG="-O1 -g" -DGN_FUZZ=ON \
    -DGN_TESTS=OFF -DGN_BENCH=OFF || exit 1
  for target in $targets; do
    target=${target#fuzz_}
    fuzz "${target%.c}"
  done
  rmdir "$folder/crashes" 2>/dev/null || ls "$folder/crashes"
fi

if wants arm; then
  stage "64-bit ARM"
  log=$folder/arm.log
  scripts/test-arm.sh 2>&1 | tee "$log"
  read -r n_ok n_failed n_skipped < <(sed -n '$s/^\([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p' "$log")
  passed=$((passed + ${n_ok:-0})) failed=$((failed + ${n_failed:-1})) skipped=$((skipped + ${n_skipped:-0}))
fi

stage "done"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
