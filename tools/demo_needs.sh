#!/usr/bin/env bash
# Sees that this machine has what `make demo` needs: demo_needs.sh sandbox|docker.
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=tools/needs.sh
source ./needs.sh
engine=${1:-sandbox}

need git git
case $engine in
  sandbox | docker) need bwrap bubblewrap ;;
  *)
    echo "ENGINE=$engine: sandbox or docker" >&2
    exit 1
    ;;
esac
if [ "$engine" = docker ]; then
  install_missing_and_docker
  start_docker
else
  install_missing
fi
