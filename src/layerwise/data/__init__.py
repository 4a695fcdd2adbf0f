"""Raw examples: opened where they lie, split, read once into a store, batched. Knows no kind of data."""

from layerwise.data.batches import Packed, collate
from layerwise.data.copies import duplicates
from layerwise.data.memory import memory_source
from layerwise.data.opening import open_source
from layerwise.data.reading import RowsRead, read_rows
from layerwise.data.roles import find_roles
from layerwise.data.source import Column, File, LeftOut, Roles, Source
from layerwise.data.split import Split, split_rows
from layerwise.data.store import Store
from layerwise.data.windows import Windows, cut_windows, latest_window

__all__ = [
    "Column",
    "File",
    "LeftOut",
    "Packed",
    "Roles",
    "RowsRead",
    "Source",
    "Split",
    "Store",
    "Windows",
    "collate",
    "cut_windows",
    "duplicates",
    "find_roles",
    "latest_window",
    "memory_source",
    "open_source",
    "read_rows",
    "split_rows",
]
