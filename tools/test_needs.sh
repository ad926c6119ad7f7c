#!/usr/bin/env bash
# Sees that this machine has what the tests need. As root, or in CI (CI=true) with sudo that
# asks nothing, it installs what is missing; otherwise it says what and how.
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=tools/needs.sh
source ./needs.sh

need git git
need ssh-keygen openssh-client
need bwrap bubblewrap
need npm npm
need cc gcc
[ -e /usr/include/openssl/evp.h ] || missing+=(libssl-dev)
need sshd openssh-server
need lighttpd lighttpd
need shellcheck shellcheck
need podman podman
need catatonit catatonit
need runc runc
need_images
install_missing_and_docker
bash ./apptainer.sh
start_docker
