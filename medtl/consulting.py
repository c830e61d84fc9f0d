"""The near end of the consultant: starts it when first asked, asks it, starts it again when it died. No torch.

Two processes: one stays warm and answers for finished runs; another is started for each file that may become a source
and ends with the answer, so that nobody who waits for a prediction waits for a file.
"""

import json
import subprocess
import sys
import threading
from typing import Any

from medtl.errors import MedtlError
from medtl.workspace import PROJECT, Workspace


class Consultant:
    """Answers about finished runs and about files from processes of its own. Safe to share between the threads of a
    server.

    The first answer takes some seconds (torch is loaded), later ones well under one; those about files minutes, at most
    (`sources.limits`).
    """

    def __init__(self, workspace: Workspace) -> None:
        self._runs = _Line(workspace, "consultant.log")
        self._files = _Line(workspace, "consultant-files.log")

    def warm(self, run_id: str | None = None) -> None:
        """Begin loading in the background; returns at once."""
        threading.Thread(target=self._quietly_warm, args=(run_id,), daemon=True).start()

    def predict(
        self,
        run_id: str,
        paths: list[str],
        explain: str | None = None,
        method: str = "gradcam",
        *,
        pool: str | None = None,
        looks: int = 0,
        log: bool = True,
        only: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """See `asking.answer.as_message` for the shape of each entry of "predictions", and `prediction.Wish` for what
        can be asked; "run" says what holds for all of them. `only`: {"file", "frame"} of an earlier answer. For a few
        images; many are asked about in a process of their own (`medtl.batches`)."""
        wish = {"explain": explain, "method": method, "pool": pool, "looks": looks, "log": log, "only": only}
        answer: dict[str, Any] = self._runs.ask(ask="predict", run=run_id, paths=paths, **wish)
        return answer

    def explain(
        self,
        run_id: str,
        case_id: str,
        label: str,
        method: str = "gradcam",
        layer: str = "",
        path: str = "",
        only: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """A `HeatMap` as a dict: of a stored case, or of the new image at `path` (`only`: as for `predict`)."""
        asked = {"run": run_id, "case": case_id, "label": label, "path": path, "only": only}
        answer: dict[str, Any] = self._runs.ask(ask="explain", **asked, method=method, layer=layer)
        return answer

    def explain_all(
        self,
        run_id: str,
        case_id: str = "",
        path: str = "",
        method: str = "gradcam",
        layer: str = "",
        only: dict[str, Any] | None = None,
    ) -> list[dict[str, Any]]:
        """A `HeatMap` for every class, in their order; one forward pass where the closed form holds."""
        asked = {"run": run_id, "case": case_id, "path": path, "only": only, "method": method, "layer": layer}
        answer: list[dict[str, Any]] = self._runs.ask(ask="explain-all", **asked)["maps"]
        return answer

    def check_map(
        self,
        run_id: str,
        label: str,
        case_id: str = "",
        path: str = "",
        method: str = "gradcam",
        layer: str = "",
        only: dict[str, Any] | None = None,
    ) -> list[dict[str, Any]]:
        """The badges of one map, each a `MapCheck` as a dict; takes some seconds. Empty where there is no map."""
        asked = {"run": run_id, "label": label, "case": case_id, "path": path, "only": only}
        answer: list[dict[str, Any]] = self._runs.ask(ask="check-map", **asked, method=method, layer=layer)["checks"]
        return answer

    def ways(self, run_id: str) -> dict[str, Any]:
        """ "ways": the methods as this network offers them (`explanation.explainer.Way`), "layers": their names."""
        answer: dict[str, Any] = self._runs.ask(ask="ways", run=run_id)
        return answer

    def similar(
        self, run_id: str, case_id: str = "", path: str = "", only: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """The nearest training cases, the prototype of each class, and the place on the plane of all: see
        `showing.similar`."""
        answer: dict[str, Any] = self._runs.ask(ask="similar", run=run_id, case=case_id, path=path, only=only)
        return answer

    def augment(self, cohort_id: str, kind: str, channels: int = 3) -> list[dict[str, Any]]:
        """What augmentation does to a few training pictures: see `augmenting.as_message`."""
        answer: list[dict[str, Any]] = self._runs.ask(ask="augment", cohort=cohort_id, kind=kind, channels=channels)[
            "examples"
        ]
        return answer

    def look_at_source(self, path: str, builder: str, stated: dict[str, Any] | None = None) -> str:
        """What was found in a file, and whether it fits; nothing is kept."""
        asked = {"ask": "look-at-source", "path": path, "builder": builder, "stated": stated}
        return str(self._files.ask_once(**asked)["report"])

    def add_source(self, path: str, builder: str, title: str, stated: dict[str, Any] | None = None) -> dict[str, str]:
        """{"id", "report"} of a file added as a source. `stated`: the fields of `sources.foreign.Stated`."""
        asked = {"ask": "add-source", "path": path, "builder": builder, "title": title, "stated": stated}
        answer: dict[str, str] = self._files.ask_once(**asked)
        return answer

    def close(self) -> None:
        self._runs.close()
        self._files.close()

    def _quietly_warm(self, run_id: str | None) -> None:
        try:
            self._runs.ask(ask="warm", run=run_id)
        except MedtlError:
            return  # whoever asks in earnest is told what is wrong


class _Line:
    """One process, one question at a time."""

    def __init__(self, workspace: Workspace, log: str) -> None:
        self.workspace = workspace
        self.process: subprocess.Popen[str] | None = None
        self._log = log
        self._lock = threading.Lock()
        self._asked = 0

    def ask(self, **question: Any) -> Any:
        with self._lock:
            return self._answer(question)

    def ask_once(self, **question: Any) -> Any:
        """The process ends with its answer: it takes memory, and the next question of its kind is far away."""
        with self._lock:
            try:
                return self._answer(question)
            finally:
                self._end()

    def close(self) -> None:
        with self._lock:
            self._end()

    def _answer(self, question: dict[str, Any]) -> Any:
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
        if self.process is None or self.process.poll() is not None:
            self.workspace.ensure()
            log = (self.workspace.home / self._log).open("w")
            self.process = subprocess.Popen(
                [sys.executable, "-m", "medtl.consultant", str(self.workspace.home)],
                cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
            log.close()
        return self.process

    def _end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
