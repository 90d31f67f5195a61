# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""How the DirSync server is set up."""

from __future__ import annotations

from dataclasses import dataclass

from lab.fim.options import FimOptions

#: the older product name, and the later one ("Windows Azure Active Directory Sync"); both occur before 6862 (field articles)
LEGACY_FOLDER = "C:\\Program Files\\Microsoft Online Directory Sync"
FOLDER = "C:\\Program Files\\Windows Azure Active Directory Sync"


@dataclass
class DirSyncOptions(FimOptions):
    """legacy: before build 6862.0000 (5 June 2014), where the console file DirSyncConfigShell.psc1 exists.

    snap_in: registered, console_only (only powershell -PSConsoleFile finds it) or absent; means something when legacy.
    full_parameter: whether Start-OnlineCoexistenceSync has -FullSync. assumption: older builds lack it.
    busy_start: what a start does while a cycle runs: ignored (in silence), error or queued. assumption: all three.
    full_flag: whether the value FullSyncNeeded exists before anybody writes it.
    path_registered: which registry values name the install folder: both, install_path, current_version or none.
    scheduler_running: whether the service starts cycles by itself when the interval is over.
    """

    product_version: str = "1.0.7020.0"
    install_folder: str = FOLDER
    operators: tuple[str, ...] = ("MIISAdmins", "MIISOperators")
    browsers: tuple[str, ...] = ("MIISBrowse",)
    run_account: str = "SYNC1\\AAD_0a1b2c3d4e5f"
    legacy: bool = False
    snap_in: str = "registered"
    full_parameter: bool = True
    full_password_cmdlet: bool = True  # from build 6438.03 (field article)
    busy_start: str = "ignored"
    path_registered: str = "both"
    full_flag: bool = True
    connector_names: tuple[str, ...] = ("Active Directory Connector", "Windows Azure Active Directory Connector")
    config_encoding: str = "utf-8-sig"


def legacy_options() -> DirSyncOptions:
    """A build before 6862 with the older folder and the older connector names."""
    return DirSyncOptions(
        product_version="1.0.6411.0009",
        install_folder=LEGACY_FOLDER,
        legacy=True,
        full_parameter=False,
        full_password_cmdlet=False,
        connector_names=("SourceAD", "TargetWebService"),
    )
