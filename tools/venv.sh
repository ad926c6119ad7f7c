#!/usr/bin/env bash
# Makes .venv from a lock (`dev` or `demo`) and installs this package into it, editable.
# Every download is checked against a hash of the lock. Called by the Makefile.
set -euo pipefail
cd "$(dirname "$0")/.."
lock=${1:?dev or demo}

# Without compiled modules every start of mpgit would compile them again.
unset PYTHONDONTWRITEBYTECODE

new_enough() {
  "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

if ! { [ -x .venv/bin/python ] && new_enough .venv/bin/python; }; then
  python=
  for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
    if new_enough "$candidate"; then
      python=$candidate
      break
    fi
  done
  if [ -z "$python" ]; then
    echo "mpgit needs Python 3.11 or newer; found: $(python3 --version 2>&1 || true)" >&2
    echo "  Debian, Ubuntu: sudo apt-get install python3 python3-venv" >&2
    echo "  without root:   https://docs.astral.sh/uv/, then: uv python install 3.12" >&2
    exit 1
  fi
  if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    echo "$python has no venv module." >&2
    echo "  Debian, Ubuntu: sudo apt-get install python$version-venv" >&2
    exit 1
  fi
  echo "Making .venv with $("$python" --version)"
  "$python" -m venv --clear .venv
fi

.venv/bin/python -m pip install --quiet --disable-pip-version-check \
  --require-hashes -r "locks/$lock.txt"
# The build backend is in the lock: nothing unpinned is fetched to build this package.
.venv/bin/python -m pip install --quiet --disable-pip-version-check \
  --no-deps --no-build-isolation --editable .
.venv/bin/python -m compileall -q medperf_git
touch ".venv/$lock.stamp"
