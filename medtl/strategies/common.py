"""Settings that several strategies share, defined once so that they mean the same everywhere."""

from typing import Any

from medtl.strategies.strategy import setting
from medtl.vocabulary import Blend, Cohort, Look, Loss, NewHead, Outline, Plan, Rate

# Values of C for the head on cached features; on standardised features small values win on small cohorts.
STRENGTHS = tuple(10 ** (exponent / 2) for exponent in range(-8, 3))

AS_THEY_ARE, BALANCED, ADJUSTED, FOCAL = "as they are", "balanced", "logit adjustment", "focal"
_LOSSES: dict[str, Loss] = {ADJUSTED: "logit-adjusted", FOCAL: "focal"}
AUGMENTATIONS = ("none", "mild", "with flips", "strong", "film", "ultrasound", "microscopy")


def epochs(default: int) -> Any:
    return setting(default, "Epochs", "How often every training case is seen, at most.", low=1, high=100)


def rate(default: float) -> Any:
    help = "How far the weights move at each step. Too high forgets the source, too low learns nothing."
    return setting(default, "Learning rate", help, low=1e-6, high=1e-1)


def earlier_slower() -> Any:
    help = "Each stage nearer to the input gets this share of the next one's rate."
    return setting(0.4, "Earlier layers slower by", help, low=0.05, high=1.0)


def blend(default: float) -> Any:
    help = (
        "How much of the source is mixed back into the weights at the end: 0 keeps what was learned alone, 0.5 lies "
        "half way, which keeps more of the source's general features."
    )
    return setting(default, "Mix the source back in", help, low=0.0, high=0.95)


def blend_back(share: float) -> Plan:
    """The step that mixes so much of the source back in; none for 0."""
    says = f"Mix {100 * share:.0f} % of the source back into all its weights, to keep its general features."
    return (Blend(says, 1 - share),) if share else ()


def batch(default: int = 32) -> Any:
    return setting(default, "Batch", "Cases averaged for one step of the weights.", low=1, high=256, unit="cases")


def patience(default: int) -> Any:
    help = (
        "Training ends when the tuning part has not improved for this many epochs. 0: all epochs are trained and the "
        "last one is kept, which is steadier where the tuning part is a few cases."
    )
    return setting(default, "Patience", help, low=0, high=100, unit="epochs")


def augment(default: str = "mild") -> Any:
    help = (
        "Small changes to each picture while training, so that little data goes further. 'mild': turned up to 10 "
        "degrees, scaled and shifted a little, brightness and contrast varied. 'with flips' also mirrors left and "
        "right: not where the side matters. 'film', for radiographs: turned less, exposure varied more, never "
        "mirrored. 'ultrasound': depth and gain varied, hardly turned. 'microscopy', where no side is up: mirrored "
        "and turned by quarters, stain varied. 'strong', for a source that is to serve other images later: more of "
        "all of it, colours varied, patches left out."
    )
    return setting(default, "Augmentation", help, choices=AUGMENTATIONS)


def balance(default: str = AS_THEY_ARE) -> Any:
    """Of strategies that fit a head without gradients."""
    help = (
        "'balanced' lets each class weigh the same however many cases it has; scores then no longer follow prevalence."
    )
    return setting(default, "Class weights", help, choices=(AS_THEY_ARE, BALANCED))


def imbalance(default: str = AS_THEY_ARE) -> Any:
    """Of strategies that train; what the words mean is in `losses`."""
    help = (
        "What is done when some classes have few cases. 'balanced' shows each class equally often; scores then no "
        "longer follow prevalence. 'logit adjustment' (arXiv:2007.07314) asks for a wider margin for rare classes, to "
        "the same end. 'focal' (arXiv:1708.02002) turns away from cases that are known well."
    )
    return setting(default, "Class weights", help, choices=(AS_THEY_ARE, BALANCED, ADJUSTED, FOCAL))


def is_balanced(class_weights: str) -> bool:
    """Whether a head fitted before or after training is to let each class weigh the same, to agree with it."""
    return class_weights in (BALANCED, ADJUSTED)


def loss_for(class_weights: str) -> Loss:
    return _LOSSES.get(class_weights, "cross-entropy")


def smoothing(default: float = 0.0) -> Any:
    help = "Share of every label that is spread over all classes, so that single wrong labels pull less; 0: none."
    return setting(default, "Label smoothing", help, low=0.0, high=0.2)


def batchnorm(default: str) -> Any:
    help = (
        "'keep' leaves the running statistics of the source as they are, the safe choice for small cohorts and small "
        "batches; 'adapt' lets them follow your images."
    )
    return setting(default, "Batch-norm statistics", help, choices=("keep", "adapt"))


def views() -> Any:
    help = (
        "How many augmented views of each picture the stages that stay as they are look at, once; more go further, "
        "and take as much more time and room."
    )
    return setting(4, "Views of each picture", help, low=1, high=16)


def looks(default: int = 0) -> Any:
    help = (
        "How often each picture is looked at besides as it is, a little turned, scaled and brightened each time; what "
        "is seen is averaged, in training and in every later answer. Steadier on few cases, and takes as much longer."
    )
    return setting(default, "Further looks at each picture", help, low=0, high=16)


def learn_tune(default: str = "yes") -> Any:
    help = (
        "Once every choice is made on the tuning part, its cases are learned from too. The threshold then rests on "
        "what models said that had not seen the case."
    )
    return setting(default, "Learn from the tuning part in the end", help, choices=("yes", "no"))


# ---- parts of plans --------------------------------------------------------------------------------------------------


def new_head(classes: int, zero: bool = False) -> NewHead:
    blank = ", which says the same of every image at first" if zero else ""
    return NewHead(
        f"Put a new last layer on the source, one output for each of your {classes} classes{blank}.", zero=zero
    )


def look(times: int, augment: str = "mild") -> Plan:
    """The step after which every picture is looked at so many times more; none for 0."""
    says = (
        f"Look at every image {times + 1} times, as it is and with {times} small changes, and average what is seen: "
        "now and in every later answer."
    )
    return (Look(says, times, augment),) if times else ()


def slower(outline: Outline, rate: float, share: float) -> tuple[Rate, ...]:
    """Every stage and the head; each stage nearer to the input gets `share` of the next one's rate."""
    last = len(outline.stages) - 1
    stages = (Rate(stage.name, rate * share ** (last - i)) for i, stage in enumerate(outline.stages))
    return (*stages, Rate("head", rate))


def alike(outline: Outline, rate: float) -> tuple[Rate, ...]:
    """Every stage and the head at one rate."""
    return slower(outline, rate, 1.0)


# ---- what rules a strategy out ---------------------------------------------------------------------------------------

KEPT_CASES = 20_000


def too_many_to_keep(cohort: Cohort) -> str | None:
    """Of models that carry every training case."""
    train = len(cohort.split.train)
    if train <= KEPT_CASES:
        return None
    return f"The model would carry all {train:,} training cases; it is meant for at most {KEPT_CASES:,}."
