"""The trained network as ONNX, with all that is needed to use it elsewhere, and a proof that it answers as the app.

The graph takes pixels from 0 to 1 and gives scores (`looking`). What stands outside (decoding, shrinking, stretching)
is a few lines of the example, and the self-test runs those very lines.
"""

import json
import runpy
import tempfile
import warnings
import zipfile
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import medtl
from medtl.cohorts import limits
from medtl.cohorts.pixels import Pixels
from medtl.errors import MedtlError, NotReady
from medtl.reporting import content, markdown, model_card, recipes, saying
from medtl.reporting.content import Facts
from medtl.workspace import Workspace, write_whole

if TYPE_CHECKING:
    from medtl.sources.network import Network

OPSET = 17
CASES = 20
AGREES = 1e-4  # a larger difference of any score is no rounding, and nothing is exported
MODEL, ABOUT, EXAMPLE, SELFTEST, CARD = "model.onnx", "model.json", "example.py", "selftest.json", "README.md"

CODE = '''"""Asks the model about images: python example.py IMAGE ... (onnxruntime, Pillow, numpy). Research use."""
import json, sys
from pathlib import Path
import numpy as np, onnxruntime
from PIL import Image

here = Path(__file__).parent
about = json.loads((here / "model.json").read_text("utf-8"))
session = onnxruntime.InferenceSession(str(here / "model.onnx"), providers=["CPUExecutionProvider"])

def scores(path):  # of an 8-bit PNG or JPEG, in the order of about["classes"]
    image = Image.open(path).convert("RGB" if about["channels"] == 3 else "L")
    if (f := about["longest_side"] / max(image.size)) < 1:
        image = image.resize([max(1, round(s * f)) for s in image.size], Image.Resampling.BILINEAR, reducing_gap=3.0)
    image = image.resize((about["size"], about["size"]), Image.Resampling.BILINEAR)
    x = np.asarray(image, np.float32).reshape(*image.size, -1).transpose(2, 0, 1)[None] / 255
    return session.run(None, {"image": x})[0][0]

def calibrated(found):  # the same scores as the tune part mended them: each case keeps its place in the order
    kind, numbers, at = about["calibration"]["kind"], about["calibration"]["numbers"], about["positive_index"]
    if kind == "none":
        return found
    p = found.astype(float)
    if at is None:  # one temperature for all classes
        z = np.exp(np.log(np.maximum(p, 1e-12)) / numbers[0])
        return z / z.sum()
    by, constant = (1 / numbers[0], 0) if kind == "temperature" else numbers
    with np.errstate(divide="ignore", over="ignore"):  # a score of 0 or 1 stays one
        has = 1 / (1 + np.exp(-by * (np.log(p[at]) - np.log1p(-p[at])) - constant))
    return np.array([has, 1 - has] if at == 0 else [1 - has, has])

for path in sys.argv[1:] if __name__ == "__main__" else ():
    found, at, limit = scores(path), about["positive_index"], about["threshold"]
    called = int(found.argmax()) if limit is None else at if found[at] >= limit else 1 - at
    left = [c for c, s, least in zip(about["classes"], found, about["prediction_set"]["least_scores"]) if s >= least]
    print(path, about["classes"][called], {c: round(float(s), 4) for c, s in zip(about["classes"], found)},
          "calibrated", [round(float(s), 4) for s in calibrated(found)], "cannot be ruled out", left)
'''


@dataclass(frozen=True)
class SelfTest:
    """The largest difference of any score on `cases` test cases: to the app asked now, to what the run stored, and of
    the calibrated scores to the app's."""

    cases: int
    to_app: float
    to_stored: float
    calibrated: float = 0.0
    opset: int = OPSET
    batch: str = "any"

    @property
    def says(self) -> str:
        least = f"largest difference {self.to_app:.1e}, of the calibrated ones {self.calibrated:.1e}"
        return f"On {self.cases} test cases the exported model gives the app's scores ({least})."


