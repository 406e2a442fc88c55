"""How a command ends that raised: what it says, and its exit code."""

import os
from pathlib import Path

from runner.cli.output import Output
from runner.model.errors import AcdrunError, ManifestError
from runner.model.exits import Exit
from runner.model.path import show
from runner.report.line import Line


def ended(error: BaseException, output: Output, *, json: bool = False) -> Exit:
    """Tell of the error on stderr, and in the outcome where JSON is asked for; return the exit code."""
    if isinstance(error, KeyboardInterrupt):
        code = Exit.INTERRUPTED
    elif isinstance(error, AcdrunError):
        code = error.exit
        _tell_error(error, output, json=json)
    else:
        code = Exit.FAILED
        _tell_crash(error, output)
    if json:
        from runner.report.json import outcome_record

        output.record(outcome_record(code, error))
    return code


def _tell_error(error: AcdrunError, output: Output, *, json: bool) -> None:
    if isinstance(error, ManifestError):
        for problem in error.problems:
            for text in str(problem).splitlines():
                output.tell(show(text))
            if json:
                from runner.report.json import problem_record

                output.record(problem_record(problem))
        files = {problem.place.file for problem in error.problems}
        problems = f"{len(error.problems)} problem{'s' * (len(error.problems) != 1)}"
        output.tell(
            Line(f"acdrun: error: {problems} in {', '.join(sorted(files))}; nothing was contacted", "error")
        )
        return
    place = f"{error.place}: " if error.place else ""
    output.tell(Line(f"acdrun: error: {place}{_plain(str(error))}", "error"))
    if error.hint:
        output.tell(f"  hint: {_plain(error.hint)}")


def _tell_crash(error: BaseException, output: Output) -> None:
    where = _keep(error)
    message = _redacted(f"{type(error).__name__}: {error}").splitlines()[0]
    output.tell(Line(f"acdrun: error: acdrun itself failed: {_plain(message)}", "error"))
    output.tell(f"  {where}")
    output.tell("  nothing is lost: run the same command again, and what was done is not done twice")


def _keep(error: BaseException) -> str:
    """Write the traceback down, without the values of variables; say where."""
    import time
    import traceback

    text = _redacted("".join(traceback.format_exception(error)))
    try:
        from runner.state.home import state_dir

        folder = state_dir() / "crashes"
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{os.getpid()}.txt"
        _write(path, text)
    except (OSError, AcdrunError) as problem:
        return f"the details could not be written down: {_plain(str(problem))}"
    return f"details in {path}"


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", errors="backslashreplace") as file:
        file.write(text)


def _redacted(text: str) -> str:
    from runner.remote.secrets import redact

    return redact(text)


def _plain(text: str) -> str:
    return "\n  ".join(show(line) for line in text.splitlines())
