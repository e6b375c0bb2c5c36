"""Three tasks of multiple choice from the validation part of `pysource`, for models of bytes.

A question is at most 64 bytes with any of its choices, so that a model of short windows can be asked.
Questions come in groups of four that share their choices, of one length, each of which is right once. So
whatever looks at the choices alone (their length, the frequency of their characters, a fixed place) is right
exactly once in four.
Which questions there are is a function of the text: splits, groups and order follow from hashes.
"""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from ademamix.evaluation.choices import Question
from ademamix.files import write_atomically

CHOICES = 4
LONGEST = 64  # bytes of a context with any choice
GROUPS = 1_200  # at most
TAIL = 24  # bytes before the answer, in which the contexts of a group differ
VERSION = "1"


class Place(NamedTuple):
    """A place in the text: what stands before it and what follows."""

    context: str
    answer: str


TEXT, BLOCK_END = 20, 16  # bytes of a continuation; at most, of the end of a block
BLOCK = re.compile(r"(?<=\n)([ \t]+)([^\n]*[^\w\n])([A-Za-z_]\w{2,12}[\])}]*\n)(?=\n*([ \t]*)[^\s])")
CALL = re.compile(r"[A-Za-z_][\w.]*\(([^()\n]{6,21}\))")


def next_text(text: str) -> Iterator[Place]:
    """Every 60 bytes: which of four continuations follows."""
    for start in range(0, len(text) - LONGEST, LONGEST - 4):
        answer = text[start + LONGEST - 4 - TEXT : start + LONGEST - 4]
        if len("".join(answer.split())) >= TEXT // 2:
            yield Place(text[start : start + LONGEST - 4 - TEXT], answer)


def block_end(text: str) -> Iterator[Place]:
    """At the last name of a block of code, with the brackets after it: which name closes the block."""
    for match in BLOCK.finditer(text):
        _, line, answer, after = match.groups()
        if len(after) < len(match[1]) and not line.lstrip().startswith("#") and len(answer) <= BLOCK_END:
            yield Place(before(text, match.start(3), answer), answer)


def arguments(text: str) -> Iterator[Place]:
    """After the name of a function and the bracket: which argument list fits the call."""
    for match in CALL.finditer(text):
        yield Place(before(text, match.start(1), match[1]), match[1])


def before(text: str, end: int, answer: str) -> str:
    """As much of the text before `end` as fits with the answer."""
    return text[max(0, end + len(answer) - LONGEST) : end]


TASKS: dict[str, Callable[[str], Iterator[Place]]] = {
    "pysource_text": next_text,
    "pysource_block": block_end,
    "pysource_arguments": arguments,
}


def grouped(places: Sequence[Place]) -> list[list[Place]]:
    """Groups of places whose answers have one length and differ, as do the ends of their contexts."""
    open_groups: dict[int, list[list[Place]]] = defaultdict(list)
    for place in places:
        candidates = open_groups[len(place.answer)]
        fits = (group for group in candidates if all(differ(place, other) for other in group))
        group = next(fits, None)
        if group is None:
            candidates.append(group := [])
        group.append(place)
        if len(group) == CHOICES:
            candidates.remove(group)
            open_groups[-len(place.answer)].append(group)
    whole = [group for length, groups in open_groups.items() if length < 0 for group in groups]
    return sorted(whole, key=shuffled)[:GROUPS]


def differ(one: Place, other: Place) -> bool:
    return one.answer != other.answer and one.context[-TAIL:] != other.context[-TAIL:]


def shuffled(value: object) -> bytes:
    """A key that sorts in an order without meaning, the same everywhere."""
    return hashlib.sha256(repr(value).encode()).digest()


def questions(name: str, files: Sequence[bytes]) -> list[Question]:
    """The questions of a task from the files of a text; what is not plain ASCII is left out."""
    found = {
        place
        for file in files
        for place in TASKS[name](file.decode("ascii", errors="replace"))
        if (place.context + place.answer).isascii() and len(place.context) >= LONGEST // 4
    }
    made = []
    for group in grouped(sorted(found, key=shuffled)):
        choices = tuple(place.answer for place in group)
        made += [Question(place.context, choices, i) for i, place in enumerate(group)]
    return made


def definition(name: str, corpus: Path) -> dict[str, Any]:
    """The same task as lm-eval states one."""
    return {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(written(name, corpus))}},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "{{context}}",
        "doc_to_choice": "choices",
        "doc_to_target": "answer",
        "target_delimiter": "",
        "metric_list": [
            {"metric": metric, "aggregation": "mean", "higher_is_better": True}
            for metric in ("acc", "acc_norm")
        ],
        "metadata": {"version": VERSION},
    }


@cache
def load(name: str, corpus: Path) -> list[Question]:
    """The questions of a task from the validation part of the byte folder `corpus`."""
    rows = map(json.loads, written(name, corpus).read_text().splitlines())
    return [Question(row["context"], tuple(row["choices"]), row["answer"]) for row in rows]


def written(name: str, corpus: Path) -> Path:
    """The questions as JSON lines, which other harnesses read, too; made beside the corpus at first use."""
    path = corpus.with_name(f"{corpus.name}-tasks") / f"{name}-{VERSION}.jsonl"
    if not path.exists():
        from ademamix.data.tokens import Tokens

        files = Tokens(corpus).text("validation").split(b"\0")  # stands after each file
        lines = (json.dumps(question._asdict()) + "\n" for question in questions(name, files))
        path.parent.mkdir(exist_ok=True)
        write_atomically(path, "".join(lines).encode())
    return path
