"""The words of MedTL as frozen values: read this first. No torch, no files, no screen.

A `Cohort` of `Case`s meets a `Source` under a `Strategy`; the strategy gives a `Plan`; all choices together are a
`Recipe`; carrying it out is a `Run`; it yields `Prediction`s, `Estimate`s and `Explanation`s.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Literal, get_args

from medtl.errors import BadInput

PARTS = ("train", "tune", "test")
Severity = Literal["block", "warn", "note"]


@dataclass(frozen=True)
class Card:
    """What a clinician reads before picking something: one sentence, where it comes from, what it cannot do."""

    id: str
    title: str
    says: str
    reference: str = ""
    limits: str = ""


# ---- data -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """One image with its label.

    `at` names the de-identified original among the cohort's originals, `name` is what the file is called on screen
    (shown as text, never interpreted; coded unless the user kept it), `sha256` the hash of the bytes that were brought,
    `patient` None when nobody said who it is. `part` is the part the user's own folders or CSV put it in ("" when they
    did not). `group` is the code of what it was cut from (a series, a clip, a volume) and must stay together with;
    `frame` says which frame, slice or page of the original it is. `labels` is filled in a multi-label cohort: 1
    present, 0 absent, -1 uncertain; not named: nobody said. `facts` holds what is known besides (width, height, mode,
    format, bytes; where said also sex, age, scanner, site, modality, period, view, side): never a name or a date.
    """

    id: str
    name: str
    label: str
    at: str
    sha256: str
    patient: str | None = None
    part: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    group: str = ""
    frame: int | None = None
    labels: Mapping[str, int] = field(default_factory=dict)


Frames = Literal["each", "middle"]
Task = Literal["single-label", "ordinal", "multi-label"]
Uncertain = Literal["leave-out", "positive", "negative"]  # what an uncertain label (-1) is taken for
# What an uncertain label teaches where several are learned (arXiv:1901.07031 section 3, arXiv:1911.06475): nothing;
# that the finding is absent; present; probably present; or a third answer, which is not asked for at the end.
Policy = Literal["ignore", "zeros", "ones", "smoothed", "multi-class"]
WINDOWS = {  # CT windows by name: centre and width in Hounsfield units
    "as-stored": None,
    "lung": (-600.0, 1500.0),
    "soft-tissue": (40.0, 400.0),
    "brain": (40.0, 80.0),
    "bone": (400.0, 1800.0),
}


@dataclass(frozen=True)
class Reading:
    """How files that hold more than one picture, or more than a screen shows, become pictures.

    `frames`: every frame, slice or page is a case, or only the middle one. `window`: a name in `WINDOWS`, laid over CT
    only. `slices`: at most so many, evenly spaced, of the slices, frames or pages of a file (0: all). A cohort keeps
    its reading, so that a new image is shown to the model in the same way.
    """

    frames: Frames = "each"
    window: str = "as-stored"
    slices: int = 0


@dataclass(frozen=True)
class Removed:
    """One attribute that de-identification touched, and in how many files."""

    tag: str  # "(0010,0010)", "private", "PNG text", "file name"
    name: str  # "Patient's Name"
    action: str  # "removed" | "emptied" | "replaced" | "shifted"
    files: int


@dataclass(frozen=True)
class Privacy:
    """What was done so that nobody can be named. `names`: file names "replaced" or "kept"; `key`: "thrown away" or
    "kept" (apart from the cohort, in the workspace's folder keys/)."""

    names: str = "replaced"
    key: str = "thrown away"
    removed: tuple[Removed, ...] = ()


@dataclass(frozen=True)
class Blank:
    """A rectangle to black out, as shares of width and height (0 to 1): in every image of one size, or in `cases` of it
    only."""

    width: int  # px of the images it is meant for, as brought
    height: int
    left: float
    top: float
    right: float
    bottom: float
    cases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """Something about the data that would mislead. A `block` stops training until it is resolved."""

    code: str
    severity: Severity
    message: str
    advice: str
    cases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Skipped:
    """A file that could not become a case, and why."""

    file: str
    reason: str
    advice: str


@dataclass(frozen=True)
class Split:
    """Case ids of the three parts; a patient is in one part only. `rule` says in words how they were made."""

    train: tuple[str, ...]
    tune: tuple[str, ...]
    test: tuple[str, ...]
    rule: str
    seed: int = 0
    patients_shared: int = 0
    near_duplicates_across: int = 0

    def part_of(self) -> dict[str, str]:
        """Case id -> "train" | "tune" | "test"."""
        return {case: part for part in PARTS for case in getattr(self, part)}


@dataclass(frozen=True)
class Edit:
    """One line of a cohort's history: what was changed, when, and how many cases it touched."""

    at: str
    what: str
    cases: int
    who: str = ""


@dataclass(frozen=True)
class Cohort:
    """The labelled set a user brings. `id` is a hash of its contents; an edit makes a new cohort with `parent` set.

    `classes` is the order of every probability vector. `positive` is the class that counts as "has it" when there are
    two classes. `patient_rule` says in words how patients were told apart. `task` "ordinal": `classes` are grades in
    order; "multi-label": `classes` are the findings asked about, and a case may have several or none. `accepted` are
    the codes of findings a person looked at and kept.
    """

    id: str
    title: str
    modality: str
    task: Task
    classes: tuple[str, ...]
    positive: str | None
    cases: tuple[Case, ...]
    split: Split
    findings: tuple[Finding, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    patient_rule: str = "no patient known"
    parent: str | None = None
    history: tuple[Edit, ...] = ()
    synthetic: bool = False
    created: str = ""
    reading: Reading = Reading()
    privacy: Privacy = Privacy(names="kept")
    accepted: tuple[str, ...] = ()
    root: str = ""  # the id of the first version; empty for that one itself
    schema_version: int = 1

    @property
    def first(self) -> str:
        """The id of the first version: what all versions of a cohort have in common."""
        return self.root or self.id

    @property
    def counts(self) -> dict[str, int]:
        """Cases per class, in class order; with several labels a case, those in which it is present."""
        counts = dict.fromkeys(self.classes, 0)
        for case in self.cases:
            for label in labels_of(case):
                counts[label] += 1
        return counts

    @property
    def patients(self) -> int | None:
        """How many patients, or None when no case says who it is."""
        known = {case.patient for case in self.cases if case.patient is not None}
        return len(known) if known else None

    @property
    def blocks(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == "block")


def labels_of(case: Case) -> tuple[str, ...]:
    """The classes a case counts for: its label, or with several labels those that are present."""
    return tuple(label for label, value in case.labels.items() if value == 1) if case.labels else (case.label,)


def without(finding: str) -> str:
    """What a case without a finding is called: "no oedema"."""
    return f"not {finding}" if finding.lower().startswith("no ") else f"no {finding}"


def task_of(label: str) -> str:
    """Which question a class answers: what stands before ": " in its name ("blood cell" of "blood cell: basophil")."""
    task, colon, _ = label.partition(": ")
    return task if colon else ""


# ---- sources --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class InputSpec:
    """What a network wants to be shown. Pixels are scaled to [0, 1], then (x - mean) / std per channel."""

    channels: int = 3
    size: int = 224
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)

    def describe(self) -> str:
        colour = "in colour" if self.channels == 3 else "in grey"
        return (
            f"The whole image, stretched to {self.size} x {self.size} pixels, {colour}, "
            "brightness scaled the way this network learned it."
        )


@dataclass(frozen=True)
class StageOutline:
    """One stage of a network, input side first. `gflop` is the forward cost of one case of its builder's input size.

    `norms` and `biases` of its values are scales and shifts of norm layers, and biases; a low-rank addition takes
    `low_rank` values a rank. -1: not counted.
    """

    name: str
    parameters: int
    gflop: float = 0.0
    norms: int = -1
    biases: int = -1
    low_rank: int = -1


@dataclass(frozen=True)
class Outline:
    """What a strategy may know of a network without loading it: its stages and the width of its features."""

    stages: tuple[StageOutline, ...]
    features: int

    @property
    def parameters(self) -> int:
        return sum(stage.parameters for stage in self.stages)

    @property
    def gflop(self) -> float:
        return sum(stage.gflop for stage in self.stages)


SourceOrigin = Literal["shipped", "torchvision", "optional", "imported", "run"]


@dataclass(frozen=True)
class Source:
    """A pretrained model with its card. `available` False: `why_not` says what is missing and how to get it.

    `origin` "optional": of a library that is installed on wish, by the line `needs`. `better_for` are the targets for
    which it was measured to be a better start than ImageNet's weights alone, a sentence each.
    """

    card: Card
    builder: str
    input: InputSpec
    outline: Outline
    origin: SourceOrigin
    trained_on: str
    cases: str
    labels: tuple[str, ...]
    licence: str
    modality: str = "image"
    attribution: str = ""
    sha256: str = ""
    weights: str = ""  # path of the safetensors file; empty for a torchvision source
    url: str = ""  # where torchvision publishes the file; fetched on first use
    figures: tuple[str, ...] = ()  # held-out results, each a sentence with n and interval
    better_for: tuple[str, ...] = ()
    hidden: int = 0  # width of the hidden layer of the head these weights carry; 0 for a linear head
    task: Task = "single-label"  # what the outputs of that head mean: `medtl.training.meaning`
    looks: int = 0  # how many small changes of a picture its answers rest on besides the picture itself
    looks_like: str = "mild"  # the kind of these changes
    graph: str = ""  # path of the file that holds the architecture, where no named builder does (ONNX, Keras)
    needs: str = ""  # what installs the optional library it needs, e.g. "pip install timm"
    size_mb: float = 0.0
    on_disk: bool = True  # False: fetched over the network on first use
    available: bool = True
    why_not: str = ""

    @property
    def id(self) -> str:
        return self.card.id

    @property
    def title(self) -> str:
        return self.card.title


# ---- strategies and plans -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rate:
    """Parameters of one stage (or "head") and the learning rate they get."""

    stage: str
    rate: float


@dataclass(frozen=True)
class Reinitialise:
    """Forget the source: every weight becomes random again, drawn from the run's seed."""

    says: str


@dataclass(frozen=True)
class NewHead:
    """Put a fresh head on the network: linear, or with one hidden layer of `hidden` units and `dropout`.

    `zero`: a linear head of zeros, which says the same of every picture until it has learned, and so cannot push the
    stages below it about at random.
    """

    says: str
    hidden: int = 0
    dropout: float = 0.0
    zero: bool = False


@dataclass(frozen=True)
class Look:
    """From here on, and in every later answer, a picture is looked at as it is and in `times` fixed small changes of it
    (`augment` names their kind); its features are the mean. A head is fitted on all of them, one by one."""

    says: str
    times: int
    augment: str = "mild"


HeadRule = Literal["logistic", "ridge", "lda", "class-means", "neighbours", "examples"]


@dataclass(frozen=True)
class Solve:
    """Fit a head on cached features without gradients; of `strengths` the one with the smallest log-loss on the tune
    part is kept.

    `rule` says how, and what `strengths` are: "logistic" (L2-regularised, standardised; values of C as scikit-learn has
    them, smaller is more regularised), "ridge" (alpha), "lda" (shrinkage, 0 to 1), "class-means" (how sharply the
    cosine to each class mean is read), "neighbours" (how many), "examples" (share of the training cases in the answer).
    `learn_tune`: once the strength is chosen the head is fitted again on train and tune part together; what is said of
    the tune part then comes from heads that had not seen the case.
    """

    says: str
    strengths: tuple[float, ...]
    balanced: bool = False
    rule: HeadRule = "logistic"
    learn_tune: bool = False


@dataclass(frozen=True)
class Penalty:
    """What is added to the loss. "l2-sp": half of `strength` times the squared distance of the trunk from the source
    (and of the head from 0), arXiv:1802.01483. "bss": `strength` times the squares of the `smallest` singular values of
    a batch's features, Chen et al. 2019."""

    kind: Literal["l2-sp", "bss"]
    strength: float
    smallest: int = 1


# What of a stage's values trains: all of them, scale and shift of its norms, its biases, or a low-rank addition to each
# of its convolutions and linear layers.
What = Literal["all", "norms", "biases", "low-rank"]
Loss = Literal["cross-entropy", "focal", "logit-adjusted"]


@dataclass(frozen=True)
class Train:
    """Gradient descent on the stages named in `rates`; everything else stays exactly as it is, buffers included.

    `patience` 0: no early stopping, the last epoch is kept (a tune part of a few cases cannot tell epochs apart).
    `adapt_batchnorm` False keeps batch-norm running statistics as they are even in stages that train. `by_task`: a case
    only teaches the outputs of its own task (`task_of`), as if every task had a head of its own on the shared trunk.
    `what` of the stages trains (the head always as a whole), for "low-rank" in `rank` directions. `by_gradient`: each
    stage's rate is multiplied by its share of the gradient (Auto-RGN, arXiv:2210.11466). `ema` above 0: a running mean
    of the weights with this memory is judged and kept instead of the weights themselves. `views` above 0: what the
    stages before the first that trains make of so many augmented views of each picture is worked out once, and trained
    on. `smoothing` is the share of every label that is spread over all classes. `teach` above 0: so much of the loss is
    to answer as the teacher does, at `temperature` (distillation). `learn_tune`: once the best epoch is known, train
    again from where this step began, as many epochs, on train and tune part together; what is said of the tune part is
    what the first training said, which had not seen it. `weigh_tasks`: several findings get weights that are learned
    along (arXiv:1705.07115).
    """

    says: str
    epochs: int
    rates: tuple[Rate, ...]
    batch: int = 32
    weight_decay: float = 1e-4
    augment: str = "mild"
    patience: int = 5
    adapt_batchnorm: bool = False
    balanced: bool = False
    warmup: float = 0.1  # share of all steps during which the rate rises to its value
    by_task: bool = False
    what: What = "all"
    rank: int = 0
    penalties: tuple[Penalty, ...] = ()
    by_gradient: bool = False
    ema: float = 0.0
    views: int = 0
    loss: Loss = "cross-entropy"
    smoothing: float = 0.0
    teach: float = 0.0
    temperature: float = 4.0
    learn_tune: bool = False
    weigh_tasks: bool = False


@dataclass(frozen=True)
class Blend:
    """Set every weight of the trunk to `share` of what was learned and the rest of what the source had.

    With `shares` the best of them on the tune part is taken, head included (WiSE-FT between the fitted head on the
    source and what was learned), and `share` is not used.
    """

    says: str
    share: float = 1.0
    shares: tuple[float, ...] = ()


@dataclass(frozen=True)
class PseudoLabel:
    """Give the user's unlabelled images the label of which the network so far is surer than `sure` (0 to 1), and fit
    the head again with them; kept only where the tune part is not answered worse."""

    says: str
    sure: float
    strengths: tuple[float, ...]
    balanced: bool = False


Step = Reinitialise | NewHead | Look | Solve | Train | Blend | PseudoLabel
Plan = tuple[Step, ...]


# ---- runs and results -----------------------------------------------------------------------------------------------


OperatingKind = Literal["youden", "sensitivity", "specificity", "cost"]


@dataclass(frozen=True)
class OperatingRule:
    """How a threshold is chosen on the tune part: the largest sensitivity + specificity (Youden); the highest threshold
    of a wanted sensitivity, the lowest of a wanted specificity (`value`: the share, 0 to 1); or where one miss weighs
    as much as `value` false alarms. Raises BadInput for what cannot be wished."""

    kind: OperatingKind = "youden"
    value: float | None = None

    def __post_init__(self) -> None:
        kinds, value = get_args(OperatingKind), self.value
        if self.kind not in kinds:
            raise BadInput(
                f"There is no way of choosing a threshold called '{self.kind}'.", f"Take one of {', '.join(kinds)}."
            )
        if self.kind in ("sensitivity", "specificity") and not (value is not None and 0 < value <= 1):
            raise BadInput(f"The wanted {self.kind} is {value}.", "Give a share between 0 and 1, such as 0.9.")
        if self.kind == "cost" and not (value is not None and isfinite(value) and value > 0):
            raise BadInput(
                f"One miss was to weigh as much as {value} false alarms.", "Give a number above 0, such as 9."
            )

    @property
    def says(self) -> str:
        if self.kind == "youden":
            return "the largest sum of sensitivity and specificity (Youden)"
        if self.kind == "cost":
            return f"one miss weighs as much as {self.value:g} false alarm{'' if self.value == 1 else 's'}"
        return f"a wanted {self.kind} of {100 * (self.value or 0):g} %"


@dataclass(frozen=True)
class Recipe:
    """All choices, enough to repeat a run. The worker needs nothing else but the workspace it lies in."""

    run: str
    title: str
    cohort: str
    source: str
    source_sha256: str
    strategy: str
    settings: Mapping[str, Any]
    seed: int = 0
    device: str = "auto"
    control: Literal["thumbnails", "from-scratch"] = "thumbnails"
    control_for: str = ""  # the run this one is the from-scratch control of
    group: str = ""  # runs that were started together, to be compared; the id of the first of them
    automatic: bool = False  # of its group the run that is best on the tune part is the result
    budget: float = 0.0  # seconds after which training ends with what it has; 0: none
    unlabelled: str = ""  # the cohort whose images are used without their labels
    teacher: str = ""  # the run whose answers are learned from
    size: int = 0  # pixels a side the source is shown; 0: what it was made for
    uncertain: Mapping[str, str] = field(default_factory=dict)  # finding -> `Policy`, of a multi-label cohort
    weigh_tasks: bool = False  # whether several findings are weighed as `Train.weigh_tasks` says
    operating: OperatingRule = OperatingRule()
    advised: Mapping[str, str] = field(default_factory=dict)  # "source", "strategy" as recommended, "basis" in words
    created: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    schema_version: int = 1


@dataclass(frozen=True)
class Estimate:
    """A number with its interval and its n. `how` names the interval's method."""

    name: str
    value: float
    low: float
    high: float
    n: int
    how: str


@dataclass(frozen=True)
class Threshold:
    """The operating point. `value` is None with more than two classes, where the highest score decides, or of grades
    (`middle`) the one in the middle."""

    value: float | None
    chosen_on: str
    rule: str
    middle: bool = False


@dataclass(frozen=True)
class Prediction:
    """The answer for one case: scores in the order of the classes (a score, not a probability). They sum to 1, except
    for several findings, where each stands for itself."""

    case: str
    predicted: str
    scores: tuple[float, ...]


MapState = Literal["ok", "empty", "flat", "everywhere", "border", "same", "invalid"]


@dataclass(frozen=True)
class HeatMap:
    """Where the network looked for `label`. `values` is an (h, w) nested tuple or array in [0, 1] at the network's own
    grid; it covers the whole picture, which was stretched to what the network takes, so that cell (i, j) lies over rows
    i/h to (i + 1)/h and columns j/w to (j + 1)/w of the picture at any size.

    `state` is "ok", or says in a word why there is nothing honest to draw: "empty" (nothing speaks for it), "flat" (all
    places alike), "everywhere", "border" (it hugs the edges), "same" (as for every other class), "invalid" (no
    numbers). `says` is the sentence for it. `signed` is the same grid in [-1, 1], below 0 where a place speaks against
    the class (None where the method knows no sign); 1 is `scale` in the method's own units, by which two maps compare.
    `exact`: worked out in closed form from one forward pass.
    """

    label: str
    method: str
    layer: str
    values: Any
    state: MapState = "ok"
    says: str = ""
    signed: Any = None
    scale: float = 0.0
    exact: bool = False
    method_id: str = "gradcam"


Explanation = HeatMap


@dataclass(frozen=True)
class MapCheck:
    """One badge beside a map, measured. `value` with its interval (None for one case) is held against `limit`; `passed`
    None: it cannot be told. `says` is the sentence, `short` two or three words of it; `n` cases of how many."""

    id: str
    title: str
    value: float
    low: float | None
    high: float | None
    n: int
    limit: float
    passed: bool | None
    short: str
    says: str
    how: str = ""


def to_dict(value: Any) -> Any:
    """A frozen dataclass as plain dicts and lists, ready for JSON."""
    return dataclasses.asdict(value)
