"""Trying out how fast a source's network runs on this computer, so that time can be told before a run starts.

`begin` starts that as a process of its own and returns at once; `run` does it. What is found goes into the workspace's
speed file, where `training.cost` finds it. It is never done twice at once, nor while a run computes: it would slow the
run, and be wrong.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from medtl.errors import MedtlError, NotReady
from medtl.runs import launch, locks
from medtl.sources import library
from medtl.training import cost
from medtl.vocabulary import Source
from medtl.workspace import PROJECT, Workspace


@dataclass(frozen=True)
class Calibrated:
    """Pictures a second at the size of this source; None where `says` tells why not."""

    source: str
    forward: float | None = None
    training: float | None = None
    says: str = ""


def wanted(ws: Workspace, source: Source) -> bool:
    """Whether the time with this source would be a guess, and could be better."""
    known = cost.speed_of(ws, source)
    return source.available and source.outline.gflop > 0 and "guess" in (known.forward_basis, known.training_basis)


def begin(ws: Workspace, source_id: str) -> bool:
    """Start in the background, at low priority; returns at once, whether it was started. It isn't where nothing is to
    be found out, where another is under way, or while a run computes."""
    source = next((one for one in library.sources(ws) if one.id == source_id), None)
    if source is None or not wanted(ws, source) or _busy(ws) or locks.is_held(ws.calibration_lock):
        return False
    command = [sys.executable, "-m", "medtl", "--json", "--home", str(ws.home), "calibrate", "--source", source_id]
    try:
        process = subprocess.Popen(
            command, cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
    except OSError:
        return False  # a guess stays a guess
    threading.Thread(target=process.wait, name="reap-calibration", daemon=True).start()
    return True


def run(ws: Workspace, source_ids: Sequence[str] = ()) -> tuple[Calibrated, ...]:
    """Of these sources, or of all on this computer of which the pace is a guess. Imports torch."""
    known = library.sources(ws)
    chosen = [known[id] for id in source_ids] or [one for one in known if one.on_disk and wanted(ws, one)]
    ws.ensure()
    with locks.held(ws.calibration_lock, patience=0.2) as alone:
        if not alone:
            raise NotReady("Another calibration is under way.", "Wait some seconds, then try again.")
        if _busy(ws):
            raise NotReady("A run computes at the moment.", "Calibrate when it has ended.")
        _step_back()
        return tuple(_one(ws, source) for source in chosen)


def _one(ws: Workspace, source: Source) -> Calibrated:
    from medtl.training.machine import share_the_cores

    share_the_cores()
    from medtl.sources.architectures import build_for
    from medtl.sources.weights import load_network
    from medtl.training import calibration, device

    if not source.available or not source.outline.gflop:
        return Calibrated(source.id, says=source.why_not or "The work this network takes is not known.")

    def stop() -> bool:
        return _busy(ws)

    device.prepare_process()
    where = device.choose()
    try:
        # Weights matter little for the pace; what is not here is not fetched for it.
        network = load_network(source, ws.weights, 2) if source.on_disk else build_for(source, 2)
        looked = calibration.forward(network, source.input, where, stop)
        trained = calibration.training(network, source.input, where, stop)
    except calibration.Interrupted:
        return Calibrated(source.id, says="A run began; the time with this source stays a guess.")
    except MedtlError as error:
        return Calibrated(source.id, says=str(error))
    gflop = source.outline.gflop
    cost.remember(ws, source, looked.pictures * gflop, looked.seconds, "forward", "calibrated")
    cost.remember(ws, source, 3 * trained.pictures * gflop, trained.seconds, "training", "calibrated")
    forward, training = looked.pictures / looked.seconds, trained.pictures / trained.seconds
    says = f"{forward:.0f} images a second looked at, {training:.0f} trained on."
    return Calibrated(source.id, round(forward, 2), round(training, 2), says)


def _busy(ws: Workspace) -> bool:
    return locks.is_held(ws.device_lock)


def _step_back() -> None:
    """As nice as a run is, and no nicer: the pace would not be that of a run."""
    if sys.platform != "win32":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, max(launch.NICENESS, os.nice(0)))