def onnx(ws: Workspace, run: str, out: Path) -> SelfTest:
    """Write `out`, a .zip with everything or the bare .onnx (which carries the description as metadata). Raises
    MedtlError, and writes nothing, when the network cannot be exported or does not answer as the app does."""
    if not can_write():
        raise NotReady("Writing ONNX needs the package onnx.", "Run `pip install onnx`, then export again.")
    facts = content.read(ws, run)
    if facts.model.task != "single-label":
        raise NotReady(
            "A model is written as ONNX for classes that exclude each other so far; this run knows "
            f"{'several findings' if facts.several else 'grades in order'}.",
            f"Hand it on as a source: `export {run} --as-source FOLDER`.",
        )
    said = about(facts)
    with tempfile.TemporaryDirectory(dir=ws.ensure().spool) as folder:
        place = Path(folder)
        network = _network(facts)
        _write_graph(network, facts, said, place / MODEL)
        (place / ABOUT).write_text(json.dumps(said, indent=1, ensure_ascii=False), encoding="utf-8")
        (place / EXAMPLE).write_text(CODE, encoding="utf-8")
        proof = _self_test(ws, facts, network, place)
        (place / SELFTEST).write_text(json.dumps(asdict(proof) | {"says": proof.says}, indent=1), encoding="utf-8")
        (place / CARD).write_text(markdown.write(model_card.make(facts)), encoding="utf-8")
        recipes.write(facts, place / recipes.NAME)
        if out.suffix.lower() == ".onnx":
            write_whole(out, (place / MODEL).read_bytes())
        else:
            _zip(place, out)
    return proof


def can_write() -> bool:
    return find_spec("onnx") is not None


def about(facts: Facts) -> dict[str, Any]:
    """What stands beside the network: classes, preprocessing, threshold, calibration, origin."""
    spec, chosen = facts.model.input, facts.result.threshold
    first = facts.judgement.views[0]
    sets = facts.judgement.sets[0] if facts.judgement.sets else None
    return {
        "run": facts.recipe.run,
        "title": facts.recipe.title,
        "medtl": medtl.__version__,
        "classes": list(facts.classes),
        "positive": facts.positive,
        "positive_index": facts.classes.index(facts.positive) if facts.positive else None,
        "threshold": chosen.value if chosen else None,
        "threshold_rule": chosen.rule if chosen else "",
        "threshold_chosen_on": chosen.chosen_on if chosen else "",
        "input": {"name": "image", "shape": ["batch", spec.channels, spec.size, spec.size], "range": [0, 1]},
        "output": {"name": "scores", "shape": ["batch", len(facts.classes)], "sum": 1},
        "channels": spec.channels,
        "size": spec.size,
        "longest_side": limits.STORED_SIDE,
        "mean": list(spec.mean[: spec.channels]),
        "std": list(spec.std[: spec.channels]),
        "preprocessing": saying.preprocessing(facts) + " Standardising is inside the graph.",
        "looks": f"the mean over the picture and {facts.model.looks} fixed small changes of it, inside the graph"
        if facts.model.looks
        else "one",
        "reading": asdict(facts.cohort.reading),
        "threshold_changed_after_the_test_part_was_seen": list(facts.judgement.changed),
        "calibration": {
            "kind": first.calibrator.kind,
            "numbers": list(first.calibrator.numbers),
            "scale": "temperature: T; Platt: slope and constant on the logit of the positive class's score",
            "fitted_on": f"tune part, {first.calibrator.cases} cases",
            "says": first.calibrator.says,
            "call_it": saying.called(facts),
            "on_test_part": _shown(facts),
        },
        "prediction_set": {
            "least_scores": list(sets.limits) if sets else [0.0] * len(facts.classes),
            "error": sets.error if sets else None,
            "on": "scores as they are, not calibrated; a class stays in the set from its least score up",
        },
        "weights_sha256": facts.model.sha256,
        "data_sha256": facts.fingerprint,
        "research_use": saying.research_use(facts),
    }


def _shown(facts: Facts) -> dict[str, Any]:
    """How the calibrated scores did on the test part, question by question."""
    return {
        view.name: {one.name: asdict(one) for one in (after.slope, after.intercept, after.brier, after.ece) if one}
        for view in facts.judgement.views
        for after in (view.mended.after,)
    }


def _network(facts: Facts) -> "Network":
    from medtl.sources.weights import load_trained

    network = load_trained(facts.model, len(facts.classes))
    network.eval()
    return network


