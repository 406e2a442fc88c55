"""The command's options."""

import argparse
import re
from pathlib import Path

QUOTA_BYTES = 100 << 30
TOKEN_LIFE_S = 3600
MOST_LATENCY_S = 60


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    made = argparse.ArgumentParser(
        prog="emulator",
        description="Serve an Amazon Cloud Drive that keeps its nodes and content in one folder.",
    )
    add = made.add_argument
    add(
        "verb",
        nargs="?",
        choices=("serve", "token"),
        default="serve",
        help="serve the folder (default), or print a token for it in rclone's form",
    )
    add(
        "--dir",
        required=True,
        type=Path,
        metavar="D",
        help="folder of nodes, content and tokens; made if missing",
    )
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--port", type=_port, default=0, help="port to listen on; 0 takes any (default: %(default)s)")
    add(
        "--consent", choices=("page", "auto"), default="page", help="ask before an app gets a code, or do not"
    )
    add(
        "--intercept",
        nargs="?",
        type=_port,
        const=0,
        metavar="PORT",
        help="lead unmodified clients here: an HTTPS proxy for Amazon's hosts, with a throw-away authority",
    )
    add(
        "--quota",
        type=_bytes,
        default=QUOTA_BYTES,
        metavar="BYTES",
        help="size of the drive (default: 100 GiB)",
    )
    add("--seed", type=int, metavar="N", help="make the faults' dice repeatable")
    add(
        "--fault",
        action="append",
        default=[],
        metavar="JSON",
        help="a fault rule, or a list; may be repeated",
    )
    add(
        "--latency",
        type=_duration,
        default=0.0,
        metavar="TIME",
        help="delay every answer by so long (20ms, 1.5s), none of them behind another",
    )
    add("--token-life", type=_positive, default=TOKEN_LIFE_S, metavar="SECONDS", help="life of access tokens")
    add("--issue-token", action="store_true", help="put a token, in rclone's form, into the ready line")
    add("--ready-json", action="store_true", help="print the ready line as JSON")
    add(
        "--ready-fd", type=int, metavar="FD", help="write the JSON ready line to this file descriptor as well"
    )
    add("--watch-stdin", action="store_true", help="end when standard input ends")
    add("--verbose", action="store_true", help="log every request to standard error")
    return made


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError("a port lies between 0 and 65535")
    return number


def _bytes(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("a size is not negative")
    return number


def _duration(text: str) -> float:
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s)", text, re.ASCII)
    if found is None or (seconds := float(found[1]) / (1000 if found[2] == "ms" else 1)) > MOST_LATENCY_S:
        raise argparse.ArgumentTypeError(f"a time such as 20ms or 1.5s, at most {MOST_LATENCY_S} s")
    return seconds


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number
