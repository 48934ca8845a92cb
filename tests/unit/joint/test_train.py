"""Training: reproducible, resumable, and the options do what they say."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from antiphon.config.sections import JointConfig, TrainConfig
from antiphon.data.features import Features
from antiphon.errors import ConfigError
from antiphon.joint.model import Identity, JointModel, embed_items
from antiphon.joint.train import train
from antiphon.joint.trainer import Trainer
from antiphon.numbers.vectors import unit

torch = pytest.importorskip("torch")

JOINT = JointConfig(hidden=12, dim=6, dropout=0.3)
"""Small. Without queries there is no linear path and no weight to learn: this is the paper's model."""
N = 48


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Matrices this small are slower with more threads than with one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Killed(Exception):  # noqa: N818  it is no error of the program
    """Stands for a signal in the middle of a training."""


def make_features(seed: int = 0, *, views: int = 2, n_items: int = N) -> list[Features]:
    """Three modalities that know the same eight groups of items; some items lack some of them."""
    rng = np.random.default_rng(seed)
    groups = rng.normal(size=(8, 5))[np.arange(n_items) % 8]

    def of(modality: str, dim: int, share: float, n_views: int) -> Features:
        made = groups @ rng.normal(size=(5, dim)) + rng.normal(scale=0.2, size=(n_views, n_items, dim))
        mask = rng.random((n_views, n_items)) < share
        return Features(
            modality, tuple(f"v{i}" for i in range(n_views)), np.where(mask[..., None], unit(made), 0), mask
        )

    return [of("text", 9, 0.95, views), of("image", 7, 0.7, 1), of("cf", 4, 0.8, 1)]


def config(**changes: Any) -> TrainConfig:
    """A short training."""
    usual = {"epochs": 7, "batch_size": 16, "checkpoint_every": 2, "schedule": "constant", "pair_weight": 1.0}
    return TrainConfig(**{**usual, **changes})


def weights(model: JointModel) -> list[np.ndarray]:
    """Every array of a model."""
    found = [array for projection in model.projections.values() for array in vars(projection).values()]
    return [array for array in found if array is not None]


def same(first: JointModel, second: JointModel) -> bool:
    """Whether two models are equal bit by bit."""
    pairs = zip(weights(first), weights(second), strict=True)
    return all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in pairs)


def test_the_same_seed_gives_the_same_weights() -> None:
    """Two trainings are equal bit by bit; another seed is another training."""
    features = make_features()
    first, second = (train(features, JOINT, config(), seed=3) for _ in range(2))
    assert same(first, second)
    assert not same(first, train(features, JOINT, config(), seed=4))


def test_items_that_belong_together_end_up_together() -> None:
    """After training, an item's modalities are nearer to each other than to those of items of other groups."""
    features = make_features()
    joint = JointConfig(hidden=32, dim=6, dropout=0.0)
    before = embed_items(train(features, joint, config(epochs=0)), features)
    after = embed_items(train(features, joint, config(epochs=40, learning_rate=3e-3)), features)

    def margin(embedded: Any) -> float:
        both = embedded.present[0] & embedded.present[2]
        cosines = embedded.parts[0][both] @ embedded.parts[2][both].T
        return float(np.mean(np.diag(cosines)) - np.mean(cosines))

    assert margin(after) > margin(before) + 0.15


def test_the_loss_falls_and_is_recorded() -> None:
    """The model's record holds epochs, a loss an epoch, and the number of items trained on."""
    features = make_features()
    model = train(features, JOINT, config(epochs=25))
    assert model.info["epochs"] == len(model.info["losses"]) == 25
    assert model.info["losses"][-1] < model.info["losses"][0] - 0.3
    two = sum(item.present.astype(int) for item in features) >= 2
    assert model.info["items"] == int(two.sum())


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("epoch", [1, 2, 3, 6])
def test_a_killed_training_goes_on_to_the_same_weights(tmp_path: Path, epoch: int, learned: bool) -> None:
    """Stopped after any epoch and started again, the weights equal those of an undisturbed training bit by bit."""
    features = make_features()
    settings = config(
        learn_temperature=learned, schedule="cosine" if learned else "constant", validation_items=0.2, patience=5
    )
    undisturbed = train(features, JOINT, settings, seed=1)

    @contextmanager
    def killing(name: str, total: int) -> Iterator[Any]:
        done = 0

        def advance(n: int) -> None:
            nonlocal done
            done += n
            if done >= epoch:
                raise Killed

        yield advance

    with pytest.raises(Killed):
        train(features, JOINT, settings, seed=1, checkpoint=tmp_path, progress=killing)
    started: list[int] = []

    @contextmanager
    def watching(name: str, total: int) -> Iterator[Any]:
        yield started.append

    resumed = train(features, JOINT, settings, seed=1, checkpoint=tmp_path, progress=watching)
    assert started[0] == epoch // 2 * 2  # the last checkpoint
    assert same(undisturbed, resumed)
    assert resumed.info == undisturbed.info


