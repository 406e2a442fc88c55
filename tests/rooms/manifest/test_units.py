"""Quantities: each form reads to its value, and is written back to what reads the same."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.model import show, units
from runner.model.units import Backoff, BadQuantity


@pytest.mark.parametrize(
    ("text", "size"),
    [("20GiB", 20 << 30), ("500MB", 500_000_000), ("1kB", 1000), ("1KB", 1000), ("1KiB", 1024),
     ("1024", 1024), (1024, 1024), ("0", 0), ("7 B", 7), ("1.5GiB", 3 << 29), ("1TiB", 1 << 40), (0, 0)],
)  # fmt: skip
def test_a_size_reads(text: object, size: int) -> None:
    assert units.parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "GiB", "-1", -1, "1 GIB", "1gb", "1e3", "1_000", "٣", True, None, 1.5, [], "1.GB", "+1"]
)
def test_nonsense_is_no_size(text: object) -> None:
    with pytest.raises(BadQuantity) as caught:
        units.parse_size(text)

    assert '"20GiB"' in caught.value.hint


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("2h", 7200), ("1d", 86400), ("1h30m", 5400), ("250ms", 0.25), ("0s", 0),
     ("1.5h", 5400), ("1w", 604800), ("1m250ms", 60.25)],
)  # fmt: skip
def test_a_duration_reads(text: str, seconds: float) -> None:
    assert units.parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "90",
        90,
        "s",
        "-1s",
        "1m1h",
        "1m1m",
        "1 m",
        "1min",
        "1M",
        "1h30",
        "9" * 15 + "w",
        None,
        False,
        "1µs",
    ],
)
def test_nonsense_is_no_duration(text: object) -> None:
    with pytest.raises(BadQuantity) as caught:
        units.parse_duration(text)

    assert '"1h30m"' in caught.value.hint


@pytest.mark.parametrize(
    ("text", "ratio"), [("5%", 0.05), ("0.5%", 0.005), ("100%", 1.0), ("0%", 0.0), ("5 %", 0.05)]
)
def test_a_percentage_reads(text: str, ratio: float) -> None:
    assert units.parse_percent(text) == ratio


@pytest.mark.parametrize("text", ["5", 5, 0.05, "101%", "-5%", "%", "", None, True, "5%%"])
def test_nonsense_is_no_percentage(text: object) -> None:
    with pytest.raises(BadQuantity) as caught:
        units.parse_percent(text)

    assert '"5%"' in caught.value.hint


@pytest.mark.parametrize(("text", "rate"), [("20MiB/s", 20 << 20), ("500kB/s", 500_000), ("1 B / s", 1)])
def test_a_rate_reads(text: str, rate: int) -> None:
    assert units.parse_rate(text) == rate


@pytest.mark.parametrize("text", ["20MiB", "20", 20, "0B/s", "/s", "20MiB/m", "-1B/s", "20Mbit/s"])
def test_nonsense_is_no_rate(text: object) -> None:
    with pytest.raises(BadQuantity) as caught:
        units.parse_rate(text)

    assert '"20MiB/s"' in caught.value.hint


def test_a_backoff_reads() -> None:
    assert units.parse_backoff("1s..2m") == Backoff(timedelta(seconds=1), timedelta(minutes=2))


@pytest.mark.parametrize("text", ["1s", "2m..1s", "..", "1s..", "1..2", 1, None, "1s...2m"])
def test_nonsense_is_no_backoff(text: object) -> None:
    with pytest.raises(BadQuantity) as caught:
        units.parse_backoff(text)

    assert '"1s..2m"' in caught.value.hint


@given(st.integers(0, 1 << 60))
def test_a_written_size_reads_back(size: int) -> None:
    assert units.parse_size(show.write_size(size)) == size


@given(st.timedeltas(timedelta(0), timedelta(days=100_000)))
def test_a_written_duration_reads_back(duration: timedelta) -> None:
    assert units.parse_duration(show.write_duration(duration)) == duration


@given(st.decimals(0, 100, places=4))
def test_a_written_percentage_reads_back(percent: object) -> None:
    ratio = float(f"{percent}") / 100

    assert units.parse_percent(show.write_percent(round(ratio, 10))) == round(ratio, 10)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0B"),
        (1023, "1023B"),
        (20 << 30, "20GiB"),
        (1536, "1.5KiB"),
        (1_300_000, "1.24MiB"),
        (123456, "121KiB"),
    ],
)
def test_a_shown_size_has_three_digits(size: int, text: str) -> None:
    assert show.show_size(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.25, "250ms"), (1.5, "1.5s"), (90, "1m30s"), (60, "1m"), (125, "2m05s"), (5400, "1h30m"),
     (86400, "1d"), (90000, "1d01h"), (-90, "-1m30s"), (59.7, "1m")],
)  # fmt: skip
def test_a_shown_duration_has_two_units(seconds: float, text: str) -> None:
    assert show.show_duration(seconds) == text


def test_showing_needs_no_pydantic() -> None:
    import subprocess
    import sys

    code = "import sys, runner.model.show; assert 'pydantic' not in sys.modules"

    subprocess.run([sys.executable, "-c", code], check=True)