def _write_graph(network: "Network", facts: Facts, said: dict[str, Any], path: Path) -> None:
    """By the TorchScript exporter: it needs no further package, and the self-test vouches for what it writes."""
    import torch

    from medtl.reporting.looking import Whole

    spec = facts.model.input
    example = torch.rand(2, spec.channels, spec.size, spec.size)
    axes = {"image": {0: "batch"}, "scores": {0: "batch"}}
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # of the exporter's age, and of shapes that it fixes: the self-test decides
            torch.onnx.export(
                Whole(network, facts.model).eval(), (example,), str(path), dynamo=False, opset_version=OPSET,
                input_names=["image"], output_names=["scores"], dynamic_axes=axes,
            )  # fmt: skip
    except Exception as error:  # torch raises many kinds here, none of which a user can tell apart
        raise MedtlError(
            f"This network ({facts.model.builder}) cannot be written as ONNX ({type(error).__name__}).",
            "Export it with --as-source instead: its weights and card.",
        ) from error
    _describe(path, said)


def _describe(path: Path, said: dict[str, Any]) -> None:
    import onnx

    model = onnx.load(str(path))
    model.producer_name, model.producer_version = "MedTL", medtl.__version__
    onnx.helper.set_model_props(model, {"medtl": json.dumps(said, ensure_ascii=False)})
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


# ---- the proof -----------------------------------------------------------------------------------------------------


def _self_test(ws: Workspace, facts: Facts, network: "Network", place: Path) -> SelfTest:
    """The example itself, run on stored pictures of test cases, against the app; and a batch against one by one."""
    from PIL import Image

    rows = [facts.test[i] for i in np.unique(np.linspace(0, len(facts.test) - 1, CASES).astype(int))]
    pixels = Pixels(ws.cohort(facts.cohort.id))
    pictures = [pixels.image(row.case) for row in rows]
    example = runpy.run_path(str(place / EXAMPLE))
    got = []
    for picture in pictures:
        Image.fromarray(picture).save(place / "case.png")
        got.append(example["scores"](place / "case.png"))
    shape = (3, facts.model.input.channels, facts.model.input.size, facts.model.input.size)
    batch = np.random.default_rng(0).random(shape, np.float32)
    whole = example["session"].run(None, {"image": batch})[0]
    single = np.concatenate([example["session"].run(None, {"image": one[None]})[0] for one in batch])
    ours = _app_scores(network, facts, pictures)
    stored = np.array([[row.scores[label] for label in facts.classes] for row in rows])
    to_app = max(float(np.abs(np.array(got) - ours).max()), float(np.abs(whole - single).max()))
    mended = np.array([example["calibrated"](one) for one in got])
    at = facts.classes.index(facts.positive) if facts.positive else None
    calibrated = float(np.abs(mended - facts.judgement.views[0].calibrator.table(ours, at)).max())
    proof = SelfTest(len(rows), to_app, float(np.abs(np.array(got) - stored).max()), calibrated)
    if not (proof.to_app < AGREES and proof.calibrated < 10 * AGREES):  # a steep calibration widens a rounding
        raise MedtlError(
            f"The exported model does not give the app's scores (largest difference {proof.to_app:.2g}, calibrated "
            f"{proof.calibrated:.2g}, on {proof.cases} test cases), so it was not written.",
            "Export it with --as-source instead, and tell the developers which network it is.",
        )
    return proof


def _app_scores(network: "Network", facts: Facts, pictures: list[np.ndarray]) -> np.ndarray:
    """As Use answers: folded network on the CPU, head in double precision."""
    from medtl.modalities.image import pictures_for
    from medtl.training import device as devices
    from medtl.training.inference import Eye, Looks, head_scores

    shown = pictures_for(pictures, facts.model.input)
    looks = Looks(facts.model.looks, facts.model.looks_like)
    eye = Eye(network, facts.model.input, devices.choose("cpu"), looks)
    return head_scores(network.head, eye.features(shown.__getitem__, np.arange(len(pictures))))


def _zip(place: Path, out: Path) -> None:
    with tempfile.NamedTemporaryFile(dir=place, suffix=".zip") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in (CARD, MODEL, ABOUT, EXAMPLE, SELFTEST, recipes.NAME):
                archive.write(place / name, name)
        file.seek(0)
        write_whole(out, file.read())
