"""Multiple choice: questions, and what a model's answers come to. Imports no torch."""

import base64
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple


class Question(NamedTuple):
    """A context, continuations of it, and the place of the right one."""

    context: str
    choices: tuple[str, ...]
    answer: int


@dataclass(frozen=True)
class Evaluation:
    """What a model's answers to the questions of a task came to.

    Attributes:
        task: its name.
        version: of its definition.
        digest: a hash of the questions, in order.
        source: what read the task and scored it.
        right: question → 1 where the likeliest choice is the right one (`acc`), 0 elsewhere; a share where
            the task counts so.
        right_norm: the same with log-likelihoods per character (`acc_norm`); empty where the task has none.
        cluster: so many questions in a row share their choices, and are not independent.
    """

    task: str
    version: str
    digest: str
    source: str
    right: tuple[float, ...]
    right_norm: tuple[float, ...]
    cluster: int = 1

    @property
    def acc(self) -> float:
        return accuracy(self.right)

    def as_json(self) -> dict[str, Any]:
        """Plain data; `from_json` reads it."""
        measured: dict[str, Any] = {}
        for metric, right in (("acc", self.right), ("acc_norm", self.right_norm)):
            if right:
                measured[metric] = round(accuracy(right), 6)
                measured[f"{metric}_stderr"] = round(standard_error(right), 6)
        return {
            "task": self.task,
            "version": self.version,
            "digest": self.digest,
            "source": self.source,
            "questions": len(self.right),
            "cluster": self.cluster,
            **measured,
            "right": packed(self.right),
            "right_norm": packed(self.right_norm),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Evaluation":
        return cls(
            **{name: data[name] for name in ("task", "version", "digest", "source", "cluster")},
            right=unpacked(data["right"], data["questions"]),
            right_norm=unpacked(data["right_norm"], data["questions"]),
        )


def answered(
    questions: Sequence[Question], scores: Sequence[Sequence[float]]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Whether each question is answered right: by log-likelihood, and by log-likelihood per character.

    `scores`: the log-likelihood of each choice of each question.
    """
    plain, norm = [], []
    for question, row in zip(questions, scores, strict=True):
        per_character = [score / len(choice) for score, choice in zip(row, question.choices, strict=True)]
        plain.append(float(likeliest(row) == question.answer))
        norm.append(float(likeliest(per_character) == question.answer))
    return tuple(plain), tuple(norm)


def likeliest(scores: Sequence[float]) -> int:
    """The place of the highest score; the first, where several are."""
    return max(range(len(scores)), key=scores.__getitem__)


def accuracy(right: Sequence[float]) -> float:
    return sum(right) / len(right)


def standard_error(right: Sequence[float]) -> float:
    """Of the share of right answers, the questions taken as a sample."""
    mean = accuracy(right)
    return math.sqrt(sum((x - mean) ** 2 for x in right) / max(1, len(right) - 1) / len(right))


def paired_difference(first: Evaluation, second: Evaluation) -> tuple[float, float]:
    """acc of `second` − acc of `first` and its standard error, paired by question, clusters taken as one.

    Raises:
        ValueError: they did not answer the same questions.
    """
    if (first.task, first.digest) != (second.task, second.digest):
        raise ValueError(f"{first.task}: not the same questions")
    differences = [b - a for a, b in zip(first.right, second.right, strict=True)]
    size = first.cluster
    means = [sum(differences[i : i + size]) / size for i in range(0, len(differences), size)]
    middle = sum(means) / len(means)
    spread = sum((mean - middle) ** 2 for mean in means) / max(1, len(means) - 1)
    return middle, math.sqrt(spread / len(means))


def digest_of(questions: Sequence[Question]) -> str:
    """Twelve hexadecimal digits, a hash of the questions."""
    text = "\n".join(json.dumps(question) for question in questions)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def packed(right: Sequence[float]) -> str | list[float]:
    """Answers that are 0 or 1 as bits in base 64, others as they are."""
    if any(x not in (0, 1) for x in right):
        return [round(x, 6) for x in right]
    number = int("1" + "".join("01"[int(x)] for x in right), 2)
    return base64.b64encode(number.to_bytes((len(right) + 8) // 8, "big")).decode()


def unpacked(found: str | list[float], count: int) -> tuple[float, ...]:
    if not isinstance(found, str):
        return tuple(found)
    bits = bin(int.from_bytes(base64.b64decode(found), "big"))[3:]
    assert len(bits) in (0, count)
    return tuple(float(bit) for bit in bits)
