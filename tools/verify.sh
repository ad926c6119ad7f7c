#!/bin/sh
# Verifies a registry's finished tree without mpgit: every signature, threshold and pinned digest.
#   tools/verify.sh REPOSITORY [GENESIS_SHA256 [REVISION]]
# Needs git, ssh-keygen, sha256sum or shasum, and POSIX tools. Prints what fails and at last ACCEPTED
# or REFUSED; exit code 0, 1, or 2 if it could not look. Who must sign is design.md §5, as far as a
# finished tree can tell: all keys of a signer that were never called compromised, and any root,
# benchmark or policy that ever stood (which stood then, the history tells). Judges no metrics.
set -eu
for name in $(git rev-parse --local-env-vars); do unset "$name"; done
if [ $# -lt 1 ] || [ $# -gt 3 ]; then sed -n '3,5s/^# *//p' "$0" >&2; exit 2; fi
GIT_DIR=$(git -C "$1" rev-parse --absolute-git-dir) && tmp=$(mktemp -d) || exit 2
export GIT_DIR LC_ALL=C GIT_NO_REPLACE_OBJECTS=1; trap 'rm -rf "$tmp"' EXIT; trap 'exit 2' HUP INT TERM
cd "$tmp"; for name in fails good lines allowed signatures; do : >"$name"; done; tab=$(printf '\t')
fail() { printf 'FAIL %s: %s\n' "$1" "$2" >>fails; }
# 1. Every path is one that a record or a signature may have, and a plain file of a sane size. Then
#    all bytes, by one process; git hashes again what awk wrote. lines: each line behind its path.
commit=$(git rev-parse --verify --end-of-options "${3-HEAD}^{commit}") || exit 2
{ git ls-tree -r -t -l --full-tree "$commit" registry || echo registry; } | head -n 1000000 >tree
awk -F '\t' 'BEGIN { s = "/[a-z0-9]+(-[a-z0-9]+)*"; while (i++ < 65) long = long "[a-z0-9-]"
  known = "^registry/(root|control|participants" s "|(mlcubes|models|datasets|benchmarks)" s s \
    "|benchmarks" s s "/(policy|(models|datasets)" s s ")|results" s s s s s s \
    ")/[1-9][0-9]*(\\.withdrawn)?\\.(yaml|[a-z0-9-]+\\.([a-z0-9-]+\\.)?sig)$" }
{ split($1, meta, / +/); last = path; path = $NF (meta[2] == "tree" ? "/" : "")
  odd = path <= last || NR == 1000000 || (last ~ /\/$/ && index(path, last) != 1) # an empty folder
  if (path !~ /\/$/ && (path !~ known || path ~ long || meta[1] != "100644" || meta[4] !~ /^[0-9]+$/ ||
    meta[4] + 0 > (path ~ /yaml$/ ? 262144 : 4096))) odd = 1
  if (odd) print "FAIL " path ": no record or signature, no sound file, or out of order" >>"fails"
  else if (path !~ /\/$/) print path "\t" meta[3] }
END { if (path ~ /\/$/) print "FAIL " path ": an empty folder" >>"fails" }' tree >places
{ echo registry/; cut -f 1 places; } | sed 's|/[^/]*$||' | sort -u | xargs mkdir -p
cut -f 2 places | git cat-file --batch | awk 'NR == FNR { path[NR] = $1; next }
left < 1 { if (!((file = path[++n]))) exit; left = $3 + 1; next }
{ left -= length($0) + 1; end = (left > 0) ? "\n" : ""; printf "%s", $0 end >file
  if ($0 end != "") print file "\t" $0 (end ? "" : "\t no end") >"lines"; if (!end) close(file) }' places -
cut -f 1 places | git hash-object --no-filters --stdin-paths | paste places - |
  awk '$2 != $3 { print "FAIL " $1 ": its bytes are damaged or no text" }' >>fails
cut -f 1 places | sed -n '/yaml$/p' |
  if command -v sha256sum >/dev/null; then xargs sha256sum; else xargs shasum -a 256; fi >digests || :
genesis=$(sed -n 's|^\([0-9a-f]*\) .*registry/root/1\.yaml$|\1|p' digests)
[ "${2:-${genesis:-none}}" = "$genesis" ] || fail registry/root/1.yaml "not the one pinned: '$genesis'"
# 2. facts: path, field, value. Refuses what is not the YAML that canonical records are made of, and
#    a signature in another armour. allowed: all keys of WHO; of WHO@2 those active in revision 2.
awk -F '\t' -v OFS='\t' -v genesis="$genesis" '
BEGIN { word = "(\"([^\"\\\\[:cntrl:]]|\\\\[\"\\\\ntruU])*\"|[A-Za-z]([A-Za-z0-9 _./@+,()=-]|:[A-Za-z0-9_./@+])*)"
  scalar = "^(" word "|\\[\\]|\\{\\}|-?(0|[1-9][0-9]*)(\\.[0-9]+(e[+-][0-9]+)?)?)?$" }
