# Sourced by our buildpacks: says within seconds that a package registry is silent, where tools would wait for minutes.

# registry_answers <what it is> <setting that names it> <URL>...: whether each of them answers, with whatever status.
# Otherwise registry_fault has the lines that say which one does not, and what to change.
# registry_status is the HTTP status of the last one that answered.
registry_answers() {
  local what=$1 setting=$2 url
  shift 2
  registry_fault="" registry_status=""
  for url in "$@"; do
    case $url in http://* | https://*) registry_ask "$what" "$setting" "$url" || return 1 ;; esac
  done
}

# What was tried without the registry has failed too: the registry is the cause.
registry_failed() {
  printf '%s\n' "$registry_fault"
  exit 1
}

registry_ask() { # as registry_answers, with one URL
  local what=$1 setting=$2 url=$3 attempt code said proxy subject
  for attempt in 1 2; do
    said=$(curl -sv -o /dev/null --connect-timeout 7 --max-time 9 -w '%{http_code}\n' -- "$url" 2>&1) && code=0 || code=$?
    registry_status=${said: -3}
    # Once there is a status it has answered, also when the rest is slow or cut short.
    [ "$registry_status" = 000 ] || return 0
    # Certificates are the tools' own affair: they fail at once, unless they are told not to mind.
    case $code in 35 | 51 | 53 | 54 | 58 | 59 | 60 | 66 | 77 | 80 | 82 | 83 | 90 | 91) return 0 ;; esac
    [ $attempt = 2 ] || sleep 1
  done
  subject="The $what $(registry_place "$url")"
  proxy=$(printf '%s\n' "$said" | sed -n "s/.*Uses proxy env variable [^ ]* == '\([^']*\)'.*/\1/p" | head -n 1)
  if [ -n "$proxy" ]; then
    subject="$subject, asked through the proxy $(registry_place "$proxy"),"
    setting="staging.environment (http_proxy, https_proxy, no_proxy)"
  fi
  registry_fault=" !     $subject $(registry_symptom "$code").
 !     An operator can set another one in $setting (kato config set), or open the way to it: egress rules of the space, firewall, proxy."
  return 1
}

registry_symptom() { # curl's exit code
  case $1 in
    5) echo "can't be asked: the name of the proxy is not known" ;;
    6) echo "can't be asked: its name is not known" ;;
    7) echo "can't be reached: the connection was refused" ;;
    28) echo "does not answer" ;;
    *) echo "breaks off the connection" ;;
  esac
}

# A URL without user, password and path.
registry_place() {
  printf '%s' "$1" | sed -E 's#^([a-zA-Z0-9+]+://)?([^/]*@)?([^/?]*).*#\1\3#'
}
