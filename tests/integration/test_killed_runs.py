# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""An onboarding that is killed and run again is as if it had run once. The long campaign is `make soak`."""

from __future__ import annotations

import pytest
from soak.kills import kill_and_run_again

from lab.directory import SambaMissing


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [4101])  # `make soak` has many more
def test_a_killed_run_is_completed_by_the_next(seed: int) -> None:
    try:
        outcome = kill_and_run_again(seed)
    except SambaMissing as error:
        pytest.skip(str(error))
    assert outcome.violations == [], str(outcome)
