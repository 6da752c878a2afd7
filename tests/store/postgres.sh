#!/bin/bash
# A PostgreSQL server of its own for tests, in a folder that is removed with it.
#   postgres.sh start FOLDER PORT [OWNER-PID]   makes it; it listens on 127.0.0.1:PORT (user gannet, password secret) and on a socket in
#                                               FOLDER (no password); it is stopped when the process OWNER-PID has ended
#   postgres.sh restart FOLDER
#   postgres.sh down FOLDER                     as in a crash: connections end without a word; `up` starts it again
#   postgres.sh up FOLDER
#   postgres.sh stop FOLDER                     for good: the folder is removed
# Ends with 77 where PostgreSQL's server is not installed.
# SPDX-License-Identifier: Apache-2.0
set -eu
verb=$1 folder=$2
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -n "$bin" ] && [ -x "$bin/initdb" ] || exit 77

# The server refuses to run as root.
user=$(id -un)
if [ "$(id -u)" -eq 0 ]; then
  user=postgres
  id "$user" >/dev/null 2>&1 || user=nobody
fi
as_user() {
  if [ "$(id -u)" -eq 0 ]; then
    (cd / && setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups env HOME=/ PATH="$PATH" "$@")
  else
    "$@"
  fi
}

control() { as_user "$bin/pg_ctl" -s -D "$folder/data" -l "$folder/log" -t 30 -w "$@" >/dev/null; }

case $verb in
start)
  port=$3
  mkdir -p "$folder"
  echo secret >"$folder/password"
  [ "$(id -u)" -ne 0 ] || chown -R "$user" "$folder"
  as_user "$bin/initdb" -D "$folder/data" -U gannet --pwfile="$folder/password" --auth-local=trust --auth-host=scram-sha-256 \
    --encoding=UTF8 --locale=C --no-sync >"$folder/initdb.log" 2>&1 || { cat "$folder/initdb.log" >&2; exit 1; }
  # Nothing here must outlive a crash of the machine.
  as_user tee -a "$folder/data/postgresql.conf" >/dev/null <<CONF
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$folder'
fsync = off
max_connections = 40
shared_buffers = 32MB
CONF
  control start || { cat "$folder/log" >&2; exit 1; }
  if [ -n "${4:-}" ]; then
    (
      while kill -0 "$4" 2>/dev/null; do sleep 1; done
      [ ! -d "$folder/data" ] || "$0" stop "$folder"
    ) </dev/null >/dev/null 2>&1 &
  fi
  ;;
restart) control -m fast restart ;;
down) control -m immediate stop ;;
up) control start ;;
stop)
  control -m immediate stop || true
  rm -rf "$folder"
  ;;
*) exit 2 ;;
esac
