#!/bin/bash
# Runs inside the staging container, as the app's user: builder.sh <staging folder> <home folder>
# Reads in/{package.zip,cache.tgz,candidates,mode}; leaves what it found and made in out/. Exit codes: core/staging-plan.ts.
set -u
staging=$1
home=$2
app=$home/app
deps=$home/deps
profile=$home/profile.d
cache=$staging/cache
out=$staging/out
umask 022

fail() { # exit code, message
  echo "$2"
  exit "$1"
}

# Said beforehand: when a build fails because the disk is full, it can't be said any more.
at_work() { printf '%s' "$1" > "$out/at-work"; }

unpack() {
  mkdir -p "$app" "$deps" "$profile" "$home/logs" "$home/tmp" || fail 225 "The home folder can't be written"
  # A table of contents can lie: no file gets larger than the largest one declared, nor all of them than their sum.
  local largest_kb total_bytes code written
  read -r largest_kb total_bytes < "$staging/in/declared"
  (ulimit -c 0 -f "$largest_kb" && exec unzip -qq -o "$staging/in/package.zip" -d "$app" < /dev/null)
  code=$?
  # Killed by the limit, or told by it where that signal is ignored; a full disk takes no other file either.
  if [ $code -eq 153 ] || { [ $code -eq 50 ] && head -c 100000 /dev/zero > "$out/probe"; }; then
    fail 228 "A file of the package unpacks to more than the package declares"
  fi
  [ $code -le 1 ] || fail 225 "unzip ended with status $code"
  chmod -R u+rwX "$app"
  written=$(find "$app" -type f -printf '%s\n' | awk '{ sum += $1 } END { printf "%.0f", sum }')
  [ "$written" -le "$total_bytes" ] || fail 228 "The package unpacks to $written bytes and declares $total_bytes"
  if [ -f "$staging/in/cache.tgz" ] && ! tar -xzf "$staging/in/cache.tgz" -C "$cache"; then
    echo "The build cache can't be read; going on without it"
    find "$cache" -mindepth 1 -delete
  fi
}

# A buildpack's archive may hold everything in one top folder.
buildpack_root() {
  local inner
  if [ ! -d "$1/bin" ]; then
    inner=$(find "$1" -mindepth 1 -maxdepth 1 -type d | head -n 2)
    [ -d "$inner/bin" ] && { echo "$inner"; return; }
  fi
  echo "$1"
}

fetch_buildpack() { # kind, location, branch, name, number: prints its folder
  local folder=/tmp/buildpacks/$5
  [ "$1" = local ] && { buildpack_root "$staging/$2"; return; }
  mkdir -p "$folder"
  if [ "$1" = zip ]; then
    curl -fsSL --connect-timeout 15 --max-time 300 --retry 2 -o "$folder.zip" "$2" >&2 || return 1
    unzip -qq -o "$folder.zip" -d "$folder" >&2 < /dev/null || return 1
    rm -f "$folder.zip"
  else
    local branch=()
    [ "$3" = - ] || branch=(--branch "$3")
    git clone --quiet --depth 1 --recursive "${branch[@]}" -- "$2" "$folder" >&2 < /dev/null || return 1
  fi
  buildpack_root "$folder"
}

