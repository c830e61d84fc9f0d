"""`python -m medtl.consultant HOME`: a warm process that answers questions about runs and pictures, one JSON line each.

It exists so that the web server never loads torch. Started by `medtl.consulting`, imported by nobody. It ends when its
standard input closes, so it cannot outlive the server.
"""

import json
import sys
import traceback
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medtl.errors import MedtlError
from medtl.vocabulary import to_dict
from medtl.workspace import Workspace

if TYPE_CHECKING:
    from medtl.prediction import Trained
    from medtl.sources.foreign import Stated

KEPT = 3  # runs kept in memory


class Desk:
    """Answers; keeps the runs it was asked about last."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._trained: OrderedDict[str, Trained] = OrderedDict()

    def answer(self, question: dict[str, Any]) -> Any:
        asked = question["ask"]
        if asked == "warm":
            if question.get("run"):
                trained = self._run(question["run"])
                trained.warm()
                trained.explainer.layers  # noqa: B018 - making it is what warming means
            return None
        if asked == "predict":
            from medtl.prediction import as_message

            trained = self._run(question["run"])
            answers = trained.predict(
                [Path(p) for p in question["paths"]],
                question.get("explain"),
                question.get("method") or "gradcam",
                pool=question.get("pool"),
                looks=int(question.get("looks") or 0),
                log=bool(question.get("log", True)),
                only=_only(question),
            )
            said = [as_message(answer, self.workspace.spool) for answer in answers]
            return {"predictions": said, "run": trained.describe()}
        if asked in ("explain", "explain-all", "check-map", "ways", "similar"):
            return self._looked(asked, question)
        if asked == "augment":
            from medtl import augmenting

            shown = augmenting.examples(
                self.workspace, question["cohort"], question["kind"], int(question.get("channels", 3))
            )
            return {"examples": augmenting.as_message(shown, self.workspace.spool)}
        if asked in ("look-at-source", "add-source"):
            from medtl.sources import importing

            path, stated = Path(question["path"]), _stated(question.get("stated") or {})
            if asked == "look-at-source":
                return {"report": importing.look(path, question["builder"], stated).describe()}
            source, found = importing.add_file(
                self.workspace, path, question["builder"], question["title"], stated=stated
            )
            return {"id": source.id, "report": found.describe()}
        raise MedtlError(f"The question '{asked}' is not known.")

    def _looked(self, asked: str, question: dict[str, Any]) -> Any:
        """Where a run's network looked in a stored case or a new image, and what it finds like it."""
        trained = self._run(question["run"])
        if asked == "ways":
            ways = [to_dict(way) for way in trained.explainer.ways()]
            return {"ways": ways, "layers": list(trained.explainer.layers)}
        shown = trained.shown(question.get("case") or "", question.get("path") or "", _only(question))
        if asked == "similar":
            from medtl import showing

            return showing.similar(trained.cohort, trained.neighbours, trained.eye, shown)
        how = question.get("method") or "gradcam", question.get("layer") or ""
        if asked == "explain-all":
            return {"maps": [to_dict(one) for one in trained.explainer.every(shown, *how)]}
        if asked == "check-map":
            return {"checks": [to_dict(one) for one in trained.explainer.check(shown, question["label"], *how)]}
        return to_dict(trained.explainer.one(shown, question["label"], *how))

    def _run(self, run_id: str) -> "Trained":
        from medtl.prediction import Trained

        if run_id not in self._trained:
            self._trained[run_id] = Trained(self.workspace, run_id)
        self._trained[run_id].follow()
        self._trained.move_to_end(run_id)
        while len(self._trained) > KEPT:
            self._trained.popitem(last=False)[1].close()
        return self._trained[run_id]


def _only(question: dict[str, Any]) -> tuple[str, int | None] | None:
    only = question.get("only")
    return (only["file"], only.get("frame")) if only else None


def _stated(said: dict[str, Any]) -> "Stated":
    from medtl.sources.foreign import Stated

    numbers = {name: tuple(said[name]) if said.get(name) else None for name in ("mean", "std")}
    return Stated(**numbers, size=said.get("size"), range=said.get("range") or "")


def main(home: str) -> None:
    from medtl.training.machine import share_the_cores

    share_the_cores()
    from medtl.training.device import prepare_process

    workspace = Workspace(home).ensure()
    answers = sys.stdout
    sys.stdout = sys.stderr  # a library that prints must not speak between our lines
    prepare_process()
    desk = Desk(workspace)
    for line in sys.stdin:
        question = json.loads(line)
        try:
            said: dict[str, Any] = {"id": question["id"], "answer": desk.answer(question)}
        except MedtlError as error:
            said = {"id": question["id"], "error": error.message, "advice": error.advice}
        except Exception as error:  # noqa: BLE001 - one question that goes wrong must not end the process
            traceback.print_exc()
            said = {
                "id": question["id"],
                "error": f"Something unexpected went wrong ({type(error).__name__}).",
                "advice": "Try again; the details are in the log of the app.",
            }
        answers.write(json.dumps(said) + "\n")
        answers.flush()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m medtl.consultant HOME")
    main(sys.argv[1])
