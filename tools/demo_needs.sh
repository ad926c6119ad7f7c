#!/usr/bin/env bash
# Sees that this machine has what `make demo` needs: demo_needs.sh sandbox|docker. Installs what
# is missing as test_needs.sh does.
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=tools/needs.sh
source ./needs.sh
engine=${1:-sandbox}

need git git
need ssh-keygen openssh-client
case $engine in
  sandbox)
    need bwrap bubblewrap
    install_missing
    ;;
  docker)
    need_images
    install_missing_and_docker
    start_docker
    ;;
  *)
    echo "ENGINE=$engine: sandbox or docker" >&2
    exit 1
    ;;
esac
