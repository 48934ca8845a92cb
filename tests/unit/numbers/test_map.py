"""The map: near items stay near, the same input gives the same map."""

from __future__ import annotations

import numpy as np

from antiphon.numbers import map as projection
from antiphon.numbers.map import nearest, principal, project_2d


def clusters(n_each, dim=16, seed=0):
    """Unit vectors in four clusters, and the cluster of each."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(4, dim))
    which = np.repeat(np.arange(4), n_each)
    vectors = centres[which] + 0.25 * rng.normal(size=(4 * n_each, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), which


def test_neighbours_stay_neighbours():
    """On the map, an item's nearest ones are of its own cluster."""
    vectors, which = clusters(60)
    places = project_2d(vectors)
    far = ((places[:, None] - places[None]) ** 2).sum(axis=2)
    near = np.argsort(far, axis=1)[:, 1:6]
    assert (which[near] == which[:, None]).mean() > 0.95
    assert places.min() >= 0
    assert places.max() <= 1


def test_the_map_is_deterministic_and_leaves_out_what_has_no_vector():
    """The same vectors give the same map; rows of zeros have no place."""
    vectors, _ = clusters(20)
    vectors[3] = 0
    places = project_2d(vectors)
    assert np.array_equal(places, project_2d(vectors), equal_nan=True)
    assert np.isnan(places[3]).all()
    assert not np.isnan(np.delete(places, 3, axis=0)).any()


def test_few_items_have_a_map_too():
    """None, one, two or three items, equal or not, are no error."""
    for n_items in range(4):
        assert project_2d(np.ones((n_items, 5), dtype=np.float32)).shape == (n_items, 2)


def test_items_beyond_the_landmarks_lie_among_their_nearest(monkeypatch):
    """With more items than landmarks, the others still lie in their own cluster."""
    monkeypatch.setattr(projection, "LANDMARKS", 80)
    vectors, which = clusters(60)
    places = project_2d(vectors)
    centres = np.array([np.median(places[which == one], axis=0) for one in range(4)])
    closest = ((places[:, None] - centres[None]) ** 2).sum(axis=2).argmin(axis=1)
    assert (closest == which).mean() > 0.9


def test_nearest_and_principal_agree_with_plain_numpy():
    """Neighbours in blocks are those of a full sort; principal components span those of the SVD."""
    vectors, _ = clusters(10)
    _, sims = nearest(vectors, vectors, 4)
    full = np.sort(vectors @ vectors.T, axis=1)[:, ::-1][:, :4]
    assert np.allclose(np.sort(sims, axis=1)[:, ::-1], full, atol=1e-5)
    centred = vectors - vectors.mean(axis=0)
    _, values, _ = np.linalg.svd(centred, full_matrices=False)
    assert np.allclose(np.linalg.norm(principal(vectors), axis=0), values[:2], rtol=1e-3)


def test_what_a_group_shares_makes_no_island():
    """Items that lack a modality are shifted together; with their group known they lie among those they are like."""
    vectors, _ = clusters(60)
    lacks = np.random.default_rng(1).random(len(vectors)) < 0.3
    shift = np.random.default_rng(2).normal(size=vectors.shape[1])
    vectors = vectors + 1.5 * lacks[:, None] * shift / np.linalg.norm(shift)
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    present = np.stack([np.ones(len(vectors), dtype=bool), ~lacks])

    def alone(places):
        """Share of the items whose five nearest ones on the map all have, or all lack, the modality as they do."""
        far = ((places[:, None] - places[None]) ** 2).sum(axis=2)
        near = np.argsort(far, axis=1)[:, 1:6]
        return (lacks[near] == lacks[:, None]).all(axis=1)[lacks].mean()

    assert alone(project_2d(vectors)) > 0.8
    assert alone(project_2d(vectors, projection.groups_of(present))) < 0.2


def test_items_of_one_group_are_laid_out_as_without_groups():
    """Where all items have the same modalities there is nothing to take off."""
    vectors, _ = clusters(20)
    groups = projection.groups_of(np.ones((2, len(vectors)), dtype=bool))
    assert np.array_equal(project_2d(vectors), project_2d(vectors, groups))
