"""The judge: checks and rules over a recording become verdicts with blame. Everything here is pure."""

from conformance.judge.attempt import Judgement, judge
from conformance.judge.coverage import Judged, RuleCoverage, coverage
from conformance.judge.mutants import MutantVerdict, judge_mutant
from conformance.judge.spoiling import Proof, prove

__all__ = [
    "Judged",
    "Judgement",
    "MutantVerdict",
    "Proof",
    "RuleCoverage",
    "coverage",
    "judge",
    "judge_mutant",
    "prove",
]
