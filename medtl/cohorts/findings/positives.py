"""Which of two classes counts as "has it". Knows the words people name classes by, and nothing of pictures."""

import re
from collections import Counter
from collections.abc import Sequence

from medtl.errors import BadInput
from medtl.vocabulary import Case

HAS_IT = {
    *("malignant", "malignancy", "cancer", "carcinoma", "tumour", "tumor", "melanoma", "pneumonia", "disease"),
    *("diseased", "abnormal", "pathological", "positive", "pos", "lesion", "fracture", "fractured", "covid", "covid19"),
    *("sick", "ill", "yes", "true", "1", "present", "case", "cases", "patient", "infected", "tuberculosis", "tb"),
    *("haemorrhage", "hemorrhage", "bleeding", "stroke", "glaucoma", "metastasis", "pneumothorax", "affected"),
}
HAS_IT_NOT = {
    *("benign", "normal", "healthy", "negative", "neg", "control", "controls", "no", "false", "0", "absent", "none"),
    *("clear", "unaffected", "uninfected", "without", "non", "not"),
}


def positive_class(cases: Sequence[Case], classes: Sequence[str], wanted: str | None = None) -> str | None:
    """The class that counts as "has it": what the user said, else by the words, else the rarer, else the last."""
    if wanted is not None:
        if wanted not in classes:
            raise BadInput(f"There is no class '{wanted}'.", f"The classes are {', '.join(classes)}.")
        if len(classes) != 2:
            raise BadInput(f"There are {len(classes)} classes.", "A positive class can be named for two classes only.")
        return wanted
    if len(classes) != 2:
        return None
    counts = Counter(case.label for case in cases)
    return max(classes, key=lambda label: (_meaning(label), -counts[label], label))


def _meaning(label: str) -> int:
    """1 "has it", -1 "has it not", 0 cannot be told. `no finding`, `non-malignant`: a negation turns the word."""
    words = re.findall(r"[^\W_]+", label.casefold())
    if any(word in HAS_IT_NOT for word in words):
        return -1
    return 1 if any(word in HAS_IT for word in words) else 0
