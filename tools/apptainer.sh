#!/usr/bin/env bash
# Sees that the tests have a real Apptainer, as root or in CI; without one, the tests of its engine
# are those of its command lines, and this says so. Where the distribution has no package (Debian 13
# and older), Debian's unstable one is unpacked below /opt, together with the C library that it was
# built for: nothing of the system is replaced. Usage: tools/apptainer.sh
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=tools/needs.sh
source ./needs.sh

place=/opt/mpgit-apptainer
link=/usr/local/bin/apptainer

without() {
  echo "No Apptainer here ($1): only the command lines of its engine are tested." >&2
  exit 0
}

works() {
  command -v apptainer >/dev/null || return 1
  command -v mksquashfs >/dev/null || return 1
  local root status=0
  root=$(mktemp -d)
  mkdir "$root/usr" "$root/proc" "$root/dev" "$root/tmp" "$root/etc"
  cp -P /bin /lib* "$root/" 2>/dev/null || true
  apptainer --silent exec --containall --no-home --net --network none --no-privs --drop-caps all \
    --bind /usr "$root" true </dev/null || status=1
  rm -rf "$root"
  return $status
}

# The mirror that apt uses for Debian itself, whichever it is.
mirror() {
  # shellcheck disable=SC2016 # apt's words, not the shell's
  apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' 'Created-By: Packages' |
    awk '$1 == "Debian" && $2 == "Debian" { print $3; exit }'
}

# Debian's unstable package, apart from the system.
unpack() {
  local uri folder config tree
  uri=$(mirror)
  [ -n "$uri" ] || return 1
  folder=$(mktemp -d)
  config=$folder/apt.conf
  tree=$folder/tree
  mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial" "$tree" "$folder/system"
  cat >"$config" <<EOF
Dir::State::lists "$folder/lists";
Dir::Etc::sourcelist "$folder/sources.list";
Dir::Etc::sourceparts "-";
Dir::Cache "$folder/cache";
Acquire::Languages "none";
APT::Sandbox::User "root";
EOF
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri sid main" \
    >"$folder/sources.list"
  (
    cd "$folder"
    export APT_CONFIG=$config
    apt-get update && apt-get download apptainer libc6 libseccomp2 libsqlite3-0 zlib1g
  ) || return 1
  dpkg-deb -x "$folder"/apptainer_*.deb "$tree"
  for package in libc6 libseccomp2 libsqlite3-0 zlib1g; do
    dpkg-deb -x "$folder/${package}"_*.deb "$folder/system"
  done
  # Apptainer looks for its files beside itself once it is not in /usr.
  mv "$tree/etc" "$tree/var" "$tree/usr/"
  ln -s ../etc ../var "$tree/usr/lib/"
  mkdir "$tree/lib"
  find "$folder/system" -name '*.so*' -path '*/lib/*' -not -path '*/gconv/*' \
    -exec cp -a {} "$tree/lib/" \;
  local loader
  loader=$(basename "$(find "$tree/lib" -name 'ld-linux*.so.*' | head -n 1)")
  for program in "$tree/usr/bin/apptainer" "$tree"/usr/lib/*/apptainer/bin/starter; do
    patchelf --set-interpreter "$place/lib/$loader" --force-rpath --set-rpath "$place/lib" \
      "$program" || return 1
  done
  chmod 755 "$tree"
  $as_root rm -rf "$place"
  $as_root mv "$tree" "$place"
  $as_root chown -R 0:0 "$place"
  $as_root ln -sf "$place/usr/bin/apptainer" "$link"
  rm -rf "$folder"
}

install_quietly() {
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$@"
}

works >/dev/null 2>&1 && exit 0
may_install || without "root may install it: see docs/engines.md"
log=$(mktemp)
echo "Installing Apptainer"
{
  $as_root apt-get update
  install_quietly squashfs-tools squashfuse
  if [ -n "$(apt-cache madison apptainer)" ]; then
    install_quietly apptainer
  else
    install_quietly patchelf && unpack
  fi
  # As udev has it everywhere: users mount their own images.
  [ ! -c /dev/fuse ] || $as_root chmod 666 /dev/fuse
} >"$log" 2>&1 </dev/null || true
if ! works >>"$log" 2>&1; then
  [ ! -L "$link" ] || $as_root rm -f "$link"
  tail -n 5 "$log" >&2
  without "it could not be installed"
fi
rm -f "$log"
