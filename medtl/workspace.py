"""Where everything lies on disk. Every path is one property or method; nobody else joins path strings."""

import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from medtl.errors import NotFound

PROJECT = Path(__file__).resolve().parent.parent
SHIPPED_SOURCES = PROJECT / "models"


class Workspace:
    """The user's folder: cohorts, runs, imported sources, fetched weights and caches.

    `home` is `--home`, else `MEDTL_HOME`, else `~/.medtl`. Made on first use, readable by its owner only.
    """

    def __init__(self, home: str | Path | None = None) -> None:
        self.home = Path(home or os.environ.get("MEDTL_HOME") or Path.home() / ".medtl").expanduser().resolve()

    def ensure(self) -> "Workspace":
        """Make the folders. Raises MedtlError with one sentence when the place cannot be written."""
        from medtl.errors import MedtlError

        try:
            for folder in (self.cohorts, self.runs, self.sources, self.weights, self.features, self.spool):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.TemporaryFile(dir=self.home):
                pass
        except OSError as error:
            raise MedtlError(
                f"The folder {self.home} cannot be written ({error.strerror or error}).",
                "Make it writable, or choose another with --home DIR or the environment variable MEDTL_HOME.",
            ) from error
        return self

    @property
    def cohorts(self) -> Path:
        return self.home / "cohorts"

    @property
    def runs(self) -> Path:
        return self.home / "runs"

    @property
    def sources(self) -> Path:
        return self.home / "sources"

    @property
    def weights(self) -> Path:
        """Files torchvision publishes, fetched on first use (or put here by hand)."""
        return self.home / "weights"

    @property
    def features(self) -> Path:
        """The feature cache: may be deleted at any time, is made anew when needed."""
        return self.home / "features"

    @property
    def spool(self) -> Path:
        """Uploads on their way into a cohort."""
        return self.home / "spool"

    @property
    def keys(self) -> Path:
        """Tables of what became which code, where the user wished to keep them: apart from the cohorts."""
        return self.home / "keys"

    @property
    def audit_file(self) -> Path:
        """What was deleted, sent and fetched, and when, by id and count; never a name."""
        return self.home / "audit.jsonl"

    def audit(self, what: str, **facts: Any) -> None:
        """One line, written at once. `facts` are ids, counts and addresses: nothing that names a person."""
        line = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "what": what, **facts}
        handle = os.open(self.audit_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(handle, json.dumps(line).encode() + b"\n")
        finally:
            os.close(handle)

    @property
    def pacs_file(self) -> Path:
        """Which PACS the user named, if any; for the owner's eyes only."""
        return self.home / "pacs.json"

    @property
    def readings(self) -> Path:
        """What readers said of the cases, apart from the cohorts: an edit makes a new version, a reading goes on."""
        return self.home / "readings"

    @property
    def published(self) -> Path:
        """Published data sets, fetched by name (or put here by hand)."""
        return self.home / "published"

    @property
    def speed_file(self) -> Path:
        """How fast this computer was so far, per builder; the basis of every time estimate."""
        return self.home / "speed.json"

    @property
    def estimates_file(self) -> Path:
        """What was told of the length of runs, and what they took."""
        return self.home / "estimates.jsonl"

    @property
    def calibration_lock(self) -> Path:
        """Held by who tries out how fast this computer is."""
        return self.home / "calibration.lock"

    @property
    def device_lock(self) -> Path:
        """Held by the one run that computes."""
        return self.home / "device.lock"

    @property
    def warm_lock(self) -> Path:
        """Held by the process that has everything imported for the next run."""
        return self.home / "warm.lock"

    @property
    def warm_socket(self) -> Path:
        """Where that process takes runs."""
        return self.home / "warm.socket"

    @property
    def warm_log(self) -> Path:
        return self.home / "warm.log"

    @property
    def salt_file(self) -> Path:
        """Secret of this workspace with which patient ids of DICOM files are turned into codes."""
        return self.home / "salt"

    def salt(self) -> bytes:
        if not self.salt_file.exists():
            self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
            aside = self.home / f".salt-{secrets.token_hex(4)}"
            write_whole(aside, secrets.token_bytes(32))
            aside.chmod(0o600)
            with suppress(FileExistsError):  # whoever comes first decides; a second one takes what is there
                os.link(aside, self.salt_file)
            aside.unlink()
        return self.salt_file.read_bytes()

    def cohort(self, id: str) -> Path:
        return self._folder(self.cohorts, id, "cohort")

    def run(self, id: str) -> Path:
        return self._folder(self.runs, id, "run")

    def source(self, id: str) -> Path:
        return self._folder(self.sources, id, "source")

    def size(self) -> int:
        """Bytes on disk, links counted once."""
        seen: set[tuple[int, int]] = set()
        total = 0
        for file in self.home.rglob("*"):
            try:
                stat = file.lstat()
            except FileNotFoundError:
                continue
            if file.is_file() and (stat.st_dev, stat.st_ino) not in seen:
                seen.add((stat.st_dev, stat.st_ino))
                total += stat.st_size
        return total

    def free(self) -> int:
        """Free bytes on the disk that holds the workspace."""
        place = self.home
        while not place.exists():
            place = place.parent
        return shutil.disk_usage(place).free

    @staticmethod
    def _folder(parent: Path, id: str, kind: str) -> Path:
        # The same text for a hostile id, an unknown id and somebody else's id.
        if not id or not all(c.isascii() and (c.isalnum() or c in "-_") for c in id):
            raise NotFound(f"There is no such {kind}.", "Pick one from the Library.")
        return parent / id


def write_whole(path: Path, content: bytes | str) -> None:
    """Write beside, flush to the disk, then rename: a reader sees the old file or the new one, never half of one."""
    data = content.encode() if isinstance(content, str) else content
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder that appears complete or not at all: filled as `<name>.part-…`, renamed when the block ends well."""
    part = path.with_name(f".{path.name}.part-{secrets.token_hex(4)}")
    part.mkdir(parents=True, mode=0o700)
    try:
        yield part
        os.replace(part, path)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
