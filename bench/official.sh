#!/bin/sh
# Installs the official connector, given as NAME==VERSION of PyPI, into a virtual environment of its own, and prints where
# its program is. The environment is kept; with --installed as second argument it is not made.
set -eu
requirement=$1
cache=${SOURCE_OKTA_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/source-okta}
venv=$cache/bench-$(printf %s "$requirement" | tr -c 'A-Za-z0-9.\n' -)
if [ ! -e "$venv/complete" ]; then
  [ "${2-}" != --installed ] || exit 1
  # The versions of Python that it supports.
  for python in python3.11 python3.10; do
    if "$python" -c 'import ensurepip' 2>/dev/null; then break; fi
    python=
  done
  [ -n "$python" ] || { echo "neither Python 3.11 nor 3.10 is here" >&2; exit 1; }
  rm -rf "$venv"
  mkdir -p "$cache"
  "$python" -m venv "$venv" >&2
  "$venv/bin/pip" install --quiet --disable-pip-version-check "$requirement" >&2
  touch "$venv/complete"
fi
echo "$venv/bin/source-okta"
