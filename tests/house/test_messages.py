"""How messages are worded: no prefixes, no shouting, values quoted safely, sentences that end."""

import ast
import re
from itertools import pairwise
from pathlib import Path

import pytest

import layerwise.errors

SOURCE = Path(layerwise.errors.__file__).parent
ERRORS = {
    "UsageError",
    "DataError",
    "ModelError",
    "ThresholdError",
    "MachineError",
    "Interrupted",
    "Rejected",
}
RAISED = [
    (f"{path.relative_to(SOURCE)}:{node.lineno}", node.exc)
    for path in sorted(SOURCE.rglob("*.py"))
    for node in ast.walk(ast.parse(path.read_text()))
    if isinstance(node, ast.Raise)
    and isinstance(node.exc, ast.Call)
    and isinstance(node.exc.func, ast.Name)
    and node.exc.func.id in ERRORS
]
HOLE = "\x00"  # where a value stands in a message


def pieces(message):
    """The parts of a message as it is written: text, and expressions where values go."""
    if isinstance(message, ast.JoinedStr):
        return [v.value if isinstance(v, ast.Constant) else v for v in message.values]
    return [message.value] if isinstance(message, ast.Constant) else [message]


WORDED = [(where, pieces(call.args[0])) for where, call in RAISED if call.args]


def told(parts):
    return "".join(p if isinstance(p, str) else HOLE for p in parts)


def held(rule):
    return [f"{where}: {told(parts)}" for where, parts in WORDED if not rule(parts)]


def test_every_error_has_one_message():
    assert len(RAISED) > 150
    assert [where for where, call in RAISED if len(call.args) != 1 or call.keywords] == []


def test_begins_with_what_was_found():
    """In lower case unless a name stands first, and with neither 'Error:' nor an exclamation."""
    opening = re.compile(rf"[a-z{HOLE}'0-9-]|[A-Z][a-zA-Z]+ |[A-Z] |[A-Z][a-z]+[A-Z]|NaN|CUDA")
    assert held(lambda p: opening.match(told(p))) == []
    assert held(lambda p: not re.match("(?i)error|warning|failed|sorry|oops", told(p))) == []
    assert held(lambda p: "!" not in told(p) and "please" not in told(p).lower()) == []


def test_says_what_is_wrong_and_never_only_that_it_is():
    assert (
        held(lambda p: not re.search(r"(?i)\b(invalid|illegal|bad (value|input)|wrong type)\b", told(p)))
        == []
    )


def test_one_line_of_words_with_single_spaces():
    assert held(lambda p: "\n" not in told(p) and "  " not in told(p) and told(p) == told(p).strip()) == []


def test_ends_without_a_stop_or_as_a_sentence():
    """A message of one clause has no full stop; one that has several sentences may end with one."""
    several = re.compile(f"[.?{HOLE}] [A-Z]")
    assert held(lambda p: not told(p).endswith(".") or several.search(told(p))) == []
    assert held(lambda p: not told(p).endswith((":", ",", ";"))) == []


def test_a_suggestion_is_followed_by_a_sentence():
    """`suggest` gives nothing where no name is near: then what goes before it needs its full stop."""

    def rule(parts):
        for one, following in pairwise(parts):
            if isinstance(one, str) or not isinstance(following, str) or not following.startswith(" "):
                continue
            value = one.value
            if isinstance(value, ast.Call) and getattr(value.func, "id", "") == "suggest":
                return False
        return True

    assert held(rule) == []


def test_values_are_quoted_by_shown():
    """No value of a user's own making in quotes written by hand, nor through `!r`: both let control characters out."""
    quoted = re.compile(f"['\"]{HOLE}['\"]")
    assert held(lambda p: not quoted.search(told(p))) == []
    assert (
        held(lambda p: all(isinstance(v, str) or getattr(v, "conversion", -1) != ord("r") for v in p)) == []
    )


@pytest.mark.parametrize("text", ["a\x1b[31m", "line\nline", "\u202eright to left", "x" * 500, "\udce9"])
def test_shown_is_safe_to_print(text):
    safe = layerwise.errors.shown(text)
    assert safe.isprintable()
    assert len(safe) <= 82
    safe.encode()
