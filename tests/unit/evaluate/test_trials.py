"""Trials: what is changed is changed, and nothing else."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from antiphon.base import storage
from antiphon.data.features import Features
from antiphon.evaluate import trials
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.trials import Trial, drop, run_trial, shuffle, write_noise
from antiphon.reproduce.studies import LEVELS, ablation_settings, cap_interactions


def settings_of(data: RunData) -> dict:
    """The configuration of a run, as it was written."""
    return tomllib.loads(data.layout.config.read_text(encoding="utf-8"))


def features(n_items: int = 40) -> Features:
    """Random vectors of two views."""
    matrix = np.random.default_rng(0).standard_normal((2, n_items, 3)).astype(np.float32)
    return Features("image", ("a", "b"), matrix, np.ones((2, n_items), dtype=bool))


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_drop_takes_a_share_of_one_modality(share: float) -> None:
    """So many items lose the modality, with their vectors; another modality is left alone."""
    changed = drop("image", share)(features())
    assert (~changed.present).sum() == round(share * 40)
    assert not changed.matrix[:, ~changed.present].any()
    assert drop("text", share)(features()).mask.all()


def test_growing_shares_contain_each_other() -> None:
    """Who lacks the modality at 25% lacks it at 75%."""
    small, large = (~drop("image", share)(features()).present for share in (0.25, 0.75))
    assert (large | ~small).all()


def test_shuffle_moves_vectors_with_their_masks() -> None:
    """The same vectors, on other items."""
    before = drop("image", 0.25)(features())
    after = shuffle("image")(before)
    assert_array_equal(np.sort(after.matrix, axis=1), np.sort(before.matrix, axis=1))
    assert (after.matrix != before.matrix).any()
    assert_array_equal(after.mask, np.abs(after.matrix).sum(axis=2) > 0)


def test_a_seed_draws_everything_anew_but_the_texts(data: RunData, tmp_path: Path) -> None:
    """Another seed gives another model, other users and factors; texts stay, and seed for seed it is the same."""
    runs = [
        run_trial(data.layout.root, settings_of(data), Trial(f"t{n}", seed=seed), tmp_path / f"t{n}")
        for n, seed in enumerate((1, 2, 2))
    ]
    vectors = [np.asarray(run.space.vectors) for run in runs]
    assert_array_equal(vectors[0], np.asarray(data.space.vectors))
    assert np.abs(vectors[1] - vectors[0]).max() > 1e-3
    assert_array_equal(vectors[1], vectors[2])
    assert runs[1].split.test.tolist() == runs[2].split.test.tolist() != data.split.test.tolist()
    assert (np.asarray(runs[1].features("cf").matrix) != np.asarray(data.features("cf").matrix)).any()
    assert_array_equal(np.asarray(runs[1].features("text").matrix), np.asarray(data.features("text").matrix))
    assert runs[1].config.seed == 2


def test_no_stage_keeps_the_seed_of_the_base(data: RunData, tmp_path: Path) -> None:
    """All that learns or draws is done again for another seed: what did not change is encoded texts and pictures."""
    settings = {**settings_of(data), "preset": "default", "space": {}, "train": {"epochs": 1}, "joint": {},
                "synthetic": {"per_item": 2}}  # fmt: skip
    first = run_trial(data.layout.root, settings, Trial("a", seed=0), tmp_path / "a")
    second = run_trial(first.layout.root, settings, Trial("b", seed=1), tmp_path / "b")
    marks = [{stage["name"]: stage["fingerprint"] for stage in stages_of(run)} for run in (first, second)]
    same = {name for name in marks[0] if marks[0][name] == marks[1][name]}
    assert same == {"catalog", "describe", "features.text", "features.image"}


def stages_of(run: RunData) -> list[dict]:
    """What a run's manifest says of its stages."""
    return storage.read_json(run.layout.manifest)["stages"]


