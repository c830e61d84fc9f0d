"""`python -m medtl.warm HOME [QUIET]`: imports what a worker needs, once, and forks a worker for each run it is given.

Started by name (medtl.runs.launch), imported by nobody. Knows processes, not runs: the child lives the worker's normal
life. A process may only be forked while it has one thread and has touched neither torch's thread pools nor CUDA;
therefore this one imports and does nothing else, and looks before each fork.
"""

import contextlib
import ctypes
import gc
import logging
import os
import signal
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from medtl import worker
from medtl.runs import handover, locks
from medtl.runs.launch import LOG, NICENESS
from medtl.workspace import PROJECT, Workspace

log = logging.getLogger("medtl.warm")
IDLE = 15 * 60.0  # seconds without a run after which it ends
LOOK = 5.0  # seconds between two looks at whether it still has a reason to be
TICK = 0.5  # seconds between two looks for children that have ended
_PR_SET_NAME = 15  # prctl.h


def main(home: Path, quiet: float = 0.0) -> int:
    """Serve until there is no more reason to. `quiet`: begin to import once no run has computed for so long."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    workspace = Workspace(home)
    if not handover.possible() or not workspace.home.is_dir():
        return 0
    with locks.held(workspace.warm_lock) as mine:
        if mine:
            why = _Warm(workspace).live(quiet)
            log.info("ended: %s", why)
    return 0


class _Warm:
    """Waits for quiet, imports, opens its door, forks."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        # Before anything is imported: what changes meanwhile counts.
        self.fingerprint, self.code = handover.fingerprint(), handover.code()
        self.children: set[int] = set()
        self.needed = self.looked = time.monotonic()
        self.asked_to_end = False
        self.door: os.stat_result | None = None

    def live(self, quiet: float) -> str:
        """Returns why it ended."""
        since = time.monotonic()
        while time.monotonic() - since < quiet:
            if why := self.why_end():
                return why
            time.sleep(TICK)
            if locks.is_held(self.workspace.device_lock):
                since = self.needed = time.monotonic()
        with _one_thread_for_matrices():
            worker.import_everything()
        if (threads := _threads()) != 1:
            return f"{threads} threads after importing; it would not be safe to fork"
        gc.collect()
        gc.freeze()  # what is never collected is never copied
        with self._open_door() as server:
            log.info("ready")
            self.needed = time.monotonic()
            return self._serve(server)

    def why_end(self) -> str:
        """Empty while there is a reason to stay."""
        now = time.monotonic()
        if self.asked_to_end:
            return "asked to"
        if now - self.looked < LOOK:
            return ""
        self.looked = now
        if not self._at_home():
            return "its workspace is gone"
        if handover.code() != self.code:
            return "MedTL or its packages have changed"
        if handover.free_memory() < handover.LEAST_MEMORY:
            return "memory is short"
        if self.children or locks.is_held(self.workspace.device_lock):
            self.needed = now
        return "nobody needed it" if now - self.needed > IDLE else ""

    def _at_home(self) -> bool:
        """Whether workspace and door are still those it began with (a folder may be deleted and made anew)."""
        try:
            if self.door is None:
                return self.workspace.home.is_dir()
            return os.path.samestat(self.workspace.warm_socket.lstat(), self.door)
        except OSError:
            return False

    @contextlib.contextmanager
    def _open_door(self) -> Any:
        path = self.workspace.warm_socket
        path.unlink(missing_ok=True)  # of one that was killed: the lock says that it is no more
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
            before = os.umask(0o177)
            try:
                with handover.short_path(path) as address:
                    server.bind(address)
            finally:
                os.umask(before)
            self.door = path.lstat()
            server.listen(8)
            server.settimeout(TICK)
            try:
                yield server
            finally:
                if self._at_home():
                    path.unlink(missing_ok=True)

    def _serve(self, server: socket.socket) -> str:
        while not (why := self.why_end()):
            self._reap()
            try:
                connection, _ = server.accept()
            except TimeoutError:
                continue
            with connection:
                connection.settimeout(handover.PATIENCE)
                try:
                    handover.send(connection, self._answer(connection))
                except (OSError, ValueError, LookupError, TypeError) as error:  # who asked is gone, or talks nonsense
                    log.info("a question was not answered (%s)", error)
        return why

    def _reap(self) -> None:
        """Ask for the exit status of children that have ended, or they stay in the process table."""
        for pid in tuple(self.children):
            if os.waitpid(pid, os.WNOHANG)[0]:
                self.children.discard(pid)
                self.needed = time.monotonic()

    def _answer(self, connection: socket.socket) -> dict[str, Any]:
        if _user_of(connection) != os.getuid():
            return {"refused": "another user"}
        asked = handover.receive(connection)
        if asked.get("end"):
            self.asked_to_end = True
            return {"ended": True}
        folder = Path(str(asked["folder"]))
        environment = {str(name): str(value) for name, value in dict(asked["environment"]).items()}
        if folder.parent != self.workspace.runs or not folder.is_dir():
            return {"refused": "not a run of this workspace"}
        if asked["fingerprint"] != self.fingerprint:
            self.looked = -LOOK  # if the change is on disk and not with who asks, the next look finds it
            return {"refused": "not the same code, packages or settings"}
        if (threads := _threads()) != 1:
            self.asked_to_end = True
            return {"refused": f"{threads} threads"}
        # Opened here, so that what is wrong with it is an answer.
        output = os.open(folder / LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        sys.stdout.flush()  # or it is said twice
        if not (pid := os.fork()):
            _become_worker(folder, output, environment)
        os.close(output)
        self.children.add(pid)
        log.info("%s is carried out by process %d", folder.name, pid)
        return {"pid": pid}


def _become_worker(folder: Path, output: int, environment: dict[str, str]) -> NoReturn:
    """In the child: everything as `launch` would have started it, then the worker's life, then the end.

    It leaves by `_exit`, since what the parent wanted done at its own end is not for the child to do.
    """
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        os.closerange(3, 4096)  # the door and the lock of the parent, which would otherwise seem to live on here
        os.environ.clear()
        os.environ.update(environment)
        os.setpriority(os.PRIO_PROCESS, 0, max(NICENESS, os.nice(0)))
        ctypes.CDLL(None).prctl(_PR_SET_NAME, b"medtl-worker", 0, 0, 0)
        sys.argv = ["medtl.worker", str(folder)]
        _all_threads_for_matrices()
        code = worker.main(folder)
    except BaseException:  # the last resort: nobody above this frame may go on in the child
        log.exception("the worker ended")
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


# ---- what must not have happened before a fork -----------------------------------------------------------------------


def _threads() -> int:
    return sum(1 for _ in Path("/proc/self/task").iterdir())


@contextlib.contextmanager
def _one_thread_for_matrices() -> Any:
    """numpy's and scipy's OpenBLAS starts its threads when it is loaded, unless it is told that one is enough."""
    before = os.environ.get(_BLAS)
    os.environ[_BLAS] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_BLAS]
        else:
            os.environ[_BLAS] = before


def _all_threads_for_matrices() -> None:
    """As many as it would have taken by itself, so that a forked worker computes what a fresh one does, bit for bit."""
    import threadpoolctl

    from medtl.training.machine import cores

    said = [os.environ.get(name, "") for name in (_BLAS, "GOTO_NUM_THREADS", "OMP_NUM_THREADS")]
    wanted = next(filter(None, said), "")
    number = int(wanted) if wanted.isdigit() and int(wanted) else cores()
    for library in threadpoolctl.ThreadpoolController().select(internal_api="openblas").lib_controllers:
        library.set_num_threads(number)


_BLAS = "OPENBLAS_NUM_THREADS"


def _user_of(connection: socket.socket) -> int:
    said = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", said)[1])


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: python -m medtl.warm HOME [SECONDS OF QUIET BEFORE IT IMPORTS]")
    os.chdir(PROJECT)
    ended = main(Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) == 3 else 0.0)
    os._exit(ended)  # nothing is left to tidy, and libraries complain that what is never collected was not
