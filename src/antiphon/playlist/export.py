"""Playlists as files: M3U8, XSPF, CSV, JSON.

Titles come from the catalog and are not trusted: line breaks cannot start a new entry, markup is escaped, and a
spreadsheet does not take a title for a formula.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote
from xml.sax.saxutils import escape

from antiphon.errors import QueryError, nearest
from antiphon.playlist.request import Playlist
from antiphon.query.columns import words_of
from antiphon.query.hits import hit_document, plain

DEFAULT_LOCATION = "{item_id}"
FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What makes a spreadsheet compute a cell, also in full width, and behind blanks that some take away."""
IDENTIFIER = "urn:antiphon:{item_id}"
_XML_FORBIDDEN = {code: None for code in range(0x20) if code not in (0x9, 0xA, 0xD)} | {0xFFFE: None, 0xFFFF: None}


@dataclass(frozen=True)
class Format:
    """A kind of file."""

    media_type: str
    write: Callable[[Playlist, str, str], str]


def export(playlist: Playlist, kind: str, *, name: str = "antiphon", location: str = DEFAULT_LOCATION) -> str:
    """A playlist as text of one of `FORMATS`. `location`: where a player finds an item, such as music/{item_id}.flac.

    Raises:
        QueryError: no such format, or a location without {item_id}.
    """
    if kind not in FORMATS:
        raise QueryError(f"there is no playlist format {kind!r}; {nearest(kind, FORMATS)}")
    if "{item_id}" not in location:
        raise QueryError(f"the location {location!r} has no {{item_id}}; write for example music/{{item_id}}.flac.")
    return FORMATS[kind].write(playlist, name, location)


def _m3u8(playlist: Playlist, name: str, location: str) -> str:
    lines = ["#EXTM3U", f"#PLAYLIST:{_line(name)}"]
    for entry in playlist.entries:
        lines += [f"#EXTINF:-1,{_line(entry.title)}", _place(location, entry.item_id)]
    return "\n".join(lines) + "\n"


def _xspf(playlist: Playlist, name: str, location: str) -> str:
    tracks = "".join(
        f"    <track>\n      <location>{_xml(_place(location, entry.item_id))}</location>\n"
        f"      <identifier>{_xml(_place(IDENTIFIER, entry.item_id))}</identifier>\n"
        f"      <title>{_xml(entry.title)}</title>\n    </track>\n"
        for entry in playlist.entries
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<playlist version="1" xmlns="http://xspf.org/ns/0/">\n'
        f"  <title>{_xml(name)}</title>\n  <trackList>\n{tracks}  </trackList>\n</playlist>\n"
    )


def _csv(playlist: Playlist, name: str, location: str) -> str:
    fields = sorted({name for entry in playlist.entries for name in entry.fields})
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(["position", "item_id", "title", "score", "link", *map(_cell, fields)])
    for position, (entry, link) in enumerate(zip(playlist.entries, playlist.links, strict=True), 1):
        values = [_cell("; ".join(words_of(plain(entry.fields.get(field))))) for field in fields]
        shown = "" if link is None else f"{link:.4f}"
        writer.writerow([position, _cell(entry.item_id), _cell(entry.title), f"{entry.score:.4f}", shown, *values])
    return out.getvalue()


def _json(playlist: Playlist, name: str, location: str) -> str:
    items = [
        {**hit_document(entry), "link": None if link is None else round(link, 6)}
        for entry, link in zip(playlist.entries, playlist.links, strict=True)
    ]
    document = {"name": name, "space_id": playlist.space_id, "items": items, "short": playlist.short}
    return json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


FORMATS: Mapping[str, Format] = {
    "m3u8": Format("application/vnd.apple.mpegurl", _m3u8),
    "xspf": Format("application/xspf+xml", _xspf),
    "csv": Format("text/csv", _csv),
    "json": Format("application/json", _json),
}


def _line(text: str) -> str:
    return " ".join(text.split())


def _place(location: str, item_id: str) -> str:
    return _line(location).replace("{item_id}", quote(item_id, safe=""))


def _xml(text: str) -> str:
    return escape(_line(text.translate(_XML_FORBIDDEN)))


def _cell(text: str) -> str:
    """A cell that a spreadsheet does not take for a formula."""
    return f"'{text}" if text.lstrip(" \xa0\ufeff").startswith(FORMULAS) else text
