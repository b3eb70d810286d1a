#!/bin/bash
# Fills the places that are known only when an instance starts, then becomes nginx.
set -eu
tmp=${TMPDIR:-/tmp}
mkdir -p "$tmp/nginx-temp"
# Standard output may belong to another user, whom nginx is not; then its access lines go another way.
log=/dev/stdout
if ! (: > /dev/stdout) 2> /dev/null; then
  log=$tmp/log-pipe
  rm -f "$log"
  mkfifo "$log"
  cat <> "$log" &
fi
for name in nginx.conf site.conf; do
  sed "s|@PORT@|${PORT:?}|g; s|@HOME@|$HOME|g; s|@TMP@|$tmp|g; s|@LOG@|$log|g" "$HOME/nginx/$name" > "$tmp/$name"
done
PATH=$PATH:/usr/sbin
exec nginx -e stderr -p "$HOME/nginx" -c "$tmp/nginx.conf"
