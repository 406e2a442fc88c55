"""The rules of a run's order (reliability.md §2), each taken out."""

import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from runner.backends.acd import store
from runner.backends.acd.store import Store
from runner.backends.local import carrying, draft, reading
from runner.backends.memory import Memory
from runner.engine import scheduler
from runner.engine.reading import Reading, read_pair
from runner.model.checksum import Checksum
from runner.model.content import Content
from runner.model.errors import AcdrunError, NotFound
from runner.model.node import Node
from runner.model.operation import Operation
from runner.model.task import All, Context
from runner.remote import listed, walk
from runner.remote.remote import Remote
from runner.tasks.barrier import Barrier
from runner.tasks.move import Move
from runner.tasks.respell import Respell
from runner.tasks.retire import Retire
from runner.tasks.trash import Trash
from runner.tasks.upload import Upload
from runner.tasks.verify import Verify
from tests.ablation.switch import Ablation, both, none, put, without, yes

_APP = "tests/rooms/app"
_EDGES = f"{_APP}/test_edges.py"
_CONTRACT = "tests/contract/test_contract.py::test_contract"


async def _put_blindly(self: Remote, path: str, content: Content, *, expect: str | None = None) -> Node:
    full = self._full(path)
    with contextlib.suppress(NotFound):
        expect = (await self.backend.stat(full)).generation
    return await self.backend.put(full, content, expect=expect)


async def _trash_blindly(self: Remote, path: str, *, expect: str | None = None) -> str:
    return await self.backend.trash(self._full(path), expect=None)


async def _move_blindly(self: Remote, path: str, to: str, *, expect: str | None = None) -> Node:
    return await self.backend.move(self._full(path), self._full(to), expect=None)


async def _withdraw_by_name(self: Remote, path: str, stored: Node) -> None:
    await self.trash(path, expect=None)


async def _verify_by_name(self: Verify, op: Operation, ctx: Context) -> Any:
    return await _VERIFY(self, op._replace(stored=""), ctx)


_VERIFY = Verify.run


def _keep_nothing(self: Memory, path: str, node: Node) -> str:
    return self._next()


