"""What the checks for gradient masking found, and which of them were not run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from robustbench_eff.scores.masking_checks import FindingKind, Verdict
from robustbench_eff.scores.score import Score

from .content import Images, images_of

QUESTIONS = {
    "zero_gradients": "Do gradients reach the image?",
    "large_epsilon": "Does a very large ε break every image?",
    "more_steps": "Do more steps of the attack change nothing?",
    "black_box": "Do attacks without gradients find nothing more?",
    "random_outputs": "Does the model answer the same twice?",
}
"""What each check asks; the answer is yes where it passed."""
MARKS: dict[FindingKind, str] = {"passed": "✓ passed", "suspect": "⚠ suspect", "not run": "– not run"}


class Finding(NamedTuple):
    """What one check found for one model on the same images."""

    check: str
    question: str
    kind: FindingKind
    mark: str
    evidence: str
    remedy: str


class Checked(NamedTuple):
    """All checks of one model on the same images."""

    model: str
    images: Images
    findings: list[Finding]
    attacked: bool
    """Whether any attack ran, without which most checks have nothing to compare."""

    @property
    def summary(self) -> str:
        """How many checks found what."""
        counts = {kind: sum(finding.kind == kind for finding in self.findings) for kind in MARKS}
        return ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)

    @property
    def is_shown(self) -> bool:
        """Whether there is more to say than that nothing was compared."""
        return self.attacked or self.is_suspect

    @property
    def is_suspect(self) -> bool:
        """Whether any check found something suspicious."""
        return any(finding.kind == "suspect" for finding in self.findings)


def checked(verdicts: Sequence[Verdict], scores: Sequence[Score]) -> list[Checked]:
    """Return the findings by model and images, suspicious ones first.

    Args:
        verdicts: Verdicts of any models.
        scores: All scores, which tell what was attacked.
    """
    attacked = {(score.model, images_of(score)) for score in scores if score.kind == "attack"}
    groups: dict[tuple[str, Images, int], dict[str, Finding]] = {}
    for verdict in verdicts:
        images, number = Images(verdict.benchmark, verdict.protocol.of_images()), 0
        while verdict.check in groups.setdefault((verdict.model, images, number), {}):
            number += 1  # another set of images under the same protocol
        groups[verdict.model, images, number][verdict.check] = Finding(
            verdict.check,
            QUESTIONS.get(verdict.check, verdict.check),
            verdict.finding,
            MARKS[verdict.finding],
            verdict.evidence,
            verdict.remedy,
        )
    found = [
        Checked(model, images, list(findings.values()), (model, images) in attacked)
        for (model, images, _), findings in groups.items()
    ]
    return sorted(found, key=lambda item: not item.is_suspect)
