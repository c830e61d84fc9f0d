"""Eight questions only a person can answer, asked once for a run and printed in every paper; no answer, no guess.

Answers lie in the run's folder (answers.json). They are the user's own words: kept as typed, escaped where printed.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from medtl.cohorts.names import shown
from medtl.errors import BadInput
from medtl.runs import store
from medtl.workspace import write_whole

ANSWERS = "answers.json"
NOT_STATED = "not stated"
LONGEST = 4000  # characters; an answer is a paragraph, not an essay


@dataclass(frozen=True)
class Question:
    key: str
    asks: str
    hint: str


QUESTIONS = (
    Question(
        "question", "What clinical question should the score answer?", "Is a breast mass on ultrasound malignant?"
    ),
    Question(
        "use", "Who should use it, for which patients, at which moment?", "Radiologists, after the scan, second reader"
    ),
    Question("included", "Who was included, and who was left out?", "All adults referred in 2024; implants left out"),
    Question(
        "labelled", "Who labelled the images, how, with what reference standard?", "Biopsy; two readers of 10 years"
    ),
    Question("where", "Which sites, dates and scanners?", "One university hospital, January to June 2024"),
    Question("ethics", "Ethics and consent: approval, waiver or number?", "Waiver of the ethics committee, number"),
    Question("weaknesses", "Known exclusions or weaknesses of the cohort?", "Few lesions below 5 mm"),
    Question("comparator", "What is it compared with (practice, reader, other test)?", "The report of the radiologist"),
)
KEYS = tuple(question.key for question in QUESTIONS)


def load(run: Path) -> dict[str, str]:
    """Key -> answer of the questions that were answered."""
    path = run / ANSWERS
    if not path.exists():
        return {}
    content = store.read_json(path, "answers")
    return {key: str(content[key]) for key in KEYS if content.get(key)}


def save(run: Path, given: Mapping[str, str]) -> dict[str, str]:
    """Add these answers to those that are there; an empty one takes an answer back. Returns all that stand now."""
    for key, text in given.items():
        if key not in KEYS:
            raise BadInput(f"There is no question called '{shown(key, 40)}'.", f"The questions: {', '.join(KEYS)}.")
        if len(text) > LONGEST:
            raise BadInput(
                f"The answer to '{key}' has {len(text):,} characters; at most {LONGEST:,} are kept.", "Shorten it."
            )
    answers = {**load(run), **{key: shown(text.replace("\n", " "), LONGEST) for key, text in given.items()}}
    answers = {key: text for key, text in answers.items() if text}
    write_whole(run / ANSWERS, json.dumps(answers, indent=1, ensure_ascii=False))
    return answers


def from_toml(path: Path) -> dict[str, str]:
    """Answers from a file of lines such as `ethics = "waiver 12/2024"`."""
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(
            f"The answers in '{path.name}' cannot be read ({error}).", 'Give a TOML file: one line `key = "text"` each.'
        ) from error
    return {str(key): str(value) for key, value in content.items()}
