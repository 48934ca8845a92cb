"""Playlists: ordered lists from a text, from seeds, or both, that can be continued.

playlist = make_playlist(space, PlaylistRequest(Query(text="a quiet evening"), length=20, max_per={"director": 2}))
for entry in playlist.entries:
print(entry.title)
"""

from __future__ import annotations

from antiphon.playlist.export import FORMATS, export
from antiphon.playlist.make import make_playlist, reorder
from antiphon.playlist.request import Playlist, PlaylistRequest, Tradeoff

__all__ = ["FORMATS", "Playlist", "PlaylistRequest", "Tradeoff", "export", "make_playlist", "reorder"]
