"""kill -9 in the middle of a run, and `resume`."""

import signal
import time

from tests.stories.conftest import Machine
from tests.stories.test_killed import wait_for
from tests.stories.test_nightly import md5s

FILES = 600


def test_a_killed_run_is_told_of_and_goes_on(machine: Machine) -> None:
    job = machine.nightly()
    machine.write({f"{number // 100:02}/{number}.jpg": f"picture {number}" * 50 for number in range(FILES)})
    process = machine.start(job)
    wait_for(machine, 100)

    process.send_signal(signal.SIGKILL)
    process.communicate()
    time.sleep(0.5)  # the server winds down; nothing tells us when
    stood = machine.acdrun("status")
    said = machine.acdrun("resume")
    again = machine.acdrun("resume")

    assert "interrupted" in stood.out
    assert said.code == 0, said.err
    assert "was cut off" in said.err
    assert "photos: upload: " in said.err
    with machine.drive() as drive:
        assert drive.files() == md5s(machine)
    assert again.out == "nothing was cut off\n"
