"""Findings as JSON and back: what a model folder keeps of its report. Raw examples are never kept."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

from layerwise import findings
from layerwise.findings import Gallery, Section

__all__ = ["from_record", "to_record"]

_TYPES = (
    *(findings.Image, findings.Sound, findings.Snippet, findings.Curves, findings.Dots, findings.Bars),
    *(
        findings.Heat,
        findings.Scatter,
        findings.Rows,
        findings.Tile,
        findings.Gallery,
        findings.Code,
        findings.Finding,
        Section,
    ),
)
_BY_NAME = {t.__name__.lower(): t for t in _TYPES}


def to_record(sections: Sequence[Section]) -> list[dict[str, Any]]:
    """Sections as plain data, without the galleries that show raw examples."""
    return [_plain(section) for section in sections]


def from_record(plain: Sequence[Mapping[str, Any]]) -> tuple[Section, ...]:
    """The sections that `to_record` wrote. Raises KeyError, TypeError or ValueError on anything else."""
    revived = tuple(_revive(p) for p in plain)
    if not all(isinstance(s, Section) for s in revived):
        raise ValueError("findings hold sections and nothing else")
    return revived


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        told = {
            f.name: getattr(value, f.name)
            for f in fields(value)
            if not _is_default(f, getattr(value, f.name))
        }
        return {"type": type(value).__name__.lower(), **{k: _plain(v) for k, v in told.items()}}
    if isinstance(value, bytes):
        return {"type": "bytes", "base64": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):
        return [_plain(v) for v in value if not (isinstance(v, Gallery) and v.examples)]
    return value.item() if hasattr(value, "item") else value


def _is_default(field: Field[Any], value: Any) -> bool:
    if field.default_factory is not MISSING:
        return not value
    return field.default is not MISSING and (value is None or value == field.default)


def _revive(plain: Any) -> Any:
    if isinstance(plain, list):
        return tuple(_revive(v) for v in plain)
    if not isinstance(plain, dict):
        return plain
    if plain.get("type") == "bytes":
        return base64.b64decode(plain["base64"])
    if plain.get("type") in _BY_NAME:
        held = {k: _revive(v) for k, v in plain.items() if k != "type"}
        return _BY_NAME[plain["type"]](**held)
    return {k: _revive(v) for k, v in plain.items()}
