#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
#
# The molecule scenario: the lab as platform, dirsync_trigger converged, converged again, verified.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$(pwd)
began=$SECONDS
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export PATH="$root/.venv/bin:$PATH"
export ANSIBLE_COLLECTIONS_PATH="$root/.view" PYTHONPATH="$root/.view:$root/tests" HYBRID_IDENTITY_ROOT="$root"
cd extensions
if molecule test --scenario-name default >"$log" 2>&1; then
    echo "molecule: ok ($((SECONDS - began)) s)"
else
    cat "$log"
    echo "molecule: failed"
    exit 1
fi
