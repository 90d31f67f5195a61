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
trap 'rm -rf "$work"' EXIT
export PATH="$root/.venv/bin:$PATH"
export MOLECULE_EPHEMERAL_DIRECTORY="$work/molecule"
export ANSIBLE_LOCALHOST_WARNING=False
cd extensions
if molecule test --scenario-name default >"$work/log" 2>&1; then
    echo "molecule: ok ($((SECONDS - began)) s)"
else
    cat "$work/log"
    echo "molecule: failed"
    exit 1
fi
