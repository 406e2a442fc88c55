"""Where state lives."""

import os
from pathlib import Path

from runner.model.errors import StateError


def state_dir() -> Path:
    """The state directory, made if need be: `ACDRUN_STATE`, else `acdrun` in the XDG state home.

    Raises StateError when it cannot be used. Only its owner may enter it: it holds tokens and journals.
    """
    chosen = os.environ.get("ACDRUN_STATE")
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    home = Path(chosen or Path(base) / "acdrun").expanduser().absolute()
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        if home.stat().st_uid == os.getuid():
            home.chmod(0o700)
    except OSError as error:
        raise StateError(
            f"the state directory {str(home)!r} cannot be made: {error.strerror}",
            hint="set ACDRUN_STATE to a folder on a local disk that you may write to",
        ) from error
    if not os.access(home, os.R_OK | os.W_OK | os.X_OK):
        raise StateError(
            f"the state directory {str(home)!r} cannot be written to",
            hint="set ACDRUN_STATE to a folder on a local disk that you may write to",
        )
    return home
