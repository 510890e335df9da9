"""Prometheus's text format 0.0.4, and adding up what several processes count.

Owns: families of samples, how they are written and merged. May not know: what is counted, HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Self, TypeAlias

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Labels: TypeAlias = tuple[tuple[str, str], ...]
Merge: TypeAlias = Literal["sum", "max"]
_MERGERS: Final[dict[Merge, Callable[[float, float], float]]] = {"sum": lambda a, b: a + b, "max": max}


@dataclass(slots=True)
class Family:
    """Samples of one name. `merge` says what becomes of two samples with the same labels.

    Invariant: `samples` has each set of labels once; labels stand in the order in which they were given.
    """

    name: str
    kind: Literal["counter", "gauge"]
    text: str
    merge: Merge = "sum"
    samples: dict[Labels, float] = field(default_factory=dict)

    def add(self, value: float, **labels: str) -> None:
        """Count a value, together with what these labels have already."""
        key = tuple(labels.items())
        former = self.samples.get(key)
        self.samples[key] = value if former is None else _MERGERS[self.merge](former, value)

    def to_plain(self) -> dict[str, Any]:
        """As JSON takes it, for another process."""
        rows = [[dict(labels), value] for labels, value in self.samples.items()]
        return {"name": self.name, "kind": self.kind, "text": self.text, "merge": self.merge, "samples": rows}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """What `to_plain` gave."""
        family = cls(plain["name"], plain["kind"], plain["text"], plain["merge"])
        for labels, value in plain["samples"]:
            family.add(value, **labels)
        return family


def merged(sources: Iterable[Iterable[Family]]) -> list[Family]:
    """The families of several processes as if one had counted it all."""
    result: dict[str, Family] = {}
    for families in sources:
        for family in families:
            whole = result.setdefault(
                family.name, Family(family.name, family.kind, family.text, family.merge)
            )
            for labels, value in family.samples.items():
                whole.add(value, **dict(labels))
    return list(result.values())


def render(families: Iterable[Family]) -> str:
    """The text that Prometheus reads."""
    lines: list[str] = []
    for family in families:
        lines.append(f"# HELP {family.name} {_escaped_help(family.text)}")
        lines.append(f"# TYPE {family.name} {family.kind}")
        lines += [
            f"{family.name}{_labels(labels)} {_number(value)}" for labels, value in family.samples.items()
        ]
    return "\n".join(lines) + "\n"


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped_label(value)}"' for name, value in labels) + "}"


def _escaped_label(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _escaped_help(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))
