"""The judge: checks and rules over a recording become verdicts with blame. Everything here is pure."""

from conformance.judge.attempt import Judgement, judge

__all__ = ["Judgement", "judge"]
