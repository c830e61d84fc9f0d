"""The near end of the consultant: starts it when first asked, asks it, starts it again when it died. No torch."""

import json
import subprocess
import sys
import threading
from typing import Any

from medtl.errors import MedtlError
from medtl.workspace import PROJECT, Workspace


class Consultant:
    """Answers about finished runs from a process of its own. Safe to share between the threads of a server.

    The first answer takes some seconds (torch is loaded), later ones well under one.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._asked = 0

    def warm(self, run_id: str | None = None) -> None:
        """Begin loading in the background; returns at once."""
        threading.Thread(target=self._quietly_warm, args=(run_id,), daemon=True).start()

    def predict(self, run_id: str, paths: list[str], explain: str | None = None) -> dict[str, Any]:
        """See `prediction.as_message` for the shape of each entry of "predictions"."""
        answer: dict[str, Any] = self._ask(ask="predict", run=run_id, paths=paths, explain=explain)
        return answer

    def explain(self, run_id: str, case_id: str, label: str) -> dict[str, Any]:
        """A `HeatMap` as a dict."""
        answer: dict[str, Any] = self._ask(ask="explain", run=run_id, case=case_id, label=label)
        return answer

    def look_at_source(self, path: str, builder: str, stated: dict[str, Any] | None = None) -> str:
        """What was found in a file, and whether it fits; nothing is kept."""
        return str(self._ask(ask="look-at-source", path=path, builder=builder, stated=stated)["report"])

    def add_source(self, path: str, builder: str, title: str, stated: dict[str, Any] | None = None) -> dict[str, str]:
        """{"id", "report"} of a file added as a source. `stated`: the fields of `sources.foreign.Stated`."""
        answer: dict[str, str] = self._ask(ask="add-source", path=path, builder=builder, title=title, stated=stated)
        return answer

    def close(self) -> None:
        with self._lock:
            self._end()

    def _quietly_warm(self, run_id: str | None) -> None:
        try:
            self._ask(ask="warm", run=run_id)
        except MedtlError:
            return  # whoever asks in earnest is told what is wrong

    def _ask(self, **question: Any) -> Any:
        with self._lock:
            said: dict[str, Any] = {}
            for attempt in (1, 2):
                process = self._alive()
                self._asked += 1
                try:
                    assert process.stdin and process.stdout
                    process.stdin.write(json.dumps({"id": self._asked, **question}) + "\n")
                    process.stdin.flush()
                    line = process.stdout.readline()
                    said = json.loads(line) if line else {}
                except (OSError, ValueError):
                    said = {}
                if said.get("id") == self._asked:
                    break
                self._end()  # it died, or speaks out of turn: a fresh one is asked once more
                if attempt == 2:
                    raise MedtlError(
                        "The process that answers questions about models ended twice.",
                        "There may be too little memory: close other programs and try again.",
                    )
        if "error" in said:
            raise MedtlError(said["error"], said.get("advice", ""))
        return said["answer"]

    def _alive(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            self.workspace.ensure()
            log = (self.workspace.home / "consultant.log").open("w")
            self._process = subprocess.Popen(
                [sys.executable, "-m", "medtl.consultant", str(self.workspace.home)],
                cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
            log.close()
        return self._process

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
