"""The page over a real catalog: MovieLens films since 2000, as anybody would build them."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from antiphon.base.progress import silent
from antiphon.base.registry import find
from antiphon.config.load import load_config
from antiphon.run.build import build

pytestmark = pytest.mark.data
AXE = Path(__file__).parent / ".axe" / "axe.min.js"
SHOTS = Path(__file__).parent / ".shots"
SMALL = (
    'catalog.keep="year>=2000"', "train.epochs=3", "synthetic.per_item=1", "space.taste_trials=1",
    "modalities.cf.trials=1",
)  # fmt: skip


@pytest.fixture(scope="module")
def address(data_dir: Path, tmp_path_factory: pytest.TempPathFactory, service_of: Any) -> Iterator[str]:
    """A service over a space that was built with the real text encoder and a short training."""
    folder = tmp_path_factory.mktemp("ml-latest-small")
    project = find("antiphon.datasets", "ml-latest-small").make_project(folder, data_dir / "ml-latest-small", silent)
    build(load_config(project, SMALL), folder / "run")
    yield from service_of(folder / "run")


def settled(page: Any) -> None:
    """Wait until the answers are drawn."""
    page.wait_for_selector("#cards[aria-busy=false]", state="attached")
    page.wait_for_selector("#cards .card:not(.skeleton)")


def titles(page: Any) -> list[str]:
    """Titles of the answers, in order."""
    found: list[str] = page.locator("#cards .card:not(.skeleton) h3").all_text_contents()
    return found


def test_a_conversation_about_real_films(open_page: Any) -> None:
    """A genre is understood, a liked film changes the answers, and each card says why it is there."""
    page = open_page("/?q=animation%20for%20children")
    settled(page)
    first = titles(page)
    assert len(first) == 20
    genres = page.evaluate(
        """async () => {
            const asked = {text: 'animation for children', k: 20};
            const headers = {'content-type': 'application/json'};
            const got = await fetch('/v1/search', {method: 'POST', headers, body: JSON.stringify(asked)});
            return (await got.json()).hits.map((hit) => hit.fields.genres);
        }"""
    )
    assert sum("Animation" in words or "Children" in words for words in genres) >= 15
    page.locator("#cards .card").nth(1).locator("[data-tool=more]").click()
    page.wait_for_function("() => location.search.includes('like=')")
    page.wait_for_function(
        """first => {
            const cards = [...document.querySelectorAll('#cards .card:not(.skeleton) h3')];
            const now = cards.map((title) => title.textContent);
            return now.length && now.join() !== first.join();
        }""",
        arg=first,
    )
    settled(page)
    assert first[1] not in titles(page)


def test_a_genre_alone_leads_with_films_that_people_know(open_page: Any, data_dir: Path) -> None:
    """A genre alone says little, so what many have seen goes before what hardly anybody has."""
    with (data_dir / "ml-latest-small" / "ratings.csv").open(encoding="utf-8-sig") as file:
        rated = Counter(film for _, film, *_ in csv.reader(file))
    page = open_page("/?q=comedy")
    settled(page)
    first = page.locator("#cards .card").evaluate_all("all => all.map((card) => card.dataset.key)")[:10]
    assert median(rated[film] for film in first) > 10 * median(rated.values())


def test_labels_and_filters_are_of_films_and_not_of_shelves(open_page: Any) -> None:
    """Tags that say where a tagger keeps a film are offered nowhere."""
    page = open_page("/?q=drama")
    settled(page)
    offered = page.evaluate(
        """async () => {
            const facets = (await (await fetch('/v1/facets?values=1000')).json()).facets;
            const map = await (await fetch('/v1/map')).json();
            return [...facets.find((one) => one.field === 'tags').values.map((one) => one.value),
                ...map.regions.map((one) => one.label)];
        }"""
    )
    assert len(offered) > 100
    assert not [value for value in offered if "netflix" in value.lower() or "dvd" in value.lower()]


def test_a_film_is_found_by_its_name(open_page: Any) -> None:
    """A title asks for no facet: the film itself is the first answer."""
    page = open_page("/?q=Finding%20Nemo")
    settled(page)
    assert titles(page)[0].startswith("Finding Nemo")


def test_the_map_of_thousands_is_drawn(open_page: Any) -> None:
    """The map has a point for every film, and hits stand out on it."""
    page = open_page("/?q=space&view=map")
    page.wait_for_selector("#atlas canvas")
    page.wait_for_selector("#cards[aria-busy=false]", state="attached")
    n_points = page.evaluate("async () => (await (await fetch('/v1/map')).json()).item_ids.length")
    assert n_points > 3000
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SHOTS / "real-map.png")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_real_data(open_page: Any, scheme: str) -> None:
    """Long titles and many tags break no rule of accessibility."""
    if not AXE.is_file():
        pytest.skip("NO AXE-CORE: accessibility is not tested. Get it with scripts/install-browser")
    page = open_page("/?q=a%20quiet%20drama", color_scheme=scheme, bypass_csp=True, reduced_motion="reduce")
    settled(page)
    page.wait_for_timeout(300)
    page.screenshot(path=SHOTS / f"real-{scheme}.png")
    page.add_script_tag(path=str(AXE))
    found = page.evaluate("axe.run()")["violations"]
    assert not [one["id"] for one in found if one["impact"] in ("serious", "critical")]
