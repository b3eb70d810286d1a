#!/bin/bash
# Runs php-fpm and nginx; when one of them ends, so does the instance.
set -eu
tmp=${TMPDIR:-/tmp}
php=$HOME/.php
web=$HOME/$(cat "$php/webdir")
mkdir -p "$tmp/nginx-temp" "$tmp/sessions"
memory=${MEMORY_LIMIT:-256m}
memory=${memory%%[!0-9]*}
workers=$((memory / 40))
[ $workers -ge 2 ] || workers=2
# Standard output may belong to another user, whom these programs are not; then their lines go another way.
log=/dev/stdout
if ! (: > /dev/stdout) 2> /dev/null; then
  log=$tmp/log-pipe
  rm -f "$log"
  mkfifo "$log"
  cat <> "$log" &
fi
for name in nginx.conf fpm.conf; do
  sed "s|@PORT@|${PORT:?}|g; s|@ROOT@|${web%/.}|g; s|@TMP@|$tmp|g; s|@WORKERS@|$workers|g; s|@LOG@|$log|g" "$php/$name" > "$tmp/$name"
done
PATH=$PATH:/usr/sbin
"$(cat "$php/fpm")" --nodaemonize --force-stderr --fpm-config "$tmp/fpm.conf" -d session.save_path="$tmp/sessions" \
  -d display_errors=0 -d log_errors=1 &
fpm=$!
nginx -e stderr -p "$php" -c "$tmp/nginx.conf" &
nginx=$!
# Requests at work are answered before both end.
trap 'kill -QUIT $nginx $fpm 2> /dev/null; wait $nginx; wait $fpm; exit 143' TERM INT
code=0
wait -n $fpm $nginx || code=$?
kill $fpm $nginx 2> /dev/null || true
exit $((code == 0 ? 1 : code))
