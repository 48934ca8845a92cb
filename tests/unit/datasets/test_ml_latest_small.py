"""ml-latest-small from its CSV files, here a few rows made up in their format."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest

from antiphon.base.progress import silent
from antiphon.config.load import load_config
from antiphon.data.reading import read_catalog
from antiphon.datasets.ml_latest_small import ML_LATEST_SMALL
from antiphon.describe.descriptions import describe
from antiphon.errors import DataError

MOVIES = """movieId,title,genres
1,Some Film (1995),Adventure|Comedy
10,"Film, The (1999) ",Drama
2,Nameless,(no genres listed)
"""
RATINGS = """userId,movieId,rating,timestamp
1,1,4.0,964982703
1,10,3.0,964981247
2,1,3.5,964982224
2,2,0.5,964982931
"""
TAGS = """userId,movieId,tag,timestamp
1,1,funny,1445714994
2,1,slow,1445714996
3,1,slow,1445714992
3,10,In Netflix queue,1445714992
4,10,1984,1445714992
"""


@pytest.fixture
def source(tmp_path):
    """A folder as the archive has it."""
    folder = tmp_path / "ml-latest-small"
    folder.mkdir()
    for name, content in (("movies", MOVIES), ("ratings", RATINGS), ("tags", TAGS)):
        (folder / f"{name}.csv").write_text(content, encoding="utf-8")
    return folder


def test_films_get_years_genres_and_counted_tags(source, tmp_path):
    """Most used first; a film without a year, genres or tags has none."""
    config = load_config(ML_LATEST_SMALL.make_project(tmp_path / "out", source, silent))
    catalog = read_catalog(config.catalog)
    rows = {row["item_id"]: row for row in catalog.items.to_pylist()}
    assert rows["1"] == {
        "item_id": "1", "title": "Some Film (1995)", "year": 1995, "genres": ["Adventure", "Comedy"],
        "tags": ["slow", "funny"], "tag_counts": [2, 1],
    }  # fmt: skip
    assert (rows["10"]["title"], rows["10"]["year"]) == ("Film, The (1999)", 1999)
    assert (rows["2"]["year"], rows["2"]["genres"], rows["2"]["tags"]) == (None, [], [])
    assert describe(catalog, config.describe).views["template"] == (
        "Movie: Some Film (1995). Year: 1995. Genres: Adventure, Comedy. Tags: slow, funny.",
        "Movie: Film, The (1999). Year: 1999. Genres: Drama. Tags: 1984.",
        "Movie: Nameless.",
    )


def test_ratings_above_three_are_positive(source, tmp_path):
    """Paper, section 3.2; values and times stay in the file."""
    catalog = read_catalog(load_config(ML_LATEST_SMALL.make_project(tmp_path / "out", source, silent)).catalog)
    got = catalog.interactions
    assert got.user_ids == ("1", "2")
    assert got.positive.tolist() == [True, False, True, False]
    kept = pq.read_table(tmp_path / "out" / "interactions.parquet")
    assert kept["rating"].to_pylist() == [4.0, 3.0, 3.5, 0.5]
    assert kept["timestamp"].to_pylist() == [964982703, 964981247, 964982224, 964982931]
    assert catalog.report == ()


def test_column_names_may_be_in_lower_case(source, tmp_path):
    """Copies are about that have them so."""
    for name in ("movies", "ratings", "tags"):
        path = source / f"{name}.csv"
        head, _, rest = path.read_text(encoding="utf-8").partition("\n")
        path.write_text(f"{head.lower()}\n{rest}", encoding="utf-8")
    catalog = read_catalog(load_config(ML_LATEST_SMALL.make_project(tmp_path / "out", source, silent)).catalog)
    assert catalog.n_items == 3


def test_a_broken_original_is_named(source, tmp_path):
    """A column that is not there, a file that is empty."""
    (source / "tags.csv").write_text("userId,movieId,timestamp\n1,1,1\n")
    with pytest.raises(DataError, match=r"tags\.csv has no column 'tag'; it has userid, movieid, timestamp"):
        ML_LATEST_SMALL.make_project(tmp_path / "out", source, silent)
    (source / "tags.csv").write_text("")
    with pytest.raises(DataError, match=r"tags\.csv cannot be read: it is empty"):
        ML_LATEST_SMALL.make_project(tmp_path / "out", source, silent)
    assert not (tmp_path / "out" / "antiphon.toml").exists()
