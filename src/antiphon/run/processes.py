"""The processes that `torchrun` starts: the first builds, the others take part in its trainings."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from antiphon.base import runtime
from antiphon.errors import AntiphonError, RunError

PATIENCE = timedelta(days=7)
"""How long the others wait while the first reads and encodes."""


@contextmanager
def processes() -> Iterator[bool]:
    """Joins the processes that torchrun started with this one; gives whether this is the one that builds.

    In the others, the block begins when the build has ended. Without torchrun there are no others; with it, the process
    ends with the block. What is sent between processes goes through GPUs (nccl) where they compute, else by gloo.

    Raises:
        RunError: in one of the others: the process that builds is gone.
        ConfigError: there are more processes on this machine than GPUs.
    """
    if not runtime.is_one_of_several():
        yield True
        return
    distributed = _joined()
    from antiphon.joint.together import Crew
    from antiphon.joint.train import follow

    crew = Crew.here()
    if crew.leads:
        yield True
        crew.told(None)  # not where the block failed: torchrun ends the others when this process ends
    else:
        try:
            follow(crew)
        except (AntiphonError, RuntimeError) as error:
            raise RunError(
                f"process {crew.number + 1} of {crew.count} stops, as the training cannot go on; the first process, "
                f"which builds, says why ({type(error).__name__})."
            ) from error
        yield False
    distributed.destroy_process_group()
    # All is done and written. Torch's threads may abort a process that ends in the usual way after gloo was used (seen
    # in one of eight ends), and torchrun would call that a failure.
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)


def _joined() -> Any:
    """torch.distributed, with this process in its crew."""
    device = runtime.device()
    distributed = runtime.torch().distributed
    on_gpu = device.startswith("cuda")
    if on_gpu:
        runtime.torch().cuda.set_device(device)
    # What is said, not computed, is sent from memory to memory: hence gloo beside nccl.
    distributed.init_process_group("cpu:gloo,cuda:nccl" if on_gpu else "gloo", timeout=PATIENCE)
    return distributed
