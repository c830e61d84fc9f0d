"""Where fetched files go: a folder of their own, under numbers, as they came, unopened. An import opens them later."""

import re
from pathlib import Path

from medtl.cohorts import limits
from medtl.errors import BadInput
from medtl.workspace import write_whole

UID = re.compile(r"(?=.{1,64}\Z)[0-9]+(\.[0-9]+)+")  # zeros in front, which the standard forbids, are common enough
LABEL = re.compile(r"[^\W_](?:[\w \-]{0,98}[\w\-])?")


class Folder:
    """Counts and limits what arrives. `place` is the folder of the label, or the folder itself without one."""

    def __init__(self, out: Path, label: str = "") -> None:
        if label and not LABEL.fullmatch(label):
            raise BadInput(
                "The label cannot be the name of a folder.", "Use letters, digits, blanks and hyphens, 100 at most."
            )
        self.place = out / label if label else out
        self.count = 0
        self.bytes = 0
        self._study = 0

    def next_study(self) -> None:
        """Files of another study go to a folder of their own, behind those of earlier fetches."""
        self._study += 1
        while (self.place / f"study-{self._study:04}").exists():
            self._study += 1

    def keep(self, data: bytes) -> None:
        """Raises BadInput at the limits of what a cohort may be."""
        if len(data) > limits.FILE_BYTES:
            raise BadInput("A file is larger than is read.", "Leave that study out.")
        if self.count >= limits.FILES or self.bytes + len(data) > limits.UNPACKED_BYTES:
            raise BadInput("There is more than a cohort may hold; the rest was not fetched.", "Fetch fewer studies.")
        study = self.place / f"study-{max(1, self._study):04}"
        study.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.count += 1
        self.bytes += len(data)
        write_whole(study / f"{self.count:06}.dcm", data)


def check_uid(uid: str) -> str:
    """Raises BadInput for what is no UID: it goes into a request."""
    if not UID.fullmatch(uid):
        raise BadInput("A study is not named by a UID.", "Take it from what `pacs find` printed.")
    return uid
