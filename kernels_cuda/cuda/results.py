# SPDX-License-Identifier: Apache-2.0
"""docs/gpu_results.md: what a GPU measured, or that none has, and what ptxas says either way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kernels_cuda.cuda.parity import Parity
from kernels_cuda.cuda.resources import Resources
from kernels_cuda.cuda.timing import KERNELS, Timing

PAGE = Path(__file__).resolve().parents[2] / "docs" / "gpu_results.md"
HEADING = "# GPU results\n\nWritten by `make gpu-check`; do not edit.\n"
NOT_YET = """
**No GPU has run these kernels yet.** Nothing on this page was measured on a device. What is
checked without one: the same kernel code, compiled for the CPU, against the float64 definition
(`tests/cuda`), and what the compiler says below. Run `make gpu-check` on a machine with an NVIDIA
GPU (sm_80 or newer); it replaces this page.
"""
PARITY = """
## Parity

Largest relative differences from the float64 definition; the limit is 1e-6, tokens must be equal.

"""
TIMINGS = """
## Timings

Microseconds, argmax mode, T = 0.75, normal logits (sd 3) in device memory. Host: from submit to
wait's return, in C. Events: around one submission. Graph: per submission in a graph of 20 captured
ones, the gap between two included. Floor: the logits' bytes over the bandwidth of a plain copy in
the same run; "% of copy" is the floor over the graph's time, or the events' where there is none. A
lone reply's logits stay in the L2 cache from run to run, as they do after a model wrote them.

"""
GOALS = (
    ("one reply, 4 rows, host-visible", "<= 15 us"),
    ("one reply, 4 rows, kernel", "<= 5 us"),
    ("256 replies, share of the copy bandwidth", ">= 75 %"),
)


@dataclass
class Run:
    """Everything one gpu-check found."""

    device: str
    driver: str
    bandwidth: float  # bytes per microsecond
    parity: list[Parity] = field(default_factory=list)
    sanitizers: dict[str, str] = field(default_factory=dict)
    timings: list[Timing] = field(default_factory=list)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


def resource_section(resources: Sequence[Resources]) -> str:
    """Registers, shared memory and spills; dynamic shared memory depends on the reply."""
    if not resources:
        return "\n## What the compiler says\n\nThe library was built elsewhere.\n"
    used = [r for r in resources if not (r.kernel.startswith("cluster") and r.arch == "sm_80")]
    head = ("kernel", "arch", "registers a thread", "static shared bytes", "stack", "spills")
    rows = [
        (r.kernel, r.arch, r.registers, r.shared, r.stack, r.spills) for r in sorted(used, key=str)
    ]
    return "\n## What the compiler says\n\nptxas, 256 threads a block.\n\n" + table(head, rows)


def parity_section(parities: Sequence[Parity]) -> str:
    """Answers against the float64 definition."""
    head = (
        "kernel",
        "replies",
        "wrong",
        "repeated in f64",
        "pay",
        "critical bid",
        "P(t)",
        "CPU twin's bits",
    )
    rows = [
        (
            p.kernel,
            p.replies,
            p.wrong,
            f"{100 * p.precise / max(p.replies, 1):.1f} %",
            *(f"{p.worst[name]:.1e}" for name in ("pay", "critical_bid", "p_token")),
            f"{p.compared - p.other_bits} of {p.compared}" if p.compared else "not compared",
        )
        for p in parities
    ]
    faults = "".join(f"- {p.kernel}: {text}\n" for p in parities for text in p.first_faults)
    return PARITY + table(head, rows) + ("\n" + faults if faults else "")


def _goal_values(timings: Sequence[Timing]) -> list[tuple[str, str]]:
    fused = [t for t in timings if t.shape.kernel != min(KERNELS) and t.shape.rows == 4]
    usual = [t for t in fused if t.shape.vocab == 49_152]
    lone = [t for t in usual if t.shape.replies == 1]
    many = [t for t in usual if t.shape.replies == 256]
    if not lone or not many:
        return []

    def say(t: Timing, value: str) -> str:
        return f"{value} ({KERNELS[t.shape.kernel]}, {t.shape.dtype})"

    host, kernel = min(lone, key=lambda t: t.host_p95), min(lone, key=lambda t: t.kernel)
    full = max(many, key=lambda t: t.percent)
    return [
        (GOALS[0][0], say(host, f"p95 {host.host_p95:.1f} us")),
        (GOALS[1][0], say(kernel, f"{kernel.kernel:.1f} us")),
        (GOALS[2][0], say(full, f"{full.percent:.0f} %")),
    ]


def timing_section(timings: Sequence[Timing]) -> str:
    """Every shape's times beside its floor."""
    goals = [(name, goal, dict(_goal_values(timings)).get(name, "-")) for name, goal in GOALS]
    head = (
        "kernel",
        "replies",
        "rows",
        "V",
        "type",
        "host median",
        "host p95",
        "events",
        "graph",
        "floor",
        "% of copy",
    )
    rows = [
        (
            KERNELS[t.shape.kernel],
            t.shape.replies,
            t.shape.rows,
            f"{t.shape.vocab:,}",
            t.shape.dtype,
            *(f"{value:.1f}" for value in (t.host_median, t.host_p95, t.event)),
            "-" if t.graph is None else f"{t.graph:.1f}",
            f"{t.floor:.2f}",
            f"{t.percent:.0f}",
        )
        for t in timings
    ]
    return (
        "\n## Goals\n\n"
        + table(("what", "goal", "best measured"), goals)
        + TIMINGS
        + table(head, rows)
    )


def measured_page(run: Run, resources: Sequence[Resources]) -> str:
    """The page after a run on a GPU."""
    lines = [
        f"\nDevice: {run.device}. CUDA driver {run.driver}. "
        f"Plain copy: {run.bandwidth / 1e6:.2f} TB/s, bytes read plus bytes written.\n",
        parity_section(run.parity),
        "\n## compute-sanitizer\n\n" + table(("tool", "result"), run.sanitizers.items()),
        timing_section(run.timings),
        resource_section(resources),
    ]
    return HEADING + "".join(lines)


def static_page(resources: Sequence[Resources]) -> str:
    """The page before any run."""
    goals = table(("what", "goal", "measured"), [(name, goal, "not yet") for name, goal in GOALS])
    return HEADING + NOT_YET + "\n## Goals on an H100\n\n" + goals + resource_section(resources)
