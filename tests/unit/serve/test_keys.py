"""Keys: kept as hashes, scoped, changed without a restart, and never nearly right."""

from __future__ import annotations

import hashlib
import os

import pytest
from fastapi.testclient import TestClient

from antiphon.errors import ConfigError
from antiphon.serve import Settings, create_app, keys
from antiphon.serve.keys import Key, KeyRing, new_key, read_keys, scope_of


def bearer(secret):
    """The header that brings a key."""
    return {"authorization": f"Bearer {secret}"}


def test_keys_are_read_from_a_file_and_the_environment(tmp_path):
    """One a line, comments aside, as they are or as hashes; each once."""
    file, digest = tmp_path / "keys", hashlib.sha256(b"second-key").hexdigest()
    file.write_text(f"# ours\nfirst-key-1\n\nbob sha256:{digest} read rate=60\nsecond-key\n")
    found = read_keys(file, {"ANTIPHON_API_KEYS": "third-key-3, first-key-1"})
    assert [key.scopes for key in found] == [("read", "write"), ("read", "write"), ("read", "write")]
    assert {key.digest for key in found} == {
        hashlib.sha256(secret).hexdigest() for secret in (b"first-key-1", b"second-key", b"third-key-3")
    }
    assert not any("first-key-1" in repr(key) for key in found)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("abc", "has 3 characters"),
        ("kéy-of-ours", "printable ASCII"),
        ("bob sha256:12ab read", "64 hex digits"),
        (f"bob md5:{'0' * 64}", "sha256:"),
        (f"b<b sha256:{'0' * 64}", "line 1"),
        (f"bob sha256:{'0' * 64} raed", "there is no scope 'raed'; known are: read, write"),
        (f"bob sha256:{'0' * 64} rate=0", "rate=0"),
        ("# nothing", "has no key"),
    ],
)
def test_lines_that_are_no_keys_are_refused(tmp_path, line, said):
    """With the file, the line, and what was expected."""
    (tmp_path / "keys").write_text(line + "\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=said):
        read_keys(tmp_path / "keys", {})


def test_a_drawn_key_is_what_its_line_says(tmp_path):
    """The line has the hash and not the key; the ring finds the key by it, and nothing that is nearly it."""
    secret, key = new_key("alice", ["read"], 600)
    (tmp_path / "keys").write_text(key.line() + "\n")
    assert secret not in key.line()
    ring = KeyRing((), tmp_path / "keys")
    assert ring.find(secret.encode()) == Key(key.digest, "alice", ("read",), 600)
    for wrong in (secret[:-1], secret + "a", secret.upper(), "", key.digest, f"sha256:{key.digest}"):
        assert ring.find(wrong.encode()) is None


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/v1/space", "read"), ("POST", "/v1/search", "read"), ("POST", "/v1/reload", "write"),
        ("DELETE", "/v1/items/1", "write"), ("PUT", "/v1/x", "write"),
    ],
)  # fmt: skip
def test_what_changes_something_needs_to_write(method, path, scope):
    """Searches read, also by POST."""
    assert scope_of(method, path) == scope


def test_a_key_may_do_what_its_line_says(film_run, tmp_path):
    """One that may only read is refused what writes, with 403; one that may only write is refused a search."""
    file, secrets = tmp_path / "keys", {}
    with file.open("w") as lines:
        for name, scopes in (("reader", ["read"]), ("writer", ["write"])):
            secrets[name], key = new_key(name, scopes, None)
            lines.write(key.line() + "\n")
    with TestClient(create_app(film_run, Settings(key_file=file, poll=0))) as client:
        for name, statuses in (("reader", (200, 403)), ("writer", (403, 200))):
            asked = [client.get("/v1/space", headers=bearer(secrets[name]))]
            asked.append(client.post("/v1/reload", headers=bearer(secrets[name])))
            assert tuple(got.status_code for got in asked) == statuses
        assert client.post("/v1/reload").status_code == 401


def test_keys_come_and_go_without_a_restart(film_run, tmp_path, monkeypatch):
    """A new line counts at the next look, a line that is gone no more; a broken file changes nothing."""
    monkeypatch.setattr(keys, "LOOK", 0.0)
    file = tmp_path / "keys"
    file.write_text("the-old-key-1\n")
    with TestClient(create_app(film_run, Settings(key_file=file, poll=0))) as client:

        def status(secret):
            return client.get("/v1/space", headers=bearer(secret)).status_code

        assert (status("the-old-key-1"), status("the-new-key-22")) == (200, 401)
        for text, expected in (
            ("the-old-key-1\nthe-new-key-22\n", (200, 200)),
            ("the-new-key-22\n", (401, 200)),
            ("no\n", (401, 200)),
            ("", (401, 200)),
        ):
            (tmp_path / "next").write_text(text)
            os.replace(tmp_path / "next", file)  # noqa: PTH105  as an operator's `mv`
            assert (status("the-old-key-1"), status("the-new-key-22")) == expected
