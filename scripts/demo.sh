#!/bin/bash
# The main job in one command, from a bare Debian 12 on: installs what is missing, builds, draws a face set, searches three networks
# with two learning rates each (latency first), and leaves the report, the winner and a contact sheet in runs/demo.
#   scripts/demo.sh [--data DIR-OR-data.yaml] [--out DIR] [other options of `gannet search`]
# Run again, it goes on where it was; remove runs/demo to begin anew.
# SPDX-License-Identifier: Apache-2.0
set -eu
begin_folder=$PWD
. "$(dirname "$0")/setup.sh"
data="" out=runs/demo
rest=()
while [ $# -gt 0 ]; do
  case "$1" in
    --data) data=$(cd "$begin_folder" && realpath "${2:?--data needs a folder}"); shift 2 ;;
    --out) out=$(cd "$begin_folder" && realpath -m "${2:?--out needs a folder}"); shift 2 ;;
    -h|--help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) rest+=("$1"); shift ;;
  esac
done
# shellcheck disable=SC2086
gn_install $GN_PACKAGES
begin=$SECONDS
step() { echo "== $1 (after $((SECONDS - begin)) s)" >&2; }

step "building"
gn_build build gannet -DCMAKE_BUILD_TYPE=Release -DGN_TESTS=OFF -DGN_BENCH=OFF
gannet=build/gannet
if [ -z "$data" ]; then
  data=$out/faces/data.yaml
  if [ ! -e "$data" ]; then
    step "drawing faces"
    rm -rf "$out/faces"
    "$gannet" synth "$out/faces" --images 480
  fi
fi
step "searching"
"$gannet" search --data "$data" --space scripts/demo_space.yaml --target cpu --latency 50ms --out "$out" ${rest[@]+"${rest[@]}"}
step "predicting the test pictures"
split=test
"$gannet" predict "$out/best.onnx" --data "$data" --split test --sheet "$out/test_pictures.jpg" --quiet >/dev/null 2>&1 ||
  { split=val; "$gannet" predict "$out/best.onnx" --data "$data" --split val --sheet "$out/test_pictures.jpg" --quiet >/dev/null; }
step "done"
echo "report          $out/report.html"
echo "winner          $out/best.onnx"
echo "pictures        $out/test_pictures.jpg ($split split; true box green, predicted box orange)"
