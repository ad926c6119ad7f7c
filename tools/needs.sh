# shellcheck shell=bash
# What test_needs.sh and demo_needs.sh share; sourced, not run.
# Usage: need COMMAND PACKAGE; then install_missing.
missing=()

need() {
  # sbin: where Debian keeps some daemons, and not on everybody's PATH.
  PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null || missing+=("$2")
}

# What builds container images and keeps them, without pulling any.
need_images() {
  need mmdebstrap mmdebstrap
  need docker-registry docker-registry
  # mmdebstrap makes Debian on other systems too, and checks its signatures.
  [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || missing+=(debian-archive-keyring)
  # Without root it maps user ids of its own.
  [ "$(id -u)" -eq 0 ] || need newuidmap uidmap
}

as_root=
if [ "$(id -u)" -ne 0 ]; then
  as_root="sudo -n"
fi

# Root may install, and so may CI with sudo that asks nothing; a person is asked to.
may_install() {
  command -v apt-get >/dev/null || return 1
  [ -z "$as_root" ] || { [ "${CI:-}" = true ] && sudo -n true 2>/dev/null; }
}

install_missing() {
  [ ${#missing[@]} -gt 0 ] || return 0
  if ! may_install; then
    echo "Missing: ${missing[*]}. On Debian or Ubuntu:" >&2
    echo "  sudo apt-get update && sudo apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  echo "Installing ${missing[*]}"
  local log
  log=$(mktemp)
  if ! { $as_root apt-get update &&
    $as_root env DEBIAN_FRONTEND=noninteractive \
      apt-get install --yes --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    exit 1
  fi
  rm -f "$log"
}

# The Docker client, which newer Debian packages apart from the engine.
install_missing_and_docker() {
  need docker docker.io
  need dockerd docker.io
  install_missing
  missing=()
  need docker docker-cli
  install_missing
}

docker_answers() {
  docker version >/dev/null 2>&1 </dev/null
}

# Starts a Docker engine if none answers.
start_docker() {
  docker_answers && return 0
  if [ -n "$as_root" ] && ! { [ "${CI:-}" = true ] && sudo -n true 2>/dev/null; }; then
    echo "No Docker engine answers. Start one, and let yourself use it:" >&2
    echo "  sudo systemctl start docker && sudo usermod -aG docker \$USER   # then log in again" >&2
    exit 1
  fi
  echo "Starting dockerd"
  local log=${TMPDIR:-/tmp}/mpgit-dockerd.log
  # shellcheck disable=SC2024 # the log is ours, not root's
  $as_root env "PATH=$PATH:/usr/sbin:/sbin" nohup dockerd >"$log" 2>&1 </dev/null &
  for _ in $(seq 60); do
    docker_answers && return 0
    sleep 1
  done
  echo "dockerd did not start; the end of $log:" >&2
  tail -n 20 "$log" >&2
  exit 1
}
