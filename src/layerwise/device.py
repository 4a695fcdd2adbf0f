"""The machine: what computes, what it can do, how fast it is.

What is chosen here follows from the recipe and from features of the processor, never from a clock: a
measurement changes a result only if somebody writes what it advises into a recipe.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from layerwise.errors import MachineError

__all__ = [
    "Machine",
    "Measured",
    "best_device",
    "bring_back",
    "machine",
    "measure",
    "measured",
    "place",
    "threads",
    "threads_for",
]

WORTH = 1.3  # times as fast: what bfloat16 must be to be advised
WORTH_SHARING = 3e7  # multiply-adds of a step: with fewer, threads wait for each other longer than they work


@dataclass(frozen=True)
class Machine:
    """What layerwise computes on."""

    processor: str
    cores: int  # that this process may use
    memory_bytes: int
    vectors: str  # AVX512, AVX2, ..., as torch calls what it uses
    bfloat16: bool  # whether the device multiplies bfloat16 itself
    accelerator: str | None  # the name of the GPU

    def words(self) -> tuple[str, ...]:
        """What `layerwise doctor` says, a line each."""
        memory = f"{self.memory_bytes / 2**30:.0f} GB"
        products = "multiplies bfloat16 itself" if self.bfloat16 else "has no bfloat16 products of its own"
        threads = torch.get_num_threads()
        gpu = f"{self.accelerator}, used by default" if self.accelerator else "none that torch can use"
        return (
            f"processor  {self.processor}, {self.cores} cores to use, {memory} of memory",
            f"vectors    {self.vectors}; {'the GPU' if self.accelerator else 'it'} {products}",
            f"GPU        {gpu}",
            f"torch      {torch.__version__}, {threads} thread{'s' if threads > 1 else ''}",
        )


@dataclass(frozen=True)
class Measured:
    """How fast this machine is: 1e9 multiply-adds a second, by operation, precision and threads."""

    speeds: Mapping[str, float]  # "matmul float32 2" -> 41.3
    torch_version: str

    def fastest_threads(self) -> int:
        """The number of threads with which float32 products were fastest, both kinds counted."""
        threads = {int(name.split()[-1]) for name in self.speeds}
        return max(
            threads, key=lambda n: self.speeds[f"matmul float32 {n}"] * self.speeds[f"conv float32 {n}"]
        )

    def gain(self, operation: str) -> float:
        """How many times as fast `operation` is in bfloat16 as in float32."""
        threads = self.fastest_threads()
        return self.speeds[f"{operation} bfloat16 {threads}"] / self.speeds[f"{operation} float32 {threads}"]

    def advice(self) -> dict[str, tuple[str, str]]:
        """Lines for a recipe: name -> (value, reason)."""
        gain = min(self.gain("matmul"), self.gain("conv"))
        precision = "bfloat16" if gain >= WORTH else "float32"
        reason = f"bfloat16 products were measured {gain:.1f} times as fast as float32 ones here"
        return {"training.precision": (precision, reason)}

    def words(self) -> tuple[str, ...]:
        """What `layerwise doctor --measure` says, a line each."""
        lines = []
        for name, speed in self.speeds.items():
            operation, precision, threads = name.split()
            plural = "" if threads == "1" else "s"
            lines.append(f"{operation:<7}{precision:<9}{threads} thread{plural:<2}{speed:>9.1f} GMAC/s")
        lines += [f"{name} = {value}: {reason}" for name, (value, reason) in self.advice().items()]
        return tuple(lines)


def best_device() -> torch.device:
    """The GPU if torch can use one, else the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def machine() -> Machine:
    """This machine, by its features alone."""
    gpu = torch.cuda.is_available()
    flags = _processor_line("flags").split()
    own = (
        torch.cuda.is_bf16_supported(including_emulation=False)
        if gpu
        else {"avx512_bf16", "amx_bf16"} & set(flags)
    )
    return Machine(
        processor=_processor_line("model name") or platform.processor() or platform.machine(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        vectors=torch.backends.cpu.get_cpu_capability(),
        bfloat16=bool(own),
        accelerator=torch.cuda.get_device_name() if gpu else None,
    )


def place(net: nn.Module, *, precision: str) -> torch.device:
    """Move `net` to the best device, kernels laid out as that device and precision want them; where it is.

    Channels last on a GPU, and for bfloat16 on a processor, whose kernels are written for it.
    """
    device = best_device()
    net.to(device)
    if device.type == "cuda" or precision == "bfloat16":
        for module in net.modules():
            if isinstance(module, nn.Conv2d):
                module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return device


def bring_back(net: nn.Module) -> None:
    """Undo `place`: on the processor, laid out as a network that was loaded is, so that both answer alike."""
    net.to("cpu")
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]


