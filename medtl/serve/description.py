"""What the endpoint says of itself: the schema of its answers, and a page of plain HTML for people."""

import html
import json
from collections.abc import Mapping
from typing import Any

from medtl.serve.door import OPEN, PROBLEM

USE = "Research use. Not a medical device. Nothing here may decide about a patient."
KINDS = "PNG, JPEG, BMP, TIFF, DICOM or NIfTI"
EXPLAIN = "a class, or `predicted`, to add where the network looked"
WORDS: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
ANSWER: dict[str, Any] = {
    "application/json": {
        "schema": {
            "type": "object",
            "required": ["file", "predicted", "scores", "set", "accepted", "why_not"],
            "additionalProperties": True,
            "properties": {
                "predicted": {"type": ["string", "null"]},
                "scores": {
                    "type": "object", "additionalProperties": {"type": "number"},
                    "description": "a score for each class; not a probability",
                },
                "set": {**WORDS, "description": "the classes that cannot be ruled out at the error the run states"},
                "accepted": {
                    "type": "boolean",
                    "description": "false: unlike the images the model was trained on; do not rely on the answer",
                },
                "why_not": {"type": ["string", "null"], "description": "what to doubt, in words"},
                "explanation": {
                    "type": ["object", "null"],
                    "description": "where the network looked (not where a disease is): `values` rows of [0, 1]",
                },
            },
        }
    }
}  # fmt: skip
REASONS = {
    400: "what was sent cannot be taken apart", 401: "no token, or a wrong one", 413: "more than is taken",
    415: "no image that is read here", 422: "the question or the image cannot be used", 500: "unexpected",
    503: "busy, or the model cannot be loaded",
}  # fmt: skip


def problems() -> dict[int | str, dict[str, Any]]:
    schema = {
        "type": "object",
        "required": ["type", "title", "status", "detail", "advice"],
        "properties": {
            "type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"},
            "detail": {"type": "string"}, "advice": {"type": "string"},
        },
    }  # fmt: skip
    return {code: {"description": why, "content": {PROBLEM: {"schema": schema}}} for code, why in REASONS.items()}


def page(schema: Mapping[str, Any]) -> str:
    """The description as a page of plain HTML: no script, no style, nothing fetched from anywhere."""
    parts = []
    for path, methods in schema["paths"].items():
        for method, said in methods.items():
            takes = "".join(
                f"<li><code>{html.escape(one['name'])}</code>: {html.escape(one.get('description', ''))}</li>"
                for one in said.get("parameters", ())
            )
            gives = "".join(
                f"<li>{html.escape(code)}: {html.escape(one.get('description', ''))}</li>"
                for code, one in said["responses"].items()
            )
            parts.append(
                f"<h2><code>{method.upper()} {html.escape(path)}</code></h2>"
                f"<p>{html.escape(said.get('summary', ''))}</p>"
                f"<ul>{takes}</ul><p>Answers:</p><ul>{gives}</ul>"
            )
    example = (
        'curl -H "Authorization: Bearer $TOKEN" -F "file=@image.png;type=image/png" '
        "http://127.0.0.1:8600/predict?explain=predicted"
    )
    known = html.escape(json.dumps(ANSWER["application/json"]["schema"], indent=1))
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>MedTL endpoint</title><h1>MedTL</h1><p>{USE}</p>"
        f"<p>Every path but {', '.join(OPEN)} wants the token.</p><pre>{html.escape(example)}</pre>{''.join(parts)}"
        f"<h2>The answer of /predict</h2><pre>{known}</pre>"
        '<p>For programs: <a href="/openapi.json">/openapi.json</a></p></html>'
    )
