"""A catalog whose titles, ids and values are attacks: the page shows them as text, wherever it shows them."""

from __future__ import annotations

import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tomli_w

TESTS = Path(__file__).resolve().parents[1]
films = runpy.run_path(str(TESTS / "conftest.py"))
ATTACKS = (
    "<script>window.pwned=1</script>",
    "<img src=x onerror=window.pwned=1>",
    '"><svg onload=window.pwned=1>',
    "'-window.pwned=1-'",
    "javascript:window.pwned=1",
    "</title></textarea><script>window.pwned=1</script>",
    "<iframe srcdoc='<script>parent.pwned=1</script>'>",
    "{{constructor.constructor('window.pwned=1')()}} ${window.pwned=1}",
    "<a href=javascript:window.pwned=1>click</a>",
    "<style>*{display:none}</style>",
    "&lt;script&gt;window.pwned=1&lt;/script&gt;",
    "\u202e<b>bold</b>\u0000<!--",
)


@pytest.fixture(scope="module")
def address(
    tmp_path_factory: pytest.TempPathFactory, tiny_text_model: Path, service_of: Callable[[Path], Iterator[str]]
) -> Iterator[str]:
    """A service over the attacks."""
    from antiphon.config.load import load_config
    from antiphon.run.build import build

    folder = tmp_path_factory.mktemp("hostile")
    items, _ = films["film_table"](np.random.default_rng(0), 60)
    attack = [ATTACKS[row % len(ATTACKS)] for row in range(60)]
    for name, values in {
        "item_id": [f"{text}#{row}" for row, text in enumerate(attack)],
        "title": [f"film {row} {text}" for row, text in enumerate(attack)],
        "genres": [[text, "drama"] for text in attack],
        "country": attack,
    }.items():
        items = items.set_column(items.schema.get_field_index(name), name, pa.array(values))
    pq.write_table(items, folder / "items.parquet")
    settings = films["film_settings"]()
    del settings["catalog"]["interactions"]
    settings |= {
        "name": ATTACKS[1],
        "modalities": [{"name": "text", "encoder": "sentence-transformers", "model": str(tiny_text_model)}],
        "space": {"facets": False},
    }
    (folder / "antiphon.toml").write_text(tomli_w.dumps(settings), encoding="utf-8")
    build(load_config(folder / "antiphon.toml"), folder / "run")
    yield from service_of(folder / "run")


def harmless(page: Any) -> None:
    """Nothing of the catalog has run, or has become an element of the page."""
    assert page.evaluate("() => window.pwned") is None
    assert page.locator("iframe, img[src='x'], a[href^='javascript:'], svg[onload], [onerror]").count() == 0
    assert page.locator("#cards b:text-is('bold'), #cards style, #cards script").count() == 0


def settled(page: Any) -> None:
    """Wait until answers are drawn."""
    page.wait_for_selector("#cards[aria-busy=false]", state="attached")
    page.wait_for_selector("#cards .card:not(.skeleton)", state="attached")


def test_the_page_shows_attacks_as_text(open_page: Callable[..., Any]) -> None:
    """Answers, reasons, completions, filters, chips, lists and the map, of a catalog that is nothing but attacks."""
    page = open_page()
    page.on("dialog", lambda dialog: pytest.fail(f"a dialog: {dialog.message}"))
    page.wait_for_selector("#ask-box")
    page.fill("#ask-box", "film")
    page.keyboard.press("Enter")
    settled(page)
    shown = " ".join(page.locator("#cards .card").all_text_contents())
    assert "<script>window.pwned=1</script>" in shown
    harmless(page)
    page.fill("#ask-box", "more like film 1")
    page.wait_for_timeout(400)  # completions come after a pause
    harmless(page)
    page.fill("#ask-box", ATTACKS[1])
    page.keyboard.press("Enter")
    settled(page)
    harmless(page)
    page.keyboard.press("Escape")
    page.locator("#cards .card").first.focus()
    for key in ("w", "+", "l", "m"):
        page.keyboard.press(key)
        page.wait_for_selector("#cards[aria-busy=false]", state="attached")
        page.wait_for_timeout(200)
        harmless(page)
    page.reload()
    page.wait_for_selector("#cards[aria-busy=false]", state="attached")
    harmless(page)


@pytest.mark.parametrize("attack", range(len(ATTACKS)))
def test_an_address_that_is_an_attack_runs_nothing(open_page: Callable[..., Any], attack: int) -> None:
    """What somebody sends as a link to the page: the text of the request is an attack as well."""
    from urllib.parse import quote

    said = quote(ATTACKS[attack])
    page = open_page(f"/?text={said}&q={said}&like={said}&where={said}#{said}")
    page.wait_for_selector("#cards[aria-busy=false]", state="attached")
    harmless(page)