def test_a_finished_checkpoint_is_not_trained_further(tmp_path: Path) -> None:
    """A training that was killed after its last epoch, before its model was written, gives the same model."""
    features = make_features()
    first = train(features, JOINT, config(epochs=4), checkpoint=tmp_path)
    again = train(features, JOINT, config(epochs=4), checkpoint=tmp_path)
    assert same(first, again)
    assert again.info == first.info
    assert [path.name for path in tmp_path.glob("*.safetensors")] == ["epoch-4.safetensors"]


@pytest.mark.parametrize("name", ["state.json", "epoch-4.safetensors"])
def test_a_damaged_checkpoint_is_not_gone_on_from(tmp_path: Path, name: str) -> None:
    """Where a bit of it has turned, the training begins again, and ends at the same weights."""
    features = make_features()
    first = train(features, JOINT, config(epochs=4), checkpoint=tmp_path)
    data = bytearray((tmp_path / name).read_bytes())
    data[-9] ^= 1
    (tmp_path / name).write_bytes(data)
    started: list[int] = []

    @contextmanager
    def watching(name: str, total: int) -> Iterator[Any]:
        yield started.append

    again = train(features, JOINT, config(epochs=4), checkpoint=tmp_path, progress=watching)
    assert started[0] == 0
    assert same(first, again)


def test_early_stopping_gives_back_the_best_weights() -> None:
    """With patience, training stops when the watched loss has not fallen, and the best epoch's weights are kept."""
    features = make_features(n_items=24)
    settings = config(epochs=200, learning_rate=0.02, validation_items=0.3, patience=3)
    stopped = train(features, JOINT, settings)
    watched = stopped.info["validation_losses"]
    best = int(np.argmin(watched))
    assert len(watched) == best + 1 + 3 < 200
    shorter = train(features, JOINT, settings.model_copy(update={"epochs": best + 1}))
    assert same(stopped, shorter)


def test_watched_items_are_not_trained_on() -> None:
    """Changing the vectors of a watched item changes no weight."""
    features = make_features(views=1)
    settings = config(epochs=3, validation_items=0.2)
    trainer = Trainer(features, JOINT, settings, 0)
    assert len(trainer.watched_rows) == round(0.2 * (len(trainer.watched_rows) + len(trainer.train_rows)))
    assert not set(trainer.watched_rows) & set(trainer.train_rows)
    matrix = features[0].matrix.copy()
    matrix[:, trainer.watched_rows] = -matrix[:, trainer.watched_rows]
    changed = [Features("text", features[0].views, matrix, features[0].mask), *features[1:]]
    first, second = (train(items, JOINT, settings) for items in (features, changed))
    assert same(first, second)
    assert first.info["validation_losses"] != second.info["validation_losses"]


def test_a_learned_temperature_moves_and_a_fixed_one_does_not() -> None:
    """`learn_temperature` starts at `temperature`; the record holds where it ended."""
    features = make_features()
    assert train(features, JOINT, config()).info["temperature"] == pytest.approx(0.1, rel=1e-6)
    learned = train(features, JOINT, config(learn_temperature=True, learning_rate=0.01)).info["temperature"]
    assert abs(learned - 0.1) > 0.005


def test_both_views_of_the_text_take_part() -> None:
    """TEMPLATE and GEN: each view of an item moves the weights, and both go through one projection."""
    features = make_features()
    model = train(features, JOINT, config())
    assert list(model.projections) == ["text", "image", "cf"]
    for view in (0, 1):
        matrix = features[0].matrix.copy()
        matrix[view] = np.roll(matrix[view], 1, axis=0)
        mask = features[0].mask.copy()
        mask[view] = np.roll(mask[view], 1, axis=0)
        moved = [Features("text", features[0].views, matrix, mask), *features[1:]]
        assert not same(model, train(moved, JOINT, config()))


