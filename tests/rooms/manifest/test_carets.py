"""How a problem is shown: where, what, the line with its caret, what to try."""

from .reading import manifest, only, pair


def test_an_unknown_key_is_shown_whole() -> None:
    text = str(only(pair("mode: copy\nchcksum: strict")))

    assert text == (
        'nightly.yaml:11:9: unknown-key: unknown key "chcksum" in pairs[0] of job "photos"\n'
        "            chcksum: strict\n"
        "            ^\n"
        '  hint: did you mean "checksum"?'
    )


def _under_caret(text: str) -> str:
    _, excerpt, caret, *_ = text.split("\n")
    return excerpt[caret.index("^") :]


def test_the_caret_stands_under_its_word_after_other_scripts() -> None:
    problem = only(manifest("").replace("/srv/photos, dest", "/srv/ünïcödé, moode: copy, dest"))

    assert _under_caret(str(problem)).startswith("moode")


def test_wide_characters_count_for_two_cells() -> None:
    problem = only(manifest("").replace("/srv/photos, dest", "/srv/写真, moode: copy, dest"))
    narrow = only(manifest("").replace("/srv/photos, dest", "/srv/abcd, moode: copy, dest"))

    assert problem.place.column == narrow.place.column - 2
    assert problem.caret == narrow.caret


def test_combining_marks_take_no_cell() -> None:
    problem = only(manifest("").replace("/srv/photos, dest", "/srv/e\u0301, moode: copy, dest"))

    assert problem.caret == problem.place.column - 2


def test_a_long_line_is_cut_around_the_caret() -> None:
    long = "/srv/" + "x" * 500
    problem = only(manifest("").replace("/srv/photos, dest", f"{long}, moode: copy, dest"))

    assert len(problem.excerpt) < 110
    assert _under_caret(str(problem)).startswith("moode")


def test_nothing_that_could_steer_a_terminal_is_shown() -> None:
    problem = only(manifest("").replace("/srv/photos, dest", "/srv/\u202e\u200b, moode: copy, dest"))

    assert str(problem).replace("\n", "").isprintable()


def test_problems_come_in_the_order_of_their_lines() -> None:
    from .reading import problems

    lines = [p.place.line for p in problems(pair("mood: x", "nmae: x\npolicies: 5\n"))]

    assert lines == sorted(lines)
    assert len(lines) == 4