def _replaced_for_good(self: draft.Draft, old: Any) -> str:
    import os

    os.rename(self._temp, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
    return ""


async def _no_look(self: Upload, op: Operation, ctx: Context) -> None:
    return None


async def _take_its_word(self: Upload, op: Operation, stored: Node, sent: Checksum, ctx: Context) -> str:
    return ctx.algorithm


async def _any_generation(self: Remote, path: str, generation: str | None) -> AsyncGenerator[bytes, None]:
    async for chunk in self.read(path, expect=None):
        yield chunk


async def _any_size(self: Content) -> AsyncGenerator[bytes, None]:
    data = b""
    async for chunk in self._source():
        data += chunk
        yield chunk
    self._checksum = Checksum.of(self.algorithm, data)


async def _any_bytes(self: Content) -> AsyncGenerator[bytes, None]:
    self._expect = None
    async for chunk in _CHUNKS(self):
        yield chunk


_CHUNKS = Content.chunks


def _not_again(run: Any) -> Any:
    """A try whose answer was lost is not looked up: it is as if nobody had tried."""

    async def once(self: Any, op: Operation, ctx: Context) -> Any:
        return await run(self, op._replace(again=False), ctx)

    return once


def _gaps_are_fine(*titles: str) -> Any:
    async def ended(*args: Any) -> Reading:
        found = await read_pair(*args)
        for title in titles:
            if isinstance(found[title], str):
                found[title] = ""
        return found

    return ended


async def _blocked_is_fine(*args: Any) -> Reading:
    found = await read_pair(*args)
    found.hold = ""
    return found


async def _gapless(list_: Any, admits: Any, folder: str) -> Any:
    return (await _LOOK(list_, admits, folder))._replace(gaps=())


_LOOK = walk.look


async def _absent_when_unknown(self: Remote, path: str) -> Node:
    try:
        return await _STAT(self, path)
    except NotFound:
        raise
    except AcdrunError as error:
        raise NotFound("unknown", path=path) from error


_STAT = Remote.stat


async def _sure(self: Move, *_: object, **__: object) -> bool:
    return True


async def _believed(self: Store, node: Any, size: int, md5: str) -> Any:
    return node._replace(md5=md5)


def _one_and_the_same(seen: object) -> str:
    return "the same"


def _raise(error: Exception) -> None:
    raise error


async def _leave_it(self: Store, node: Any) -> bool:
    return True


RULES = (
    Ablation(
        "1: the barrier waits for the uploads",
        without(Barrier, All("upload")),
        (f"{_APP}/test_barrier.py::test_G5_one_upload_that_failed_keeps_all_that_was_to_be_trashed",),
    ),
    Ablation(
        "1: the barrier waits for the folders",
        without(Barrier, All("mkdir")),
        (f"{_EDGES}::test_G5_a_folder_that_cannot_be_made_keeps_all_that_was_to_be_trashed",),
    ),
    Ablation(
        "1: the barrier waits for the renames",
        without(Barrier, All("move")),
        (f"{_EDGES}::test_G5_a_file_that_cannot_be_moved_keeps_all_that_was_to_be_trashed",),
    ),
    Ablation(
        "1: the barrier waits for respelled folders",
        without(Barrier, All("respell")),
        (f"{_EDGES}::test_G5_a_folder_that_cannot_be_respelled_keeps_all_that_was_to_be_trashed",),
    ),
    Ablation(
        "1: the barrier waits for what is read back",
        without(Barrier, All("verify")),
        (f"{_EDGES}::test_G5_bytes_that_cannot_be_read_back_keep_all_that_was_to_be_trashed",),
    ),
    Ablation(
        "1: the barrier waits for whole listings",
        without(Barrier, All("list")),
        (f"{_EDGES}::test_N12_a_folder_that_cannot_be_listed_keeps_all_that_was_to_be_trashed",),
    ),
    Ablation(
        "1: trash waits for the barrier",
        without(Trash, All("barrier")),
        (f"{_APP}/test_barrier.py::test_G5_one_upload_that_failed_keeps_all_that_was_to_be_trashed",),
    ),
    Ablation(
        "1: nothing is trashed while something is blocked",
        put(scheduler, "read_pair", _blocked_is_fine),
        (f"{_EDGES}::test_I6_what_is_blocked_keeps_all_that_was_to_be_trashed",),
    ),
    Ablation(
        "1: a source is emptied after all else",
        without(Retire, All("barrier"), All("trash")),
        ("tests/rooms/verbs/test_move.py::test_a_failing_upload_keeps_every_source_file",),
    ),
    Ablation(
        "2: an overwrite in memory keeps the old content",
        put(Memory, "_keep", _keep_nothing),
        (f"{_CONTRACT}[memory-what_was_replaced_is_in_the_trash]",),
    ),
    Ablation(
        "2: an overwrite on a disk keeps the old content",
        put(draft.Draft, "_replace", _replaced_for_good),
        (
            f"{_CONTRACT}[local-what_was_replaced_is_in_the_trash]",
            "tests/rooms/local/test_trash.py::test_every_generation_that_was_replaced_is_in_the_trash",
        ),
    ),
    Ablation(
        "2: an overwrite on a drive keeps the old content",
        put(store, "remove", none),
        ("tests/rooms/acd/test_replace.py::test_a_replace_keeps_the_old_content_in_the_trash",),
    ),
    Ablation(
        "3: a put has a precondition",
        put(Remote, "put", _put_blindly),
        (
            f"{_CONTRACT}[memory-a_create_never_replaces]",
            f"{_CONTRACT}[memory-a_replace_of_another_generation_is_stale]",
            f"{_APP}/test_plans.py::test_D10_what_drifted_is_told_and_left_and_the_rest_goes_on",
        ),
    ),
    Ablation(
        "3: a trashing has a precondition",
        put(Remote, "trash", _trash_blindly),
        (f"{_CONTRACT}[memory-a_trash_of_another_generation_is_stale]",),
    ),
    Ablation(
        "3: a move has a precondition",
        put(Remote, "move", _move_blindly),
        (
            f"{_CONTRACT}[memory-a_move_of_another_generation_is_stale]",
            f"{_APP}/test_renames.py::test_an_old_place_that_is_no_longer_what_was_planned_stays_and_nothing_is_trashed",
        ),
    ),
    Ablation(
        "3: a disk looks before it publishes",
        put(draft.Draft, "_expected", yes),
        (f"{_CONTRACT}[local-a_replace_of_another_generation_is_stale]",),
    ),
    Ablation(
        "3: a drive looks before it replaces",
        put(Store, "_expected", lambda self, node_id, *_: self._wire.node(node_id)),
        (
            "tests/rooms/acd/test_replace.py::test_a_replace_of_what_is_not_there_any_more_is_stale_and_leaves_nothing",
        ),
    ),
    Ablation(
        "4: an upload is looked for before it is repeated",
        put(Upload, "_already_there", _no_look),
        (f"{_APP}/test_trouble.py::test_N3_an_upload_whose_answer_was_lost_is_found_and_not_sent_again",),
    ),
    Ablation(
        "4: a move is looked for before it is repeated",
        put(Move, "run", _not_again(Move.run)),
        (
            f"{_APP}/test_trouble.py::test_a_move_whose_answer_was_lost_is_found",
            f"{_APP}/test_renames.py::test_a_move_whose_answer_was_lost_is_looked_up_and_not_repeated",
        ),
    ),
    Ablation(
        "4: a respelling is looked for before it is repeated",
        put(Respell, "run", _not_again(Respell.run)),
        (f"{_EDGES}::test_N3_a_folder_that_was_respelled_is_found_where_its_old_name_leads_nowhere",),
    ),
    Ablation(
        "4: a drive is asked whether an upload arrived",
        put(Store, "_adopted", lambda self, folder, name, content, form, error: _raise(error)),
        (
            "tests/rooms/acd/test_store.py::test_N16_an_upload_that_appears_after_we_gave_up_is_adopted_by_the_next_attempt",
        ),
    ),
    Ablation(
        "5: the new place is proven",
        put(Move, "_is", _sure),
        (
            f"{_APP}/test_renames.py::test_a_new_place_that_is_not_what_was_moved_there_is_damage_and_nothing_is_trashed",
            f"{_APP}/test_renames.py::test_a_stranger_at_the_new_place_is_not_taken_for_a_move_whose_answer_was_lost",
        ),
    ),
    Ablation(
        "5: the source still has it at the new place",
        put(Move, "_still_there", none),
        (
            f"{_APP}/test_renames.py::test_a_plan_whose_renamed_file_has_vanished_from_the_source_leaves_the_old_place_alone",
            f"{_APP}/test_renames.py::test_a_renamed_file_whose_content_was_changed_behind_its_times_is_not_moved_and_then_sent",
        ),
    ),
    Ablation(
        "5: what leaves the source is proven at the destination",
        put(Retire, "_prove", none),
        (
            "tests/rooms/verbs/test_move.py::test_an_unchanged_file_is_taken_only_when_its_content_is_proven",
            "tests/rooms/verbs/test_move.py::test_a_copy_that_changed_after_it_was_listed_keeps_the_source",
        ),
    ),
    Ablation(
        "6: what is stored is compared with what was sent",
        put(Upload, "_proof", _take_its_word),
        (
            f"{_APP}/test_trouble.py::test_N11_bytes_that_stand_there_wrong_after_an_upload_are_damage_and_no_drift",
            f"{_APP}/test_corrupted.py::test_N11_what_was_stored_wrong_is_found_and_does_not_stay",
        ),
    ),
    Ablation(
        "6: a drive's answer is compared with what was sent",
        put(Store, "_proven", _believed),
        ("tests/rooms/acd/test_store.py::test_N9_a_wrong_digest_trashes_exactly_the_node_that_was_made",),
    ),
    Ablation(
        "6: the source is the generation that was listed",
        both(put(listed, "chunks", _any_generation), put(Content, "chunks", _any_size)),
        (f"{_APP}/test_trouble.py::test_S1_a_source_that_changes_while_it_is_read_is_tried_again_then_told",),
    ),
    Ablation(
        "6: a source has the size that was listed",
        put(Content, "chunks", _any_size),
        (f"{_CONTRACT}[memory-a_source_that_shrinks_or_grows_is_not_published]",),
    ),
    Ablation(
        "6: known bytes are sent and no others",
        put(Content, "chunks", _any_bytes),
        (f"{_APP}/test_proving.py::test_bytes_that_the_source_itself_belies_are_never_sent",),
    ),
    Ablation(
        "6: a file of a disk is compared before and after it is read",
        put(reading, "generation", _one_and_the_same),
        ("tests/rooms/local/test_reading.py::test_S1_a_file_that_moves_on_while_it_is_read_is_changed",),
    ),
    Ablation(
        "6: what a disk copied is read back",
        put(carrying.Carrier, "_comes_back", yes),
        (
            "tests/rooms/local/test_carrying.py::test_N11_what_is_stored_otherwise_is_not_published[True]",
            "tests/rooms/local/test_carrying.py::test_N11_what_is_stored_otherwise_is_not_published[False]",
        ),
    ),
    Ablation(
        "6: what a disk stored is read back",
        put(draft.Draft, "_comes_back", yes),
        (
            "tests/rooms/local/test_draft.py::test_N11_what_is_stored_is_read_back_before_it_is_published[True-2097157-4]",
        ),
    ),
    Ablation(
        "7: only the generation that was stored wrong is withdrawn",
        put(Remote, "withdraw", _withdraw_by_name),
        (
            f"{_EDGES}::test_N9_what_somebody_else_stored_meanwhile_is_not_withdrawn_for_what_was_stored_wrong",
        ),
    ),
    Ablation(
        "7: what somebody else wrote is not read back for ours",
        put(Verify, "run", _verify_by_name),
        (
            f"{_APP}/test_corrupted.py"
            "::test_N11_what_somebody_else_wrote_meanwhile_is_never_taken_for_what_was_stored_wrong[readback]",
        ),
    ),
    Ablation(
        "7: a drive takes away the node that it made",
        put(Store, "_discard", _leave_it),
        ("tests/rooms/acd/test_store.py::test_N9_a_wrong_digest_trashes_exactly_the_node_that_was_made",),
    ),
    Ablation(
        "8: what could not be listed is not absent",
        put(walk, "look", _gapless),
        (
            "tests/rooms/remote_walk/test_walk.py::test_a_folder_that_cannot_be_listed_is_a_gap_and_the_walk_goes_on",
            f"{_APP}/test_guards.py::test_S8_a_folder_of_the_source_that_cannot_be_listed_stops_all_trash_of_its_pair",
        ),
    ),
    Ablation(
        "8: a listing with gaps has failed",
        put(scheduler, "read_pair", _gaps_are_fine("list source", "list destination")),
        (
            f"{_APP}/test_guards.py::test_S8_a_folder_of_the_source_that_cannot_be_listed_stops_all_trash_of_its_pair",
        ),
    ),
    Ablation(
        "8: what could not be looked at is not absent",
        put(Remote, "stat", _absent_when_unknown),
        (f"{_EDGES}::test_unknown_is_not_absent_a_path_that_cannot_be_looked_at_is_not_sent_to",),
    ),
)
