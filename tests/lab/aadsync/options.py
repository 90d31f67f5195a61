# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""How the server of AAD Sync or Azure AD Connect 1.0 is set up."""

from __future__ import annotations

from dataclasses import dataclass

from lab.fim.options import FimOptions


@dataclass
class AadSyncOptions(FimOptions):
    """install_folder: any drive. wizard_registered: Azure AD Connect 1.0 has the value WizardPath, AAD Sync has not.

    task_interval: of the task's trigger, ISO 8601; empty for a task without a trigger that repeats.
    task: enabled, disabled or missing; task_visible: everyone or administrators; task_logon: password (changes of the
    definition ask for it) or service. exe_present: DirectorySyncClientCmd.exe lies beside miiserver.exe.
    second_start: what a second DirectorySyncClientCmd.exe does while a cycle runs: exits or waits. assumption: either.
    process_creation: whether Win32_Process.Create is allowed to everybody, administrators (the default) or nobody.
    """

    product_version: str = "1.0.494.0501"
    install_folder: str = "C:\\Program Files\\Microsoft Azure AD Sync"
    operators: tuple[str, ...] = ("ADSyncAdmins", "ADSyncOperators")
    browsers: tuple[str, ...] = ("ADSyncBrowse",)
    run_account: str = "SYNC1\\AAD_0a1b2c3d4e5f"
    wizard_registered: bool = False
    task: str = "enabled"
    task_visible: str = "everyone"
    task_logon: str = "password"
    task_interval: str = "PT3H"
    hidden_task_answer: str = "task_missing"
    exe_present: bool = True
    second_start: str = "exits"
    process_creation: str = "administrators"


def aad_connect_1_0_options() -> AadSyncOptions:
    """Azure AD Connect 1.0.9131.0 (December 2015): staging mode, and a wizard that is registered."""
    return AadSyncOptions(product_version="1.0.9131.0", wizard_registered=True)