def test_a_base_that_is_published_anew_repeats_nothing(
    data: RunData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trial's own space is of its own stages; another stage of the base is taken over again."""
    run_trial(data.layout.root, settings_of(data), Trial("t", seed=5), tmp_path / "t")
    stages, copied = trials._stages(data.layout.root), []
    monkeypatch.setattr(trials, "_copy", lambda *_: copied.append(1))
    for name, expected in (("publish", 0), ("catalog", 1)):
        changed = [{**stage, "fingerprint": "new"} if stage["name"] == name else stage for stage in stages]
        monkeypatch.setattr(trials, "_stages", lambda _, changed=changed: changed)
        run_trial(data.layout.root, settings_of(data), Trial("t", seed=5), tmp_path / "t")
        assert len(copied) == expected


def test_the_base_run_is_not_touched(data: RunData, tmp_path: Path) -> None:
    """Files are shared by hard links and only ever replaced: the base stays as it was."""
    before = {path: storage.sha256(path) for path in data.layout.root.rglob("*") if path.is_file()}
    run_trial(data.layout.root, settings_of(data), Trial("t", {"describe": {"mode": "gen"}}, seed=5), tmp_path / "t")
    assert {path: storage.sha256(path) for path in before} == before


def test_what_is_missing_in_use_only_does_not_change_the_model(data: RunData, tmp_path: Path) -> None:
    """Dropped before publishing: the same model, items without the part. Dropped before training: another model."""
    used = Trial("used", seed=1, publishing=drop("image", 1.0))
    trained = Trial("trained", seed=1, training=drop("image", 0.5))
    one = run_trial(data.layout.root, settings_of(data), used, tmp_path / "used")
    two = run_trial(data.layout.root, settings_of(data), trained, tmp_path / "trained")
    models = [storage.sha256(run.layout.model / "model.safetensors") for run in (data, one, two)]
    assert models[0] == models[1] != models[2]
    image = one.space.modalities.index("image")
    assert not one.space.present[image].any()
    assert two.space.present[image].sum() < data.space.present[image].sum()


def test_fewer_modalities_take_part(data: RunData, tmp_path: Path) -> None:
    """A trial may leave a modality out."""
    run = run_trial(data.layout.root, settings_of(data), Trial("two", modalities=["text", "cf"]), tmp_path / "two")
    assert run.space.modalities == ("text", "cf")


def test_noise_is_a_modality_like_any_other(data: RunData, tmp_path: Path) -> None:
    """Random vectors for every item, the same each time, joined with the rest."""
    settings = settings_of(data)
    settings["modalities"].append(write_noise(tmp_path / "noise", data.item_ids, dim=8))
    run = run_trial(data.layout.root, settings, Trial("noise"), tmp_path / "run")
    assert run.space.modalities == ("text", "image", "cf", "noise")
    assert run.features("noise").present.all()


def test_items_keep_as_many_interactions_as_their_level_says() -> None:
    """Dealt items keep exactly their level's number; all others keep everything; groups are of one size."""
    from antiphon.data.catalog import Interactions

    rng = np.random.default_rng(0)
    user, item = np.nonzero(rng.random((80, 60)) < 0.5)
    n = len(user)
    whole = Interactions(
        tuple(map(str, range(80))),
        user.astype(np.int32),
        item.astype(np.int32),
        np.ones(n, np.float32),
        np.ones(n, bool),
    )
    popularity = np.bincount(item, minlength=60)
    groups, kept = cap_interactions(whole, popularity)
    left = np.bincount(kept.item, minlength=60)
    assert_array_equal(left[groups < 0], popularity[groups < 0])
    assert set(np.unique(groups)) == {-1, *range(len(LEVELS))}
    for group, (low, high) in enumerate(LEVELS):
        assert left[groups == group].min() == low
        assert left[groups == group].max() <= high
    assert len(set(left[groups == 2])) > 1
    assert np.ptp([np.count_nonzero(groups == group) for group in range(len(LEVELS))]) <= 1
    assert (np.diff(kept.user) >= 0).all()


def test_each_ablation_changes_one_thing() -> None:
    """Every pair is left out once, and names are told apart."""
    found = list(ablation_settings(["text", "image", "cf"]))
    names = [name for name, _, _ in found]
    assert len(set(names)) == len(names)
    left_out = [train["pairs"] for _, train, _ in found if "pairs" in train]
    assert sorted(len(pairs) for pairs in left_out) == [2, 2, 2]
    assert all(len(train) + len(joint) == 1 for _, train, joint in found)
