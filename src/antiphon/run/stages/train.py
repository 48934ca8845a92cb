"""The stage `train`: the joint model."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from antiphon.config.sections import Config
from antiphon.joint.train import train
from antiphon.run.outputs import Change, changed, features_of
from antiphon.run.stage import Job, Stage
from antiphon.run.stages.synthetic import NAME as SYNTHETIC
from antiphon.run.stages.synthetic import identity_of, queries_of


def stage(config: Config, *, seed: int | None = None, changes: Sequence[tuple[str, Change]] = ()) -> Stage:
    """`seed`: that of the run where not given. `changes`: names and functions, made to the features that it sees."""
    seed = config.seed if seed is None else seed

    def work(job: Job, fingerprint: str) -> None:
        # A folder per fingerprint: a checkpoint of other data or settings is never gone on from.
        folder = job.layout.model
        checkpoint = folder / f"checkpoint-{fingerprint[:12]}"
        for old in folder.glob("checkpoint-*"):
            if old != checkpoint:
                shutil.rmtree(old)
        model = train(
            changed(features_of(job), changes),
            config.joint,
            config.train,
            seed=seed,
            queries=queries_of(job),
            checkpoint=checkpoint,
            progress=job.progress,
        )
        model.save(folder)
        shutil.rmtree(checkpoint, ignore_errors=True)

    settings = [config.joint.model_dump(mode="json"), config.train.model_dump(mode="json", exclude={"requests"}), seed]
    return Stage(
        "train",
        work,
        lambda job: [job.layout.model / "model.safetensors", job.layout.model / "model.json"],
        inputs=[*(f"features.{item.name}" for item in config.modalities), SYNTHETIC],
        options=lambda job: [settings, [name for name, _ in changes], identity_of(job)],
    )
