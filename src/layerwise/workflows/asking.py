"""Ask a model about raw data and hand the answers on as CSV or JSON."""

from __future__ import annotations

import csv as csv_format
import io
import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from layerwise.data.source import LeftOut
from layerwise.errors import UsageError, shown
from layerwise.model import Codes, Features, Model, Predictions, Unlike, load, write_aside
from layerwise.workflows.narrate import Narrator

__all__ = ["as_csv", "predict"]

TOLD = 5  # rows, or different answers


def predict(
    model: str,
    data: Any,
    *,
    csv: str | None,
    as_json: bool,
    top: int,
    narrator: Narrator,
    echo: Callable[[str], None],
) -> Predictions | Codes:
    """Load a model, put every example of `data` through it in order, and write what it gives where it is wanted.

    A model answers; what was learned without labels gives features.
    """
    product = load(model)
    target = None if csv in (None, "-") else _target(csv)
    found = product.transform(data) if isinstance(product, Features) else product.predict(data)
    if found.left_out:
        narrator.say("Left out", *_reasons(found.left_out))
    if found.unlike:
        narrator.say(
            "Unlike", *_reasons(found.unlike), "what is said of these is a guess: training had none like them"
        )
    if as_json:
        plain = _codes_json(found, model) if isinstance(found, Codes) else _json(product, found, top, model)
        echo(json.dumps(plain, ensure_ascii=True, allow_nan=False))
    if as_json and target is None:
        return found
    text = codes_csv(found) if isinstance(found, Codes) else as_csv(product, found, top)
    if target is None:
        echo(text.rstrip("\n"))
    else:
        write_aside(target, text.encode("utf-8", "backslashreplace"))
        noun = "rows of features" if isinstance(found, Codes) else f"answers{_often(found)}"
        narrator.say("Done", f"{len(found.ids):,} {noun} in {csv}")
    return found


def _reasons(found: Sequence[LeftOut | Unlike]) -> list[str]:
    more = [f"and {len(found) - TOLD} more"] if len(found) > TOLD else []
    return [*(f"{one.path}: {one.reason}" for one in found[:TOLD]), *more]


def _often(found: Predictions) -> str:
    """How often each answer was given, where there are few."""
    counts = Counter(a for a in found.answer if isinstance(a, str | int | bool)).most_common()
    if not 1 <= len(counts) <= TOLD:
        return ""
    return f" ({', '.join(f'{shown(str(answer), 40)[1:-1]} {n:,}' for answer, n in counts)})"


def codes_csv(codes: Codes) -> str:
    """One row an example: `path,feature_1,...`; empty cells where it could not be read."""
    text = io.StringIO()
    writer = csv_format.writer(text, lineterminator="\n")
    writer.writerow(["path", *(f"feature_{k + 1}" for k in range(codes.values.shape[1]))])
    for path, row in zip(codes.ids, codes.values, strict=True):
        writer.writerow([_cell(path), *(_cell(_number(value)) for value in row)])
    return text.getvalue()


def _codes_json(codes: Codes, folder: str) -> dict[str, Any]:
    rows = zip(codes.ids, codes.values, strict=True)
    return {
        "model": folder,
        "task": None,
        "features": [{"path": _text(path), "values": [_number(v) for v in row]} for path, row in rows],
        "left_out": [{"path": _text(p.path), "reason": p.reason} for p in codes.left_out],
        "unlike": [{"path": _text(p.path), "reason": p.reason} for p in codes.unlike],
    }


def _target(csv: str) -> Path:
    path = Path(csv)
    if path.is_dir():
        raise UsageError(f"--csv {shown(csv)} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise UsageError(f"--csv {shown(csv)}: there is no folder {shown(path.parent)}; make it first")
    return path


def as_csv(model: Model, predictions: Predictions, top: int) -> str:
    """One row an example: `path,answer,confidence`, then the next likely answers.

    Cells that a spreadsheet would take for a formula are prefixed with an apostrophe; numbers are not.
    """
    text = io.StringIO()
    writer = csv_format.writer(text, lineterminator="\n")
    rows = _rows(model, predictions, top)
    extra = max((len(r["top"]) for r in rows), default=0)
    following = [f"{name}_{k}" for k in range(2, extra + 1) for name in ("answer", "confidence")]
    writer.writerow(["path", "answer", "confidence", *following])
    for row in rows:
        others = [cell for one in row["top"][1:] for cell in (_cell(one["answer"]), _cell(one["confidence"]))]
        writer.writerow([_cell(row["path"]), _cell(row["answer"]), _cell(row["confidence"]), *others])
    return text.getvalue()


def _rows(model: Model, predictions: Predictions, top: int) -> list[dict[str, Any]]:
    classes: list[Any] = list(getattr(model.task, "classes", []))
    rows = []
    for i, path in enumerate(predictions.ids):
        likely: list[dict[str, Any]] = []
        if classes and model.task.name == "classify" and predictions.answer[i] is not None:
            order = np.argsort(-predictions.decoded[i], kind="stable")[:top]
            likely = [{"answer": classes[k], "confidence": _number(predictions.decoded[i][k])} for k in order]
        rows.append(
            {
                "path": path,
                "answer": predictions.answer[i],
                "confidence": _number(predictions.confidence[i]),
                "top": likely,
            }
        )
    return rows


def _json(model: Model, predictions: Predictions, top: int, folder: str) -> dict[str, Any]:
    return {
        "model": folder,
        "task": model.task.name,
        "predictions": [{**row, "path": _text(row["path"])} for row in _rows(model, predictions, top)],
        "left_out": [{"path": _text(p.path), "reason": p.reason} for p in predictions.left_out],
        "unlike": [{"path": _text(p.path), "reason": p.reason} for p in predictions.unlike],
    }


def _text(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode()


def _number(value: Any) -> float | None:
    number = float(value)
    return None if math.isnan(number) else round(number, 6)


def _cell(value: Any) -> str:
    """A value as CSV text that no spreadsheet executes."""
    if value is None:
        return ""
    if isinstance(value, bool | int | float | np.number):
        return repr(value.item() if isinstance(value, np.generic) else value)
    if isinstance(value, list | tuple):
        return _guarded(";".join(_cell(v) for v in value))
    return _guarded(str(value))


def _guarded(text: str) -> str:
    if text[:1] in ("=", "+", "-", "@", "\t", "\r") and not _is_number(text):
        return "'" + text
    return text


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