# Tools that earlier buildpacks supplied are at hand for later ones.
supplied_path() {
  local folder
  for folder in "$deps"/*/bin; do [ -d "$folder" ] && PATH=$folder:$PATH; done
  export PATH
}

run() { # buildpack name, then the command
  local name=$1
  shift
  "$@" < /dev/null
  local code=$?
  [ $code -eq 0 ] || fail 223 "bin/$(basename "$1") of $name ended with status $code"
  supplied_path
}

cache_of() { # buildpack name: prints a folder of its own
  local folder
  folder=$cache/$(printf '%s' "$1" | md5sum | cut -c 1-32)
  mkdir -p "$folder"
  echo "$folder"
}

names=() folders=()
while IFS=$'\t' read -r kind location branch name; do
  names+=("$name")
  if [ "$kind" != local ]; then echo "-----> Fetching buildpack $name"; fi
  at_work "$name"
  folder=$(fetch_buildpack "$kind" "$location" "$branch" "$name" "${#names[@]}") || fail 226 "The buildpack can't be fetched"
  folders+=("$folder")
done < "$staging/in/candidates"

unpack
cd "$app" || fail 225 "The app's folder can't be entered"
last=-1
detected=""

if [ "$(cat "$staging/in/mode")" = detect ]; then
  for i in "${!names[@]}"; do
    [ -x "${folders[$i]}/bin/detect" ] || continue
    if said=$("${folders[$i]}/bin/detect" "$app" 2> "$out/detect-errors" < /dev/null); then
      last=$i
      detected=${said%%$'\n'*}
      break
    fi
    said=$(printf '%s\n' "$said" | cat "$out/detect-errors" - | grep -v '^[[:space:]]*$' | head -n 1)
    printf '%s\t%s\n' "${names[$i]}" "${said:-did not say}" >> "$out/looked-for"
  done
  [ $last -ge 0 ] || fail 222 "None of the buildpacks detected a compatible application"
  names=("${names[$last]}")
  folders=("${folders[$last]}")
  printf '%s' "$last" > "$out/detected-at"
fi
printf '%s' "$detected" > "$out/detect-output"

count=${#names[@]}
used=()
for i in "${!names[@]}"; do
  name=${names[$i]} folder=${folders[$i]}
  at_work "$name"
  mkdir -p "$deps/$i"
  [ -f "$folder/VERSION" ] && version=$(head -c 100 "$folder/VERSION" | head -n 1) || version=""
  printf '%s\n' "$version" >> "$out/versions"
  own_cache=$(cache_of "$name")
  used+=("$own_cache")
  if [ $((i + 1)) -lt "$count" ]; then
    [ -x "$folder/bin/supply" ] || fail 223 "$name can only be the last buildpack: it has no bin/supply"
    run "$name" "$folder/bin/supply" "$app" "$own_cache" "$deps" "$i"
  elif [ -x "$folder/bin/finalize" ]; then
    [ -x "$folder/bin/supply" ] && run "$name" "$folder/bin/supply" "$app" "$own_cache" "$deps" "$i"
    run "$name" "$folder/bin/finalize" "$app" "$own_cache" "$deps" "$i" "$profile"
  elif [ -x "$folder/bin/compile" ]; then
    run "$name" "$folder/bin/compile" "$app" "$own_cache"
  else
    fail 223 "$name has neither bin/compile nor bin/finalize"
  fi
done

if [ -x "$folder/bin/release" ]; then
  "$folder/bin/release" "$app" > "$out/release.yml" < /dev/null || fail 224 "bin/release of $name ended with status $?"
fi
[ -f "$app/Procfile" ] && head -c 65536 "$app/Procfile" > "$out/Procfile"

# What buildpacks supplied is on the path of the running app too.
if [ ! -e "$profile/000_multi-supply.sh" ]; then
  for i in $(seq 0 $((count - 1))); do
    [ -d "$deps/$i/bin" ] && printf 'export PATH=%s:$PATH\n' "$deps/$i/bin" >> "$profile/000_multi-supply.sh"
    [ -d "$deps/$i/lib" ] &&
      printf 'export LD_LIBRARY_PATH=%s${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}\n' "$deps/$i/lib" >> "$profile/000_multi-supply.sh"
    for script in "$deps/$i"/profile.d/*.sh; do
      [ -f "$script" ] && cp "$script" "$profile/${i}_$(basename "$script")"
    done
  done
fi

for folder in "$cache"/*; do
  [[ " ${used[*]} " == *" $folder "* ]] || rm -rf "$folder"
done
find "$cache" -mindepth 1 -maxdepth 1 -type d -empty -delete
tar -C "$home" --owner=2000 --group=2000 --numeric-owner -cf - ./app ./deps ./profile.d ./logs ./tmp | gzip -2 > "$out/packed.tgz"
[ "${PIPESTATUS[*]}" = "0 0" ] || fail 227 "The droplet can't be written"
if [ -n "$(ls -A "$cache")" ]; then
  tar -C "$cache" -cf - . | gzip -1 > "$out/cache.tgz"
  [ "${PIPESTATUS[*]}" = "0 0" ] || { echo "The build cache can't be written; going on without it"; rm -f "$out/cache.tgz"; }
fi
exit 0
