#!/bin/bash
# Fills the places that are known only when an instance starts, then becomes nginx.
set -eu
tmp=${TMPDIR:-/tmp}
mkdir -p "$tmp/nginx-temp"
for name in nginx.conf site.conf; do
  sed "s|@PORT@|${PORT:?}|g; s|@HOME@|$HOME|g; s|@TMP@|$tmp|g" "$HOME/nginx/$name" > "$tmp/$name"
done
# Standard output may belong to another user, whom nginx is not; then its access lines go another way.
if ! (: > /dev/stdout) 2> /dev/null; then
  rm -f "$tmp/access-log"
  mkfifo "$tmp/access-log"
  sed -i "s|access_log /dev/stdout|access_log $tmp/access-log|" "$tmp/nginx.conf"
  cat <> "$tmp/access-log" &
fi
PATH=$PATH:/usr/sbin
exec nginx -e stderr -p "$HOME/nginx" -c "$tmp/nginx.conf"
