"""Numbers of files and bytes in words."""

from runner.model.show import show_size
from runner.model.tally import Amount


def count(number: int, thing: str = "file") -> str:
    """ "1 file", "1,204 files", "2 entries"."""
    if number == 1:
        return f"1 {thing}"
    return f"{number:,} {thing[:-1]}ies" if thing.endswith("y") else f"{number:,} {thing}s"


def amount(files: Amount, thing: str = "file") -> str:
    """ "1,204 files (12.3MiB)"."""
    return f"{count(files.number, thing)} ({show_size(files.size)})"


def proof(word: str) -> str:
    """What a proof's name means for files that were found unchanged, or that were sent."""
    return {
        "size": "by size only (content unproven)",
        "time": "by size and time only (content unproven)",
        "": "unproven",
        "read back": "proven by reading back",
        "moved": "moved within the destination",
    }.get(word, f"proven by {word}")
