"""The warm process: a run it forks is the run that would have been started, and it is never left over.

Made once for the module, on a workspace of its own; every run is compared with one that was started the long way.
"""

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medtl import start
from medtl.runs import handover, launch, locks, status, store
from medtl.workspace import Workspace
from tests.builders import add_cohort, add_source, estimates, python, told, work
from tests.builders import wait_until as within

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every run is started the long way")
LONG = 600.0  # seconds; forked workers are nice, and a busy computer lets them wait
ENDLESS = {"epochs": 100, "batch": 12, "patience": 100}


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    place = tmp_path_factory.mktemp("a-name-so-long-that-no-address-of-a-socket-could-hold-it" + "-" * 60)
    ws = Workspace(place / "home").ensure()
    add_cohort(ws, place / "pictures")
    add_source(ws, place / "source")
    return ws


@pytest.fixture(scope="module")
def warm(ws: Workspace) -> Iterator[int]:
    """The process id of a warm process of `ws`; it ends with the module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(handover.SWITCH, "on")
        launch.warm_up(ws)
        wait_until(ws.warm_socket.exists)
        yield holder(ws)
        launch.cool_down(ws)
    wait_until(lambda: not handover.is_up(ws), 60)
    assert not ws.warm_socket.exists()


@pytest.fixture(autouse=True)
def switched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(handover.SWITCH, "on")


def wait_until(true: Callable[[], bool], seconds: float = LONG) -> float:
    return within(true, seconds)


def holder(ws: Workspace) -> int:
    """Who holds the lock of the warm process."""
    for place in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if place.readlink() == ws.warm_lock:
                return int(place.parts[2])
        except OSError:
            continue
    raise AssertionError("nobody holds it")


def make_run(ws: Workspace, strategy: str = "linear-probe", **settings: object) -> Path:
    from medtl.cohorts import library

    cohort = library.cohorts(ws)[0].id
    return ws.run(start.start(ws, cohort, "tiny-source", strategy, settings=settings, launch=False))


def weights(folder: Path) -> str:
    return hashlib.sha256((folder / "result" / "weights.safetensors").read_bytes()).hexdigest()


def spoken(folder: Path) -> list[str]:
    """What it told, but for what is told at a pace."""
    return [name for name in told(folder) if name not in ("phase", "step")]


def ended(folder: Path) -> bool:
    return status.status(folder) in status.TERMINAL and not status.alive(folder)


# ---- what must not have happened before a fork ----------------------------------------------------------------------


def test_it_has_one_thread_and_has_not_touched_the_gpu(warm: int, ws: Workspace) -> None:
    assert len(list(Path(f"/proc/{warm}/task").iterdir())) == 1
    maps = Path(f"/proc/{warm}/maps").read_text()
    assert "libtorch" in maps and "sklearn" in maps
    assert "libcuda.so" not in maps  # the driver's library, which is opened by the first question about a GPU
    assert not any("nvidia" in str(file.readlink()) for file in Path(f"/proc/{warm}/fd").iterdir())
    assert ws.warm_socket.stat().st_mode & 0o777 == 0o600


def test_importing_asks_nothing_of_the_gpu_and_nothing_of_torch() -> None:
    code = (
        "import torch\n"
        "def never(*_, **__): raise AssertionError('CUDA was asked')\n"
        "torch.cuda.is_available = torch.cuda.device_count = torch._C._cuda_init = never\n"
        "torch._C._cuda_getDeviceCount = torch.set_num_threads = never\n"
        "from medtl import worker\n"
        "worker.import_everything()\n"
    )
    answer = python(code, LONG)
    assert answer.returncode == 0, answer.stderr[-2000:]


def test_a_run_imports_nothing_heavy_that_was_not_imported_before(ws: Workspace) -> None:
    folder = make_run(ws, "fine-tune", epochs=1)
    code = (
        "import sys, pathlib\n"
        "from medtl import worker\n"
        "worker.import_everything()\n"
        "before = set(sys.modules)\n"
        f"assert worker.main(pathlib.Path({str(folder)!r})) == 0\n"
        "heavy = ('medtl', 'torch', 'sklearn', 'scipy', 'pandas')\n"
        "late = {name for name in set(sys.modules) - before if name.startswith(heavy)}\n"
        "assert not late, f'add to worker._NEEDED: {sorted(late)}'\n"
    )
    answer = python(code, LONG)
    assert answer.returncode == 0, answer.stderr[-2000:]


# ---- a forked run is the run that would have been started -----------------------------------------------------------


def test_a_forked_run_learns_the_same_and_starts_at_once(warm: int, ws: Workspace) -> None:
    settings = {"epochs": 2, "batch": 12, "rate": 3e-4, "freeze": 3}
    started, forked = make_run(ws, "freeze-first", **settings), make_run(ws, "freeze-first", **settings)
    assert work(started, LONG) == 0
    pid = launch.launch(forked)
    wait_until(lambda: status.alive(forked))
    assert os.getsid(pid) == pid and os.getpriority(os.PRIO_PROCESS, pid) == max(launch.NICENESS, os.nice(0))
    wait_until(lambda: ended(forked))
    assert spoken(forked) == spoken(started) and weights(forked) == weights(started)
    one, other = estimates(forked), estimates(started)
    assert one["estimates"] == other["estimates"]
    assert one["seconds"]["start"] < 0.25 * other["seconds"]["start"]
    # Of its own life: what the warm process once took does not count, what it shares does, as in any process.
    assert 0.4 < one["peak_memory_mb"] / other["peak_memory_mb"] < 1.2
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), 60)
    assert holder(ws) == warm


def test_killed_it_reads_interrupted_and_is_resumed(warm: int, ws: Workspace) -> None:
    folder = make_run(ws, "fine-tune", **ENDLESS)
    pid = launch.launch(folder)
    wait_until(lambda: told(folder).count("epoch") >= 1)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: status.status(folder) == "interrupted", 60)
    assert Path(f"/proc/{warm}").exists()
    start.resume(ws, folder.name)
    wait_until(lambda: told(folder).count("started") == 2)
    store.request_stop(folder)
    wait_until(lambda: ended(folder))
    assert status.status(folder) == "stopped" and (folder / "result").is_dir()
    numbers = [point.epoch for point in status.progress(folder).history]
    assert numbers == sorted(set(numbers))


def test_they_take_turns(warm: int, ws: Workspace) -> None:
    first, second = make_run(ws, "fine-tune", **ENDLESS), make_run(ws)
    launch.launch(first)
    wait_until(lambda: "started" in told(first))
    launch.launch(second)
    wait_until(lambda: "waiting" in told(second))
    store.request_stop(first)
    wait_until(lambda: ended(first) and ended(second))
    assert status.status(second) == "finished"


def test_a_run_outlives_the_warm_process(ws: Workspace, tmp_path: Path) -> None:
    """And the lock of a warm process that was killed is free at once, although a child of it still runs."""
    other = Workspace(tmp_path / "home").ensure()
    add_cohort(other, tmp_path / "pictures")
    add_source(other, tmp_path / "source")
    launch.warm_up(other)
    wait_until(other.warm_socket.exists)
    folder = make_run(other, "fine-tune", **ENDLESS)
    launch.launch(folder)
    wait_until(lambda: "started" in told(folder))
    os.kill(holder(other), signal.SIGKILL)
    wait_until(lambda: not handover.is_up(other), 60)
    assert status.alive(folder)
    store.request_stop(folder)
    wait_until(lambda: ended(folder))
    assert "stopped" in told(folder)


# ---- when it is not used --------------------------------------------------------------------------------------------


def test_other_settings_other_folders_and_a_switch_are_refused(
    warm: int, ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_run(ws)
    elsewhere = tmp_path / "runs" / "r-1"
    elsewhere.mkdir(parents=True)
    assert handover.give(ws, elsewhere) is None
    asked = handover._ask(ws, {"folder": str(elsewhere), "fingerprint": handover.fingerprint(), "environment": {}})
    assert asked == {"refused": "not a run of this workspace"}
    with monkeypatch.context() as other:
        other.setenv("OMP_NUM_THREADS", "7")
        assert handover.give(ws, folder) is None
    monkeypatch.setenv(handover.SWITCH, "off")
    assert handover.give(ws, folder) is None
    assert told(folder) == ["queued"] and Path(f"/proc/{warm}").exists()
    store.delete(ws, folder.name)


def test_words_out_of_turn_do_not_end_it(warm: int, ws: Workspace) -> None:
    import socket

    for said in (b"", b"\n", b"[]\n", b"{}\n", b'{"folder": 3}\n', b"\xff\n"):
        with socket.socket(socket.AF_UNIX) as stranger, handover.short_path(ws.warm_socket) as address:
            stranger.connect(address)
            stranger.sendall(said)
    assert handover._ask(ws, {"folder": "", "fingerprint": "", "environment": {}}) is not None
    assert Path(f"/proc/{warm}").exists()


def test_switched_off_none_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(handover.SWITCH, "off")
    launch.warm_up(Workspace(tmp_path / "home"))
    assert not (tmp_path / "home").exists()


def test_a_second_one_gives_way(warm: int, ws: Workspace) -> None:
    assert subprocess.run([sys.executable, "-m", "medtl.warm", str(ws.home)], timeout=LONG).returncode == 0
    assert holder(ws) == warm


# ---- when it ends ---------------------------------------------------------------------------------------------------


def test_it_ends_when_its_workspace_is_gone_even_before_it_has_imported(tmp_path: Path) -> None:
    import shutil

    ws = Workspace(tmp_path / "home").ensure()
    launch.warm_up(ws, quiet=1000.0)
    wait_until(lambda: handover.is_up(ws))
    pid = holder(ws)
    shutil.rmtree(ws.home)
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), 60)


def test_it_knows_why_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import sys, pathlib\n"
        "from medtl import warm\n"
        "from medtl.runs import handover, locks\n"
        "from medtl.workspace import Workspace\n"
        f"ws = Workspace(pathlib.Path({str(tmp_path / 'home')!r})).ensure()\n"
        "def why(idle=0.0, code=None, memory=100.0):\n"
        "    process = warm._Warm(ws)\n"
        "    process.looked -= 2 * warm.LOOK\n"
        "    process.needed -= idle\n"
        "    handover.code = (lambda: code) if code else kept\n"
        "    handover.free_memory = lambda: memory\n"
        "    said = process.why_end()\n"
        "    handover.code = kept\n"
        "    return said\n"
        "kept = handover.code\n"
        "assert why() == '', why()\n"
        "assert 'changed' in why(code='other')\n"
        "assert 'memory' in why(memory=0.3)\n"
        "assert 'nobody' in why(idle=2 * warm.IDLE)\n"
        "with locks.held(ws.device_lock):\n"
        "    assert why(idle=2 * warm.IDLE) == ''\n"
    )
    answer = python(code, LONG, MEDTL_WARM="on")
    assert answer.returncode == 0, answer.stderr[-2000:]


def test_the_code_of_another_day_is_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "medtl").mkdir()
    file = tmp_path / "medtl" / "a.py"
    file.write_text("one")
    monkeypatch.setattr(handover, "PROJECT", tmp_path)
    before = handover.code()
    assert handover.code() == before
    file.write_text("other")
    assert handover.code() != before


def test_locks_are_free_again(ws: Workspace, warm: int) -> None:
    assert not locks.is_held(ws.device_lock)
    assert not any(status.alive(ws.run(run.id)) for run in store.runs(ws))
