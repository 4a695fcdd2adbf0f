"""What files are by their extensions: enough to tell examples from what lies beside them."""

from __future__ import annotations

from layerwise.data.source import File

__all__ = ["FAMILIES", "IMAGES", "SOUNDS", "TABLES", "family"]

IMAGES = frozenset(
    (
        ".png",
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".webp",
        ".tif",
        ".tiff",
        ".bmp",
        ".dib",
        ".pgm",
        ".ppm",
        ".pbm",
    )
) | {".pnm", ".gif"}
SOUNDS = frozenset(
    (
        ".wav",
        ".wave",
        ".aif",
        ".aiff",
        ".aifc",
        ".flac",
        ".ogg",
        ".oga",
        ".opus",
        ".mp3",
        ".au",
        ".snd",
        ".w64",
    )
) | {".caf"}
TEXTS = frozenset((".txt", ".text", ".md", ".rst", ".html", ".htm", ".xml", ".tex", ".eml"))
TABLES = frozenset((".csv", ".tsv", ".tab", ".parquet", ".pq"))
FAMILIES = {"images": IMAGES, "sounds": SOUNDS, "texts": TEXTS, "tables": TABLES}


def family(file: File) -> str:
    """`images`, `sounds`, `texts`, `tables`, or the extension of anything else."""
    return next((name for name, suffixes in FAMILIES.items() if file.suffix in suffixes), file.suffix)
