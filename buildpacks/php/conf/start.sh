#!/bin/bash
# Runs php-fpm and nginx; when one of them ends, so does the instance.
set -eu
tmp=${TMPDIR:-/tmp}
php=$HOME/.php
web=$HOME/$(cat "$php/webdir")
mkdir -p "$tmp/nginx-temp" "$tmp/sessions"
rm -f "$tmp/php-fpm.sock"
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

pids=()
# Requests at work are answered before both end. A signal that comes before a program listens to it is lost, so it is
# repeated; the platform ends what takes longer.
finish() {
  trap '' TERM INT
  while kill -QUIT "${pids[@]}" 2> /dev/null; do sleep 0.2; done
  exit 143
}
trap finish TERM INT

"$(cat "$php/fpm")" --nodaemonize --force-stderr --fpm-config "$tmp/fpm.conf" -d session.save_path="$tmp/sessions" \
  -d display_errors=0 -d log_errors=1 &
fpm=$!
pids=("$fpm")
while [ ! -S "$tmp/php-fpm.sock" ]; do
  kill -0 $fpm 2> /dev/null || { echo "php-fpm ended before it was ready"; exit 1; }
  sleep 0.05
done
nginx -e stderr -p "$php" -c "$tmp/nginx.conf" &
pids+=("$!")
code=0
wait -n "${pids[@]}" || code=$?
echo "one of nginx and php-fpm ended with status $code"
kill "${pids[@]}" 2> /dev/null || true
exit $((code == 0 ? 1 : code))
