"""Checksums of large files, compared in the background."""

from __future__ import annotations

from pathlib import Path

import pytest

from antiphon.base import storage
from antiphon.base.checking import Checking
from antiphon.errors import IntegrityError


def test_whole_files_are_accepted(tmp_path: Path) -> None:
    """Nothing is refused, before and after."""
    (tmp_path / "a").write_bytes(b"1" * 1000)
    checking = Checking({tmp_path / "a": storage.sha256(tmp_path / "a")})
    checking.refuse()
    checking.finish()
    checking.refuse()
    assert checking.is_done
    assert Checking({}).is_done


@pytest.mark.parametrize("said", ["missing", "SHA-256 differs"])
def test_a_wrong_file_is_refused_from_then_on(tmp_path: Path, said: str) -> None:
    """It is named, and so is what is wrong with it."""
    path = tmp_path / "a"
    path.write_bytes(b"1" * 1000)
    digest = storage.sha256(path)
    if said == "missing":
        path.unlink()
    else:
        path.write_bytes(b"2" * 1000)
    checking = Checking({path: digest})
    for _ in range(2):
        with pytest.raises(IntegrityError, match=said):
            checking.finish()
    with pytest.raises(IntegrityError, match=str(path)):
        checking.refuse()
