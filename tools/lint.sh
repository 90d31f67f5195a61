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

# The checks look at a real copy: most do not follow symbolic links. It is a repository of its own, because they ask git what is to be
# looked at, and here git would say: an ignored folder. Made this way it needs no repository around the checkout, whoever owns that.
copy="$root/.view-copy/ansible_collections/hybrid/identity"
rm -rf "$root/.view-copy"
mkdir -p "$copy"
git init --quiet "$copy" \
    && git --git-dir="$copy/.git" --work-tree="$root" -c core.excludesFile= -c core.autocrlf=false add --all \
    && git -C "$copy" checkout-index --all || exit 1

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

# Of what is shipped: the tests are held by ruff, mypy and by running.
sanity() {
    (cd "$copy" && PATH="$root/.venv/bin:/usr/bin:/bin" ansible-test sanity --exclude tests/ --python "$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')" --color no)
}

# What Galaxy does with an upload, here: it builds, unpacks and reads the collection. Its own ansible-lint and ansible-test run above.
galaxy() {
    mkdir -p "$log/galaxy" \
        && in_copy ansible-galaxy collection build --force --output-path "$log/galaxy" . \
        && (cd "$log/galaxy" && GALAXY_IMPORTER_RUN_ANSIBLE_LINT=false GALAXY_IMPORTER_RUN_ANSIBLE_TEST=false \
            GALAXY_IMPORTER_ANSIBLE_LOCAL_TMP="$log/galaxy/tmp" python -m galaxy_importer.main ./*.tar.gz 2>&1 | tee told) \
        && grep -q 'completed successfully' "$log/galaxy/told" \
        && ! grep -E '^(WARNING|ERROR)' "$log/galaxy/told"
}

# A home of its own: ansible-test looks for its pip installer in a cache there and would fetch it from the internet, and others leave logs.
export HOME="$root/.cache/home"
python tools/pip_for_ansible_test.py "$HOME" || exit 1

{
    check ruff in_copy ruff check .
    check mypy mypy plugins tests/lab
    check yamllint in_copy yamllint --strict .
    check reuse in_copy reuse lint
    check changelog in_copy antsibull-changelog lint
    check galaxy-importer galaxy
    check documentation in_copy antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs self .
} &
{
    check sanity sanity
    check ansible-lint in_copy ansible-lint --profile production --offline
} &
wait
[ ! -e "$log/failed" ]
