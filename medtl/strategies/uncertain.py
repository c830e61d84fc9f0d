"""What becomes of uncertain labels where several findings are learned: the policies, and which is usual for a finding.

Knows names and words; what a policy teaches is `medtl.training.policies`.
"""

from collections.abc import Mapping

from medtl.errors import BadInput
from medtl.vocabulary import Cohort, Policy

POLICIES: dict[Policy, str] = {
    "ignore": "They teach nothing",
    "zeros": "Count as absent",
    "ones": "Count as present",
    "smoothed": "Count as probably present",
    "multi-class": "A third answer",
}
HELP = (
    "A reader who writes 'cannot exclude' is sure neither that a finding is there nor that it is not. Published "
    "results differ by finding; where no experience is known, such labels teach nothing. Numbers are always counted on "
    "sure labels only."
)
REFERENCE = "Irvin et al. 2019, arXiv:1901.07031 section 3; Pham et al. 2019, arXiv:1911.06475 (smoothed)"
# For findings called as in CheXpert, what its authors chose after comparing all of these (arXiv:1901.07031 section 3).
# Theirs for consolidation (self-training) is not among them.
KNOWN: dict[str, Policy] = {
    "atelectasis": "ones",
    "cardiomegaly": "multi-class",
    "edema": "ones",
    "oedema": "ones",
    "effusion": "multi-class",
    "pleural effusion": "multi-class",
}


def usual(finding: str) -> Policy:
    """What is done when nobody says otherwise."""
    return KNOWN.get(finding.strip().lower(), "ignore")


def unsure(cohort: Cohort) -> dict[str, int]:
    """Finding -> how many cases have an uncertain label of it; findings without any are left out."""
    counts = {name: sum(case.labels.get(name) == -1 for case in cohort.cases) for name in cohort.classes}
    return {name: count for name, count in counts.items() if count}


def chosen(cohort: Cohort, said: Mapping[str, str]) -> dict[str, str]:
    """Finding -> policy for every finding with uncertain labels. Raises BadInput for a name that does not exist."""
    for finding, policy in said.items():
        if cohort.task != "multi-label":
            raise BadInput("This cohort has one label an image; none is uncertain.", "Leave `uncertain` out.")
        if finding not in cohort.classes:
            raise BadInput(f"This cohort has no finding '{finding}'.", f"Its findings: {', '.join(cohort.classes)}.")
        if policy not in POLICIES:
            raise BadInput(f"'{policy}' is no way with uncertain labels.", f"Choose from {', '.join(POLICIES)}.")
    if cohort.task != "multi-label":
        return {}
    return {name: said.get(name, usual(name)) for name in unsure(cohort)}
