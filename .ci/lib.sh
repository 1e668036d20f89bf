# Sourced by the scripts beside it: where things are, and how they speak.
# shellcheck shell=bash
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Whatever takes long to fetch or build is kept here between runs; deleting the
# folder is always safe.
CACHE=${SOURCE_OKTA_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/source-okta}
mkdir -p "$CACHE"
cd "$ROOT"

IMAGE=${IMAGE:-source-okta:dev}
TEST_IMAGE=${TEST_IMAGE:-source-okta-test:dev}
export IMAGE TEST_IMAGE

say() { printf '%s %s\n' "$(date +%H:%M:%S)" "$*" >&2; }
die() { say "$*"; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Debian's packages by name, only those that are missing.
apt_install() {
  local missing=() p
  for p; do
    dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
  done
  [ ${#missing[@]} = 0 ] && return
  as_root apt-get update -qq >&2
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}

# A hash of files and words, to name what is made from them.
fingerprint() {
  local a
  for a; do
    if [ -f "$a" ]; then cat "$a"; else printf '%s\n' "$a"; fi
  done | sha256sum | cut -c1-12
}
