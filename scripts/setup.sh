# Shared by the scripts of this folder (to be sourced): installs what is missing on Debian 12, and builds.
# SPDX-License-Identifier: Apache-2.0

GN_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$GN_ROOT" || exit 1

# What building and running need, by Debian package.
GN_PACKAGES="gcc libc6-dev cmake ninja-build pkg-config libturbojpeg0-dev libpng-dev libwebp-dev libyaml-dev
  libprotobuf-c-dev protobuf-c-compiler libonnx-dev libsqlite3-dev libcairo2-dev libzip-dev libexpat1-dev
  libmicrohttpd-dev"
# What the tests need besides; PostgreSQL's server is started by them in a folder of its own.
GN_TEST_PACKAGES="libcmocka-dev python3-minimal libpq5 postgresql"

# gn_install PACKAGE...: installs those that are missing; needs root or sudo only when there are any.
gn_install() {
  local missing="" package
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
  done
  [ -n "$missing" ] || return 0
  echo "installing:$missing" >&2
  local as_root=""
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "these packages are missing, and neither root nor sudo is at hand:$missing" >&2; return 1; }
    as_root=sudo
  fi
  $as_root apt-get update -qq >&2 || return 1
  # shellcheck disable=SC2086
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

# gn_build FOLDER TARGETS CMAKE-OPTION...: configures and builds; TARGETS may be "all".
gn_build() {
  local folder=$1 targets=$2
  shift 2
  cmake -S . -B "$folder" -G Ninja "$@" >"$folder.log" 2>&1 || { cat "$folder.log" >&2; return 1; }
  # shellcheck disable=SC2086
  ninja -C "$folder" $targets >"$folder.log" 2>&1 || { tail -n 60 "$folder.log" >&2; return 1; }
  rm -f "$folder.log"
}