def threads_for(multiply_adds: float) -> int:
    """How many threads a step of so many multiply-adds is worth: all that torch may use, or one."""
    return torch.get_num_threads() if multiply_adds >= WORTH_SHARING else 1


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Let torch compute on so many threads meanwhile."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def measure() -> Measured:
    """Time products in float32 and bfloat16 by number of threads, some seconds long, and keep the result.

    It is kept in the user's cache folder, a file a machine. Raises MachineError where that cannot be
    written.
    """
    device = best_device()
    before = torch.get_num_threads()
    speeds: dict[str, float] = {}
    try:
        for threads in _thread_counts(device):
            torch.set_num_threads(threads)
            for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
                for operation, (work, multiply_adds) in _operations(device, dtype).items():
                    speeds[f"{operation} {name} {threads}"] = multiply_adds / _seconds(work) / 1e9
    finally:
        torch.set_num_threads(before)
    result = Measured(speeds, torch.__version__)
    path = _kept_at()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(result), indent=1))
    except OSError as error:
        raise MachineError(
            f"cannot keep the measurement in {path}: {error.strerror or error}. Make it writable, or name"
            " another folder in XDG_CACHE_HOME"
        ) from error
    return result


def measured() -> Measured | None:
    """What `measure` found on this machine with this torch, or None."""
    try:
        plain = json.loads(_kept_at().read_text())
        result = Measured({str(k): float(v) for k, v in plain["speeds"].items()}, str(plain["torch_version"]))
        result.advice()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return result if result.torch_version == torch.__version__ else None


def _operations(device: torch.device, dtype: torch.dtype) -> dict[str, tuple[Callable[[], Tensor], float]]:
    """Products as training has them, at batch 128: what to run, and how many multiply-adds it is."""
    a, b = (
        torch.ones(512, 1024, device=device, dtype=dtype),
        torch.ones(1024, 1024, device=device, dtype=dtype),
    )
    x = torch.ones(32, 64, 16, 16, device=device, dtype=dtype)
    k = torch.ones(64, 64, 3, 3, device=device, dtype=dtype)
    if dtype == torch.bfloat16:
        x, k = x.to(memory_format=torch.channels_last), k.to(memory_format=torch.channels_last)
    return {
        "matmul": (lambda: a @ b, 512.0 * 1024 * 1024),
        "conv": (lambda: conv2d(x, k, padding=1), 32.0 * 64 * 64 * 9 * 16 * 16),
    }


def _seconds(work: Callable[[], Tensor], *, enough: float = 0.25) -> float:
    """The fastest of as many calls as fit into `enough` seconds, at least three."""
    best, calls, end = float("inf"), 0, time.perf_counter() + enough
    work()
    while calls < 3 or time.perf_counter() < end:
        began = time.perf_counter()
        work()[..., -1].sum().item()  # waits for a GPU
        best, calls = min(best, time.perf_counter() - began), calls + 1
    return best


def _thread_counts(device: torch.device) -> list[int]:
    cores = machine().cores
    return [cores] if device.type == "cuda" else sorted({1, max(1, cores // 2), cores})


def _kept_at() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    who = json.dumps(asdict(machine()), sort_keys=True) + platform.node()
    return Path(cache) / "layerwise" / f"machine-{sha256(who.encode()).hexdigest()[:12]}.json"


def _processor_line(name: str) -> str:
    """What /proc/cpuinfo says of the first processor, or nothing."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    found: dict[str, Any] = dict(line.split("\t", 1)[:2] for line in reversed(lines) if "\t" in line)
    return str(found.get(name, "")).lstrip("\t: ").strip()
