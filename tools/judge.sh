#!/bin/sh
# Judges what a forge's event is about, for action.yml: a request (MODE=check) or main (MODE=audit).
# Fetches into a bare repository of its own: nothing of a request is checked out, sourced or run.
# Exit codes are mpgit's: 0 complete or accepted, 1 invalid or refused, 3 awaiting approvals.
#
# From the environment:
#   MPGIT    the mpgit to judge with
#   MODE     check or audit
#   URL      the repository's address
#   TOKEN    reads it, where that is not for everybody; empty otherwise
#   MAIN     main's name
#   BASE     check: the commit before; empty: the newest of main
#   HEAD     check: the request's newest commit, or the merge queue's
#   GENESIS  the registry's fingerprint; empty: the one that is there
#   TREE     audit: true for the finished tree alone, without its history
#   SUMMARY  the file that the verdict is appended to, as Markdown
# shellcheck disable=SC2153 # they come from the environment
set -eu
export GIT_NO_REPLACE_OBJECTS=1 GIT_TERMINAL_PROMPT=0
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
export GIT_AUTHOR_NAME=mpgit GIT_AUTHOR_EMAIL=mpgit@localhost
export GIT_COMMITTER_NAME=mpgit GIT_COMMITTER_EMAIL=mpgit@localhost
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The log is read for commands to the runner; from here on, nothing printed is one.
echo "::stop-commands::$(od -An -N 16 -t x1 /dev/urandom | tr -d ' \n')"
git init --quiet --bare "$work/registry.git"
cd "$work/registry.git"

say() {
    printf '%s\n' "$1"
    printf '%s\n' "$1" >>"$SUMMARY"
}

# The token only ever stands in git's environment: not in an address, an argument or a file.
fetch() {
    # shellcheck disable=SC2016 # git's shell expands it
    TOKEN=${TOKEN:-} git -c fetch.fsckObjects=true -c gc.auto=0 -c credential.helper= \
        -c credential.helper='!f() { echo username=x-access-token; echo "password=$TOKEN"; }; f' \
        fetch --quiet --no-tags --no-recurse-submodules --end-of-options "$URL" "$@"
}

fetch "+refs/heads/$MAIN:refs/heads/main"
main=$(git rev-parse --verify refs/heads/main)

if [ -n "$GENESIS" ]; then
    found=$(git cat-file blob "$main:registry/root/1.yaml" | sha256sum | cut -d ' ' -f 1)
    if [ "$found" != "$GENESIS" ]; then
        say "## refused: another registry, its genesis is \`$found\`"
        exit 1
    fi
fi

judge() {
    code=0
    "$MPGIT" check --base "$1" --head "$2" --git-dir . --markdown >verdict || code=$?
    cat verdict
    cat verdict >>"$SUMMARY"
    return "$code"
}

case $MODE in
    check)
        case $BASE$HEAD in
            *[!0-9a-f]* | '') say '## refused: not a commit'; exit 1 ;;
        esac
        fetch "$HEAD"
        if [ -z "$BASE" ]; then
            # A request: the merge that the forge would make, on the newest main.
            if ! tree=$(git -c merge.renames=false merge-tree --write-tree "$main" "$HEAD"); then
                say '## conflict: it can not be merged into main as it is now'
                exit 1
            fi
            base=$main
            head=$(git commit-tree -p "$main" -p "$HEAD" -m 'The merge' "$tree")
        else
            fetch "$BASE"
            base=$(git rev-parse --verify "$BASE^{commit}")
            head=$(git rev-parse --verify "$HEAD^{commit}")
        fi
        # As every client will read it: main's first-parent history, step by step.
        for step in $(git rev-list --first-parent --reverse "$base..$head"); do
            if [ "$(git rev-parse --verify --quiet "$step^1" || :)" != "$base" ]; then
                say '## invalid: main must stay the first parent of what is merged into it'
                exit 1
            fi
            judge "$base" "$step"
            base=$step
        done
        [ "$base" = "$head" ] || { say '## invalid: it does not descend from main'; exit 1; }
        ;;
    audit)
        set -- audit --git-dir . --head refs/heads/main
        [ -z "$GENESIS" ] || set -- "$@" --genesis "$GENESIS"
        [ "$TREE" != true ] || set -- "$@" --tree
        code=0
        "$MPGIT" "$@" >verdict 2>&1 || code=$?
        cat verdict
        # As a block of text: nothing in it is read as markup.
        { echo '## Audit of main'; echo; sed 's/^/    /' verdict; } >>"$SUMMARY"
        exit "$code"
        ;;
    *) echo "MODE=$MODE: check or audit" >&2; exit 2 ;;
esac
