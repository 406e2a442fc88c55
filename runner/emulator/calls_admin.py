"""Calls that steer the emulator itself: faults and counts. They are no part of the protocol."""

from runner.emulator.answers import Answer, json_answer
from runner.emulator.call import Call
from runner.emulator.faults import BadRule, read_rules
from runner.emulator.routing import Route


async def show_faults(call: Call) -> Answer:
    """Show the rules in force."""
    return json_answer(200, call.emulator.faults.as_json())


async def add_faults(call: Call) -> Answer:
    """Add rules after those in force."""
    try:
        call.emulator.faults.rules += read_rules(call.read_any(await call.text()))
    except BadRule as error:
        return json_answer(400, {"message": str(error)})
    return json_answer(201, call.emulator.faults.as_json())


async def clear_faults(call: Call) -> Answer:
    """Drop all rules."""
    call.emulator.faults.rules.clear()
    return Answer(204)


async def show_counts(call: Call) -> Answer:
    """Show how many requests came, by method and route template, faults and refusals included."""
    counts = call.emulator.counts
    return json_answer(200, {"total": sum(counts.values()), "requests": dict(sorted(counts.items()))})


async def clear_counts(call: Call) -> Answer:
    """Count from nought again."""
    call.emulator.counts.clear()
    return Answer(204)


ROUTES = [
    Route("GET", "/admin/faults", "admin", show_faults),
    Route("POST", "/admin/faults", "admin", add_faults),
    Route("DELETE", "/admin/faults", "admin", clear_faults),
    Route("GET", "/admin/counts", "admin", show_counts),
    Route("DELETE", "/admin/counts", "admin", clear_counts),
]
