"""Keep what was said on hidden inputs out of the sentences that reports show.

A verdict's sentence may quote a submission: its exception, a class it made up, a key.

What it says was said on hidden inputs, and words can carry them out, spelt in letters. So where a
sentence quotes, the words that go into a report are those of the same case on public inputs; where
the public case says nothing of the kind, the sentence goes without.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from autograder.judge.expected import Expectation
from autograder.judge.ladder import climb, load_error_text
from autograder.judge.verdict import Verdict, well_formed
from autograder.protocol.answers import Answer, Record
from autograder.protocol.wire import Foreign

# Sentences cut what they quote; none to less than this.
_SHORTEST_CUT = 60


def needs_redaction(verdict: Verdict, answer: Answer, expectation: Expectation) -> bool:
    """Return whether a sentence holds words of a worker that are not ours as well."""
    loading = answer.records[0] if answer.records else {}
    if not verdict.case and "error" not in loading:
        return False  # such sentences, on a check cut short or a stub, are in our words alone
    ours = set(_strings(list(expectation.records.values())))
    ours |= {name for name, value in vars(builtins).items() if isinstance(value, type)}
    quoted = {
        text
        for text in _strings(list(answer.records))
        if (said := " ".join(text.split())[:_SHORTEST_CUT])
        and text not in ours
        and said in verdict.message
    }
    # A known mistake says, word for word, what our own version of it says on these inputs.
    for mistake in expectation.mistakes if quoted else ():
        if mistake.id == verdict.diagnosis:
            made = [expectation.outcome((mistake,), case) for case in expectation.cases]
            quoted -= set(_strings(made))
    return bool(quoted)


def sentence(
    verdict: Verdict, answer: Answer, public: Sequence[Record], expectation: Expectation
) -> str:
    """Return a verdict's sentence with nothing in it that was said on hidden inputs.

    Args:
        verdict, answer: of the hidden cases.
        public: what the worker wrote on the public case of that name, after the record of loading;
            empty when it could not be asked.
        expectation: of the public cases.
    """
    told = _on_public(verdict, public, expectation) or _without_words(verdict, answer)
    for mistake in expectation.mistakes:
        if mistake.id == verdict.diagnosis and mistake.says not in told:
            return f"{told} {mistake.says} {mistake.next_step}"
    return told


def _on_public(verdict: Verdict, public: Sequence[Record], expectation: Expectation) -> str:
    """Return the sentence as the public case has it.

    It is empty where that case fails in another way.
    """
    loading = public[0] if public else {}
    if not verdict.case:  # the file does not load
        error = well_formed(loading)["error"] if "error" in loading else None
        return load_error_text(error) if error else ""
    if len(public) < 2 or verdict.case not in expectation.cases:
        return ""
    case = expectation.cases[verdict.case]
    expected = expectation.records[verdict.case]
    found = climb(expectation.exercise, verdict.case, case, expected, well_formed(public[1]))
    if found is None or (found.rung == "ran" and not found.code) != (verdict.outcome == "error"):
        return ""
    return found.message


def _without_words(verdict: Verdict, answer: Answer) -> str:
    if not verdict.case:
        return (
            "Your file does not load where its inputs are hidden, though it does with public ones."
        )
    record = next((r for r in answer.records[1:] if r.get("case") == verdict.case), {})
    lines = well_formed(record)["error"]["lines"]
    where = f" in line {lines[-1][0]}" if lines else ""
    did = (
        f"raised an error{where}" if verdict.outcome == "error" else "did not return what it should"
    )
    name = verdict.exercise.partition(".")[2]
    return (
        f"`{name}` {did} on hidden inputs of “{verdict.case}”, and not so on the public ones. "
        "What do your lines take for granted about their inputs?"
    )


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Foreign):
        yield from (value.kind, value.note)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _strings(key)
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)