def test_chosen_pairs_leave_the_others_alone() -> None:
    """With `pairs` of text and cf only, the image projection stays as it was drawn."""
    features = make_features()
    drawn = train(features, JOINT, config(epochs=0))
    model = train(features, JOINT, config(pairs=[("text", "cf")]))

    def moved(name: str) -> bool:
        return not np.array_equal(model.projections[name].hidden_weight, drawn.projections[name].hidden_weight)

    assert [moved(name) for name in ("text", "image", "cf")] == [True, False, True]


def test_dropout_is_active_in_training_only() -> None:
    """Dropout changes what is learned; a model's projection is the same each time it is asked."""
    features = make_features()
    dropped = train(features, JOINT, config())
    assert not same(dropped, train(features, JointConfig(hidden=12, dim=6, dropout=0.0), config()))
    vectors = features[2].matrix[0]
    assert_array_equal(dropped.project("cf", vectors), dropped.project("cf", vectors))
    trainer = Trainer(features, JOINT, config(validation_items=0.5), 0)
    rows = trainer.torch.from_numpy(trainer.watched_rows)
    trainer.network.train()
    assert float(trainer.loss(rows).detach()) != float(trainer.loss(rows).detach())
    trainer.network.eval()
    assert float(trainer.loss(rows).detach()) == float(trainer.loss(rows).detach())


def test_the_learning_rate_follows_a_cosine() -> None:
    """`schedule = "cosine"`: from the full rate down along half a cosine."""
    trainer = Trainer(make_features(), JOINT, config(epochs=10, schedule="cosine", learning_rate=0.5), 0)
    for epoch in (0, 5, 9):
        trainer._set_learning_rate(epoch)
        expected = 0.25 * (1 + math.cos(math.pi * epoch / 10))
        assert trainer.optimizer.param_groups[0]["lr"] == pytest.approx(expected)


def test_weight_decay_makes_weights_smaller() -> None:
    """Decay pulls weights towards zero."""
    features = make_features()
    sizes = [
        sum(float(np.square(array).sum()) for array in weights(train(features, JOINT, config(weight_decay=decay))))
        for decay in (0.0, 10.0)
    ]
    assert sizes[1] < 0.95 * sizes[0]


def test_one_modality_is_its_own_space() -> None:
    """With one modality there is nothing to join: the vectors stay as they are."""
    features = make_features(views=1)[0]
    model = train([features], JOINT, config())
    assert model.projections == {"text": Identity(9)}
    assert_allclose(embed_items(model, [features]).vectors, features.matrix[0], atol=1e-6)


@pytest.mark.parametrize("n_both", [0, 1])
def test_too_few_items_to_join_are_refused(n_both: int) -> None:
    """Items must have two modalities to be joined; the error says how many do."""
    text, cf = np.zeros((1, 4), bool), np.zeros((1, 4), bool)
    text[0, :2] = True
    cf[0, 2 - n_both :] = True
    features = [
        Features(name, ("item",), np.ones((1, 4, 3), np.float32) * mask[..., None], mask)
        for name, mask in (("text", text), ("cf", cf))
    ]
    with pytest.raises(ConfigError, match=rf"only {n_both} items.*add items"):
        train(features, JOINT, config())


@pytest.mark.parametrize(("n_items", "share"), [(2, 0.5), (3, 0.1), (3, 0.9)])
def test_too_few_items_beside_the_watched_ones_are_refused(n_items: int, share: float) -> None:
    """A share of watched items that leaves fewer than two to train on is an error, not a loss of NaN."""
    features = [
        Features(name, ("item",), np.eye(n_items, dtype=np.float32)[None], np.ones((1, n_items), bool))
        for name in ("text", "cf")
    ]
    with pytest.raises(ConfigError, match=rf"validation_items = {share}.*{n_items} items"):
        train(features, JOINT, config(validation_items=share))


def test_few_watched_items_are_two_at_least() -> None:
    """A small share still watches two items, as the loss of one is always 0."""
    model = train(make_features(), JOINT, config(validation_items=0.001))
    assert all(0 < loss < 100 for loss in model.info["validation_losses"])


def test_a_training_that_diverges_is_refused() -> None:
    """A loss that is not finite ends with the settings to change, not with vectors of NaN."""
    features = make_features()
    features[2].matrix[0, features[2].mask[0]] = np.nan
    with pytest.raises(ConfigError, match=r"diverged.*learning_rate"):
        train(features, JOINT, config())
