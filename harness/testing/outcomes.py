"""A check, how it says what is wrong, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Verdict = Literal["passed", "failed", "skipped", "failed as expected"]
VERDICTS: tuple[Verdict, ...] = ("passed", "failed", "skipped", "failed as expected")


class Problem(AssertionError):
    """What a check found wrong, in one line that names it and says what would be right."""


class Skip(Exception):
    """Why a check could not be made."""


@dataclass(frozen=True)
class Outcome:
    """What came of one check; ``reason`` is empty where it passed."""

    kind: str
    component: str
    check: str
    outcome: Verdict
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.outcome}: {self.kind} {self.component}: {self.check}: {self.reason}"


@dataclass(frozen=True)
class Check:
    """One question about one component; ``expected`` is why it may fail."""

    kind: str
    component: str
    name: str
    ask: Callable[[], None] = field(repr=False)
    expected: str = ""

    def __str__(self) -> str:
        return f"{self.kind}-{self.component}-{self.name}"

    def __call__(self) -> Outcome:
        """Ask; whatever is raised is an answer too."""
        try:
            self.ask()
        except Skip as skip:
            return self._outcome("skipped", str(skip))
        except Exception as error:
            text = str(error) if isinstance(error, Problem) else f"{type(error).__name__}: {error}"
            reason = " ".join(text.split())
            if self.expected:
                return self._outcome("failed as expected", f"{self.expected} ({reason})")
            return self._outcome("failed", reason)
        return self._outcome("passed")

    def _outcome(self, verdict: Verdict, reason: str = "") -> Outcome:
        return Outcome(self.kind, self.component, self.name, verdict, reason)


def counts(outcomes: Sequence[Outcome]) -> dict[Verdict, int]:
    """How many checks came out which way."""
    return {verdict: sum(o.outcome == verdict for o in outcomes) for verdict in VERDICTS}


def as_json(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The counts and every outcome."""
    return {"counts": counts(outcomes), "checks": [asdict(outcome) for outcome in outcomes]}


def summary(outcomes: Sequence[Outcome]) -> str:
    """How much was asked and what came of it: green alone does not tell."""
    numbers = ", ".join(f"{number} {verdict}" for verdict, number in counts(outcomes).items())
    components = len({(o.kind, o.component.partition(" on ")[0]) for o in outcomes})
    return f"{len(outcomes)} checks, {components} components: {numbers}"
