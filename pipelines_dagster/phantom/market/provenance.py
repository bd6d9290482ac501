# SPDX-License-Identifier: Apache-2.0
"""What an experiment prints beside its figures: the code, the command, the machine's load."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[3]


def sha() -> str:
    """The commit the figures were made with, `+` behind it where files had changed; `unknown`
    outside a repository."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        return head + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def told(seed: int) -> str:
    """One line: commit, command, seed, load."""
    command = " ".join(["python -m", _module(), *sys.argv[1:]])
    load = f"{os.getloadavg()[0]:.1f} of {os.cpu_count()} CPUs busy before"
    return f"commit {sha()}, `{command}`, seed {seed}, {platform.machine()}, {load}"


def _module() -> str:
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return str(spec.name) if spec else Path(sys.argv[0]).name


def _git(*arguments: str) -> str:
    asked = ["git", "-C", str(_ROOT), *arguments]
    return subprocess.run(
        asked, capture_output=True, text=True, check=True, timeout=10
    ).stdout.strip()
