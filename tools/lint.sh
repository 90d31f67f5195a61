#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
#
# Every check; one line each, and the output of those that fail.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
root=$(pwd)
export PATH="$root/.venv/bin:$PATH"
export ANSIBLE_COLLECTIONS_PATH="$root/.view" PYTHONPATH="$root/.view:$root/tests"
log=$(mktemp -d)
trap 'rm -rf "$log"' EXIT

# Checks that do not follow symbolic links get a real copy of what git knows and what is new.
copy="$root/.view-copy/ansible_collections/hybrid/identity"
rm -rf "$root/.view-copy"
mkdir -p "$copy"
git ls-files -z -co --exclude-standard --deduplicate | while IFS= read -r -d '' file; do [ -e "$file" ] && printf '%s\0' "$file"; done \
    | tar --null -T - -cf - | tar -C "$copy" -xf -
# A repository of its own, because the tools ask git what is to be looked at, and here git would say: an ignored folder.
git -C "$copy" init --quiet && git -C "$copy" add --all

check() { # name, command...
    local name=$1 began=$SECONDS
    shift
    if "$@" >"$log/$name" 2>&1; then
        echo "lint: $name ok ($((SECONDS - began)) s)"
    else
        echo "lint: $name FAILED"
        sed 's/^/    /' "$log/$name"
        touch "$log/failed"
    fi
}

in_copy() { (cd "$copy" && ANSIBLE_COLLECTIONS_PATH="$root/.view-copy" "$@"); }

sanity() {
    # A home of its own: ansible-test looks for its pip installer in a cache there and would fetch it from the internet.
    local home="$root/.cache/ansible-test-home"
    python tools/pip_for_ansible_test.py "$home"
    (cd "$copy" && HOME="$home" PATH="$root/.venv/bin:/usr/bin:/bin" ansible-test sanity --python "$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')" --color no)
}

changelog() { (cd "$copy" && antsibull-changelog lint); }

{
    check ruff ruff check .
    check mypy mypy plugins tests/lab
    check yamllint yamllint .
    check reuse reuse --root . lint --quiet
    check changelog changelog
    check documentation in_copy antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs self .
} &
{
    check sanity sanity
    check ansible-lint in_copy ansible-lint --profile production --offline
} &
wait
[ ! -e "$log/failed" ]
