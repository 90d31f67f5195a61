# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
"""Report files, relative paths, and which domain controller answers."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from ansible_collections.hybrid.identity.plugins.module_utils._failure import HybridIdentityError
from ansible_collections.hybrid.identity.plugins.module_utils._onboarding import _files, _paths
from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._files import write_files
from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._paths import absolute
from ansible_collections.hybrid.identity.plugins.module_utils._onboarding._servers import first_that_answers


def test_names_are_nobody_elses(tmp_path: Path) -> None:
    first = write_files(str(tmp_path / "new" / "reports"), "r", {".json": "1", ".csv": "2"})
    second = write_files(str(tmp_path / "new" / "reports"), "r", {".json": "3", ".csv": "4"})
    assert [Path(name).read_text() for name in (*first, *second)] == ["1", "2", "3", "4"]
    assert len({*first, *second}) == 4 and len(os.listdir(tmp_path / "new" / "reports")) == 4
    assert not Path(first[0]).stat().st_mode & 0o027 and not (tmp_path / "new" / "reports").stat().st_mode & 0o027


def test_no_link_is_followed_and_no_file_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_files.secrets, "token_hex", lambda length: "abc")
    victim = tmp_path / "victim"
    victim.write_text("precious")
    folder = tmp_path / "reports"
    folder.mkdir()
    for name in ("r-abc.json", ".r-abc.json.part"):
        (folder / name).symlink_to(victim)
        with pytest.raises(HybridIdentityError, match="File exists"):
            write_files(str(folder), "r", {".json": "1", ".csv": "2"})
        assert victim.read_text() == "precious" and os.listdir(folder) == [name]
        (folder / name).unlink()


def test_a_folder_that_is_a_link_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "reports").symlink_to(tmp_path / "elsewhere")
    assert write_files(str(tmp_path / "reports"), "r", {".json": "1"}), "a link of one's own is one's own matter"
    os.lchown(tmp_path / "reports", 4711, 4711)
    with pytest.raises(HybridIdentityError, match="belongs to somebody else"):
        write_files(str(tmp_path / "reports"), "r", {".json": "1"})


def test_nothing_is_left_where_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_files.os, "fsync", full)
    with pytest.raises(HybridIdentityError, match="No space left"):
        write_files(str(tmp_path), "r", {".json": "1"})
    assert os.listdir(tmp_path) == []


def test_a_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: object, **options: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(_files.os, "link", refused)
    (name,) = write_files(str(tmp_path), "r", {".json": "1"})
    assert Path(name).read_text() == "1" and len(os.listdir(tmp_path)) == 1


def test_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work, book = tmp_path / "work", tmp_path / "book"
    for folder in (work, book):
        folder.mkdir()
        (folder / "both.csv").touch()
    (book / "there.csv").touch()
    assert absolute("both.csv", str(book), str(work)) == str(work / "both.csv")
    assert absolute("there.csv", str(book), str(work)) == str(book / "there.csv")
    assert absolute("nowhere.csv", str(book), str(work)) == str(work / "nowhere.csv")
    assert absolute(str(book / "x"), str(book), str(work)) == str(book / "x")
    monkeypatch.setenv("HOME", str(work))
    assert absolute("~/both.csv", None, "/") == str(work / "both.csv")


def test_nothing_is_found_inside_the_collection(tmp_path: Path) -> None:
    ours = os.path.join(_paths._COLLECTION, "playbooks")
    assert os.path.exists(os.path.join(ours, "files", "colleagues.csv"))
    assert absolute("files/colleagues.csv", ours, str(tmp_path)) == str(tmp_path / "files" / "colleagues.csv")


def test_the_first_controller_that_answers() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    def speak_no_tls() -> None:
        connection, _peer = listener.accept()
        connection.close()

    threading.Thread(target=speak_no_tls, daemon=True).start()
    with listener:
        server, silent = first_that_answers(["127.0.0.1", "127.0.0.99"], port, patience=1)
    assert server is None and len(silent) == 2 and silent[1] == "127.0.0.99: Connection refused"


def test_start_tls_is_asked_by_connecting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_collections.hybrid.identity.plugins.module_utils._onboarding._servers._START_TLS", 0)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        monkeypatch.setattr("ansible_collections.hybrid.identity.plugins.module_utils._onboarding._servers._START_TLS", port)
        assert first_that_answers(["127.0.0.98", "127.0.0.1"], port, patience=1) == ("127.0.0.1", ["127.0.0.98: Connection refused"])
