"""Files of requests, and what a process that decodes files has to load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from antiphon.encoders.sent import request_bytes
from antiphon.errors import QueryError


def test_the_file_of_a_request_comes_as_bytes_or_as_a_path(tmp_path: Path) -> None:
    """Bytes are taken as they are; of a path no more is read than shows that a file is too large."""
    (tmp_path / "a").write_bytes(b"abcdef")
    assert request_bytes(tmp_path / "a", "picture", 6) == b"abcdef"
    assert request_bytes(tmp_path / "a", "picture", 3) == b"abcd"
    assert request_bytes(b"abcdef", "picture", 3) == b"abcdef"


def test_the_file_of_a_request_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """With what it should be, and with the reason of the operating system."""
    with pytest.raises(QueryError, match=r"the picture '.*gone' cannot be read \(No such file or directory\)\."):
        request_bytes(tmp_path / "gone", "picture", 6)
    with pytest.raises(QueryError, match=r"the sound '.*' cannot be read \(Is a directory\)\."):
        request_bytes(tmp_path, "sound", 6)


@pytest.mark.parametrize("module", ["antiphon.encoders.pictures.files", "antiphon.encoders.sounds.files"])
def test_a_process_that_decodes_loads_little(module: str) -> None:
    """Each file may need a new one: neither tables nor networks nor the configuration are loaded for it."""
    code = f"import sys, {module}; print(*sorted({{'pyarrow', 'pydantic', 'scipy', 'torch'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
