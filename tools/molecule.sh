#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
#
# The molecule scenario: the lab as platform, dirsync_trigger converged, converged again, verified.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$(pwd)
began=$SECONDS
work=$(mktemp -d)
log="$work/log"
trap 'rm -rf "$work"' EXIT
export PATH="$root/.venv/bin:$PATH"
export ANSIBLE_COLLECTIONS_PATH="$root/.view" PYTHONPATH="$root/.view:$root/tests"
export MOLECULE_LAB_FOLDER="$work" MOLECULE_LAB_INVENTORY="$work/inventory.yml" MOLECULE_EPHEMERAL_DIRECTORY="$work/molecule"
export ANSIBLE_LOCALHOST_WARNING=False
# The lab writes the inventory when it starts; molecule wants to see a file before.
echo "{}" >"$work/inventory.yml"
cd extensions
if molecule test --scenario-name default >"$log" 2>&1; then
    echo "molecule: ok ($((SECONDS - began)) s)"
else
    cat "$log"
    echo "molecule: failed"
    exit 1
fi
