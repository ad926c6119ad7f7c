#!/usr/bin/env bash
# Lints workflows, the action and shell scripts: zizmor (pedantic, offline), actionlint and, where
# it is installed, shellcheck. The first two come from a lock of their own, into .venv/workflows.
# Called by `make lint`; more files and folders may be named.
set -euo pipefail
cd "$(dirname "$0")/.."
place=.venv/workflows
lock=locks/workflows.txt

if ! [ "$place/stamp" -nt "$lock" ]; then
  .venv/bin/python -m venv --clear "$place"
  "$place/bin/python" -m pip install --quiet --disable-pip-version-check \
    --only-binary :all: --require-hashes -r "$lock"
  touch "$place/stamp"
fi

mapfile -t workflows < <(find .github/workflows "$@" -path '*workflows/*.yml')
"$place/bin/zizmor" --quiet --offline --persona pedantic .github action.yml "$@"
"$place/bin/actionlint" "${workflows[@]}"
if command -v shellcheck >/dev/null; then
  shellcheck tools/*.sh medperf_git/templates/pre-receive
fi