function refuse(why) { if (!told[$1]++) print "FAIL " $1 ": " why >>"fails" }
function shut(n) { for (; deep > n; deep -= 2) delete item[deep] }
NR == FNR { if ($1 ~ /sig$/) signature[++count] = $1; next }
{ line = substr($0, length($1) + 2); first = ($1 != file); file = $1; value = line }
$1 ~ /sig$/ { if (first) state = (line == "-----BEGIN SSH SIGNATURE-----") ? 70 : -1
  else if (line == "-----END SSH SIGNATURE-----" && state >= 0) state = -1
  else if (line !~ /^[A-Za-z0-9+\/=]+$/ || length(line) > state) refuse("not an SSH signature")
  else state = (length(line) < 70) ? 0 : 70; next }
first { open = hung = 0; if (line !~ /^# yaml-language-server: \$schema=[a-z.\/-]+$/) refuse("no schema"); next }
{ n = match(value, /[^ ]|$/) - 1; sub(/^ */, "", value); key = ""; shut(n)
  if (n % 2 || n > open || (hung && n < open)) { refuse("not canonical YAML"); next }
  for (; sub(/^- /, "", value); n += 2) { name[n] = item[n]++ ""; shut(n); deep = n }
  if (match(value, "^" word ":( |$)")) {
    key = substr(value, 1, RLENGTH); value = substr(value, RLENGTH + 1); gsub(/^"|"?: ?$/, "", key)
    gsub(/[^A-Za-z0-9_-]/, "?", key); name[n] = key; n += 2 }
  field = name[0]; for (i = 2; i < n; i += 2) field = field "." name[i]
  if (value !~ scalar || tolower(value) ~ / $|^([yn]|yes|no|on|off|null)$/ || n < 2 ||
      (field !~ /\?/ && seen[$1, field]++)) refuse("not canonical YAML")
  hung = (value == ""); open = hung ? n : n - 2
  if (value ~ /^"[^\\]*"$/) value = substr(value, 2, length(value) - 2)
  v[$1, field] = value; if (value != "") print $1, field, value
  if ($1 ~ /^registry\/participants.*[0-9]\.yaml$/ && field ~ /^keys\.[0-9]+\.name$/) {
    split($1, p, "/"); e = $1 SUBSEP substr(field, 1, length(field) - 5)
    owner[e] = p[3]; at[e] = p[3] "@" (p[4] + 0) } }
END { for (e in at) if (v[e ".revoked.reason"] == "compromised") bad[owner[e], v[e ".public_key"]]
  for (e in at) { key = v[e ".public_key"]; if ((owner[e], key) in bad || v[e ".name"] !~ \
      /^[a-z0-9-]+$/ || key !~ /^(sk-)?ssh-ed25519(@openssh\.com)? [A-Za-z0-9+\/]+=*$/) continue
    print owner[e] " " key >"allowed"; if (v[e ".status"] != "active") continue
    print at[e] " " key >"allowed"; print at[e] "@" v[e ".name"] " " key >"allowed" }
  for (i = 1; i <= count; i++) { path = signature[i]; split(path, q, "."); w = (q[2] == "withdrawn")
    record = q[1] (w ? ".withdrawn" : "") ".yaml"; kind = v[record, "kind"]; signer = who = q[2 + w]
    key = (q[3 + w] == "sig") ? "-" : q[3 + w]; r = q[1]; sub(/.*\//, "", r); $1 = path
    if (kind == "participant" && who == v[record, "id"]) who = who "@" (key == "-" ? r - (r > 1) : r "@" key)
    else if (key != "-") { refuse("it proves no key of this record"); continue }
    space = (q[1] == "registry/root/1") ? "" : "@" substr(genesis, 1, 32)
    print path, record, signer, key, who, "mpgit-" kind "-v1" space >"signatures" } }' places lines >facts
# 3. Every signature: these bytes, this namespace, a key of its signer; in a participant's own record
#    a key of the revision before, or for a proof the very key that it names. good: who signed.
while IFS=$tab read -r path record signer key who space; do
  if [ -f "$record" ] &&
    said=$(ssh-keygen -Y verify -f allowed -I "$who" -n "$space" -s "$path" <"$record" 2>&1)
  then printf '%s\t%s\t%s\t%s\n' "$record" "$signer" "$key" "${said##* }" >>good
  else fail "$path" "no good signature of $record by a key of $signer"; fi
done <signatures
# 4. Every record: its place, its pins, and who must sign it.
awk -F '\t' '
function fail(why) { print "FAIL " rec ": " why >>"fails" }
function where(kind, id, r,   o) { split(id, o, "/")
  if (sub(/-association$/, "s", kind)) id = "benchmarks/" o[1] "/" o[2] "/" kind "/" o[3] "/" o[4]
  else if (kind !~ /^(root|control)$/) id = (kind == "policy") ? "benchmarks/" id "/policy" : kind "s/" id
  return "registry/" id "/" r ".yaml" }
function pin(field, kind,   src) { src = where(kind, v[rec, field ".id"], v[rec, field ".revision"])
  if (!(src in digest) || digest[src] != v[rec, field ".sha256"])
    fail(field ": " src " is missing or has another digest") }
function quorum(src, list, tail, need,   i, n, who, once) { # whether so many of a list signed
  for (i = 0; (who = src SUBSEP list "." i tail) in v; i++)
    if ((rec, v[who]) in signed && !once[v[who]]++) n++
  return need + 0 > 0 && n + 0 >= need + 0 }
function holds(src, what, value) {
  if (what == "committee") return quorum(src, "committee.members", "", v[src, what ".threshold"])
  if (what == "admins") return quorum(src, "administrators", ".id", value ? value : v[src, "threshold"])
  return v[src, what] == value || (value == "auto" && (src, what, me) in listed) }
function some(kind, id, what, value,   n, src) { # whether it holds for any revision
  for (n = 1; (src = where(kind, id, n)) in digest; n++) if (holds(src, what, value)) return 1 }
FILENAME == "digests" { digest[substr($0, 67)] = substr($0, 1, 64); next }
FILENAME == "facts" { v[$1, $2] = $3; rec = $1; field = $2
  if (rec == "registry/root/1.yaml" && $2 ~ /^administrators.*id$/) founder[$3]
  if (sub(/\.participants\..*/, ".mode", $2) && v[rec, $2] == "listed") listed[rec, $2, $3]
  if (sub(/\.sha256$/, "", field)) {
    kind = field; sub(/^administrators\.[0-9]+$/, "participant", kind); sub(/_a/, "-a", kind)
    sub(/^(preparation|data_preparation|evaluation_metrics)$/, "mlcube", kind); sub(/^reference_/, "", kind)
    if (kind ~ /^(participant|mlcube|(benchmark|dataset|model)(-association)?)$/) pin(field, kind) } next }
FILENAME == "good" { rec = $1; if ($3 == "-") signed[rec, $2]; else proved[rec, $3]
  if (maker[rec, $4] && maker[rec, $4] != $2) fail($2 " signed with a key of " maker[rec, $4])
  if ($2 == v[rec, "id"] && !maker[rec, $4]) own[rec]++
  maker[rec, $4] = $2; next }
$1 ~ /yaml$/ { rec = self = $1; kind = v[rec, "kind"]; id = v[rec, "id"]; r = v[rec, "revision"]
  place = (kind == "withdrawal") ? v[rec, "target_kind"] : kind; before = where(kind, id, r - 1)
  withdrawn = sub(/\.withdrawn/, "", self); made = v[rec, "benchmark.id"]; split(id, o, "/")
  if (kind ~ /^dataset-|result/) made = made "/" v[rec, "dataset.id"]
  if (kind ~ /^model-|result/) made = made "/" v[rec, "model.id"]
  if (withdrawn) { pin("target", place); made = (v[rec, "target.revision"] == r) ? v[rec, "target.id"] : "" }
  if (self != where(place, id, r) || id ~ /(^|\/)(withdrawn|policy|models|datasets)(\/|$)/ ||
      withdrawn != (kind == "withdrawal") || (made != id && kind ~ /policy|-|result|withdrawal/)) {
    fail("its place, its body and its pins name different records"); next }
  if (r > 1 && !withdrawn && !(before in digest)) fail("revision " r - 1 " is missing")
  bench = o[1] "/" o[2]; me = (place ~ /-|result/) ? o[3] : o[1]; mine = (rec, me) in signed
  admins = some("root", "root", "admins"); committee = some("benchmark", bench, "committee")
  ok = (kind == "policy") ? committee : (kind == "control") ? admins : mine
  if (kind == "root") ok = holds(rec, "admins") && (r == 1 || holds(before, "admins"))
  if (kind == "participant") ok = r > 1 ? mine || admins : mine && (id in founder ||
    some("root", "root", "registration", "open") || some("root", "root", "admins", 1))
  if (kind == "benchmark") ok = mine && holds(r > 1 ? before : rec, "committee") &&
    (admins || some("root", "root", "benchmarks", "open"))
  if (sub(/-association/, "s.mode", kind) || sub(/result/, "results", kind)) ok = mine && (committee ||
    some("policy", bench, kind, "auto")) && (kind != "results" || (rec, "dataset_association.id") in v)
  if (withdrawn) ok = admins || (mine && place != "policy") || (committee && place ~ /-|policy/)
  if (!ok) fail("signatures are missing")
  for (n = i = 0; kind == "participant" && (key = rec SUBSEP "keys." i) ".name" in v; i++) {
    old = (v[key ".status"] != "active"); was = before SUBSEP "keys."
    for (m = 0; was m ".name" in v; m++) old = old || v[was m ".public_key"] == v[key ".public_key"]
    if (!old && (++n > own[rec] || (r > 1 && !((rec, v[key ".name"]) in proved))))
      fail("the key " v[key ".name"] " does not prove that its owner has it") } }
' digests facts good places
sort -u fails; if [ -s fails ]; then echo REFUSED; exit 1; else echo ACCEPTED; fi
