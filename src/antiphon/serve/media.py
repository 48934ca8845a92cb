"""Pictures of items, from the folder or zip that the catalog names, resized."""

from __future__ import annotations

import contextlib
import threading
import zipfile
from collections import OrderedDict
from pathlib import Path

from antiphon.base.isolated import EndedError, Isolated
from antiphon.base.layout import RunLayout
from antiphon.base.storage import is_inside, read_json
from antiphon.errors import QueryError, RunError, UnknownIdError
from antiphon.serve.shrink import PIXELS, SHRINK

WIDTHS = (80, 160, 240, 320, 480)
MAX_FILE = 20_000_000
CACHE_BYTES = 64_000_000
KIND = "image"


class Pictures:
    """The pictures of one catalog."""

    def __init__(self, path: Path, pattern: str) -> None:
        self.path, self.pattern = path, pattern
        self._lock = threading.Lock()
        self._cache: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._size = 0
        self._decoder = Isolated(SHRINK)
        self._zip = None if path.is_dir() else zipfile.ZipFile(path)
        names = self._zip.namelist() if self._zip else [file.name for file in path.iterdir() if is_inside(file, path)]
        self._names = frozenset(names)

    @classmethod
    def of_run(cls, root: Path) -> Pictures | None:
        """The pictures that a run's catalog names; None where it names none or they cannot be read."""
        file = RunLayout(root).catalog / "catalog.json"
        if not file.is_file():
            return None
        media = read_json(file).get("media", {}).get(KIND)
        if media is None or not Path(media["path"]).exists():
            return None
        try:
            return cls(Path(media["path"]), media["pattern"])
        except (OSError, zipfile.BadZipFile):
            return None

    def warm(self) -> None:
        """Have a process that decodes ready."""
        with contextlib.suppress(RunError):
            self._decoder.warm()

    def has(self, item_id: str) -> bool:
        """Whether there is a file for an item; an id cannot name a file elsewhere."""
        return self._name(item_id) in self._names

    def resized(self, item_id: str, width: int) -> bytes:
        """The picture as JPEG, at most `width` pixels wide (the next of `WIDTHS`).

        Raises:
            UnknownIdError: there is none.
            QueryError: the file is not a picture that can be shown.
        """
        if not self.has(item_id):
            raise UnknownIdError(f"the item {item_id!r} has no picture.")
        width = next((size for size in WIDTHS if size >= width), WIDTHS[-1])
        key = (item_id, width)
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key]
        data = self._shrink(self._read(self._name(item_id)), item_id, width)
        with self._lock:
            self._cache[key] = data
            self._size += len(data)
            while self._size > CACHE_BYTES:
                self._size -= len(self._cache.popitem(last=False)[1])
        return data

    def _name(self, item_id: str) -> str:
        return self.pattern.replace("{item_id}", item_id)

    def _read(self, name: str) -> bytes:
        try:
            if self._zip is None:
                file = self.path / name
                if not is_inside(file, self.path):  # a link that was put there meanwhile
                    raise QueryError(f"the picture {name!r} is not a file of its folder.")
                if file.stat().st_size > MAX_FILE:
                    raise QueryError(f"the picture {name!r} is larger than {MAX_FILE:,} bytes.")
                return file.read_bytes()
            with self._lock:
                if self._zip.getinfo(name).file_size > MAX_FILE:
                    raise QueryError(f"the picture {name!r} is larger than {MAX_FILE:,} bytes.")
                return self._zip.read(name)
        except (OSError, zipfile.BadZipFile) as error:
            raise RunError(f"the picture {name!r} cannot be read ({type(error).__name__}).") from error

    def _shrink(self, data: bytes, item_id: str, width: int) -> bytes:
        try:
            said, small = self._decoder.call({"width": width}, data)
        except EndedError as error:
            raise QueryError(f"the picture of {item_id!r} takes too long, or too much memory, to decode.") from error
        if "flaw" in said:
            raise QueryError(f"the {'picture' if said['flaw'] == PIXELS else 'file'} of {item_id!r} {said['flaw']}.")
        return small
