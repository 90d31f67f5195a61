#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
#
# Everything that CI runs. The tests mostly wait for simulated cycles, so three workers share a processor, and the checks run beside them.
# With arguments they go to pytest: tools/test.sh -n 0 tests/unit
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
began=$SECONDS
failed=()
log=$(mktemp -d)
trap 'rm -rf "$log"' EXIT

tools/lint.sh >"$log/lint" 2>&1 &
lint=$!
# Simulated times are tight where workers share a processor: a test that fails is run once more, and how many were is told at the end.
.venv/bin/python -m pytest -n "$((3 * $(nproc)))" --dist worksteal --reruns 1 --reruns-delay 2 "$@" | tee "$log/pytest" || failed+=(tests)
# Every statement of PowerShell that is shipped has to run, where there is an engine to run it; with arguments only a part was asked for.
# What lies between two looks is met in most runs and not in every one: that many may be missed, and they are named above.
left_out=5
covered=$(sed -n 's/^statement coverage: \([0-9]*\) of \([0-9]*\) statements ran$/\1 \2/p' "$log/pytest")
if [ -n "$covered" ] && [ "$#" -eq 0 ] && [ "$((${covered#* } - ${covered% *}))" -gt "$left_out" ]; then
    echo "coverage: $((${covered#* } - ${covered% *})) statements of the shipped PowerShell did not run"
    failed+=(coverage)
fi
wait "$lint" || failed+=(lint)
cat "$log/lint"
tools/molecule.sh || failed+=(molecule)

echo
grep -E '^scripts: ' "$log/pytest"
echo "all in $((SECONDS - began)) s; failed: ${failed[*]:-nothing}"
grep -E '(passed|failed|error)' "$log/pytest" | tail -n 1
[ "${#failed[@]}" -eq 0 ]
