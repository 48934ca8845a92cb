"""Real data: a reduced build of `movies` gives sane answers."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

import antiphon
from antiphon.base.registry import find
from antiphon.config.load import load_config
from antiphon.run.build import build
from antiphon.space.space import Space

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Space:
    """Films from 1998 on with text, posters' vectors and cf, trained for a moment."""
    import os

    folder = os.environ.get("ANTIPHON_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("ANTIPHON_DATA does not name the folder of data sets")
    out = tmp_path_factory.mktemp("movies")
    toml = find("antiphon.datasets", "movies").make_project(out, Path(folder), antiphon_silent)
    reduced = [
        'catalog.keep="year>=1998 and core=true"', "train.epochs=20", "synthetic.per_item=4",
        "space.taste_trials=1", "space.ease_rank=32",
    ]  # fmt: skip
    config = load_config(toml, reduced)
    modalities = [
        item.model_copy(update={"trials": 1, "factors": [32]}) if item.name == "cf" else item
        for item in config.modalities
    ]
    build(config.model_copy(update={"modalities": modalities}), out / "run")
    return antiphon.load(out / "run")


def antiphon_silent(name: str, total: int):  # noqa: D103  a progress that shows nothing
    from antiphon.base.progress import silent

    return silent(name, total)


def test_it_is_the_real_catalog(space: Space) -> None:
    """Hundreds of films with their fields, and thousands of users."""
    assert 200 < space.n_items < 1500
    assert space.users is not None
    assert len(space.users.row_of) > 5000
    assert all(hit.fields["year"] >= 1998 for hit in space.search("comedy", k=200))


def test_a_request_for_animation_gets_animation(space: Space) -> None:
    """Most of the first ten answers to 'animation for children' are animation or for children."""
    hits = space.search("animation for children", k=10)
    fitting = [hit for hit in hits if {"animation", "children's"} & set(hit.fields["genres"])]
    assert len(fitting) >= 6, [(hit.title, hit.fields["genres"]) for hit in hits]


def test_more_like_toy_story_2(space: Space) -> None:
    """Neighbours of an animated film share its kind more often than films do on the whole."""
    title = next(item for item in space.titles if item.startswith("Toy Story 2"))
    hits = space.similar(space.item_ids[space.titles.index(title)], k=10)
    share = sum("animation" in hit.fields["genres"] for hit in hits) / 10
    everywhere = sum("animation" in (genres or []) for genres in space.fields["genres"].to_pylist()) / space.n_items
    assert share >= max(0.3, 3 * everywhere), [hit.title for hit in hits]


def test_filters_leave_200_of_200(space: Space) -> None:
    """Where 200 films pass there are 200 answers, all of which pass."""
    hits = space.search("a film to remember", where="year>=1999 and not genres=horror", k=200)
    assert len(hits) == 200
    assert all(hit.fields["year"] >= 1999 and "horror" not in hit.fields["genres"] for hit in hits)


def test_a_user_gets_what_is_new_to_them(space: Space, data_dir: Path) -> None:
    """A real user's recommendations hold none of the films that they liked."""
    table = pq.read_table(data_dir / "movies" / "interactions.parquet")
    user = table["user_id"][0].as_py()
    liked = {
        item
        for someone, item, ge3 in zip(*(table[name].to_pylist() for name in ("user_id", "item_id", "ge3")), strict=True)
        if someone == user and ge3 == 1
    }
    hits = space.search(user=user, weights={"taste": 1.0}, k=50)
    assert len(hits) == 50
    assert not liked & {hit.item_id for hit in hits}
