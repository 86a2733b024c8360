"""One-pixel attack."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from jaxtyping import Int64
from torch import Tensor

from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import Threat
from robustbench_eff.core.types import Images, ImagesToLogits, Labels, Logits, Mask, PerSample, SampleIndices

from .active_samples import memory_chunks, record_successes, select_rows
from .one_pixel_population import (
    can_be_coded,
    codes,
    corner_genes,
    first_alike,
    first_generation,
    next_generation,
    painted,
)
from .oracle import Oracle
from .targets import likeliest_targets

MAX_CANDIDATES, NUMBERS = 1024, 2**25
"""How many candidate images, and how many of their pixel values, exist at once."""
CHILDREN_PER_QUERY = 100
"""Children of a population after which beaten samples leave; fixed, so that no count depends on the batch."""
GENERATIONS_REMEMBERED = 5
"""So long the fitness of a population's images is kept; more would save few further queries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnePixel:
    """Differential evolution over the places and colours of a few pixels; every child competes with its parent.

    Source: Su, Vargas & Sakurai 2019, arXiv:1710.08864.
    Differs: a sample stops when it is misclassified, where the paper goes on until the true class falls below 5 %
    (untargeted) or the target exceeds 90 %; what is compared is the logarithm of the odds, which grows with the
    probability but does not saturate; children that lead outside the image or the colours are clipped, of which the
    paper says nothing; a child's three ancestors are others than its parent; an image of one pixel that a population
    has asked about within five generations is not asked about again. `search="corners"` is ours.
    """

    version: ClassVar[int] = 1
    stochastic: ClassVar[bool] = True

    pixels: int = 1
    targets: int = 0
    """0: lower the true class (untargeted). Otherwise raise so many of the likeliest other classes, each with a
    population of its own; 9 are all that CIFAR-10 has. Any misclassification counts."""
    population: int = 400
    generations: int = 100
    mutation: float = 0.5
    """How much of the difference of two members is added to a third: F."""
    search: Literal["evolution", "corners"] = "evolution"
    """Corners: at first every place in black, white and the six full colours, in random order and on account of the
    generations; needs pixels=1."""

    def __post_init__(self) -> None:
        Threat("l0", float(self.pixels))
        if self.population < 4:
            raise SpecError(f"population must be >= 4, a parent and three ancestors, got {self.population}.")
        if self.generations < 1 or self.targets < 0:
            raise SpecError(f"generations must be >= 1 and targets >= 0, got {self.generations} and {self.targets}.")
        if not 0 < self.mutation <= 2:
            raise SpecError(f"mutation must be in (0, 2], got {self.mutation:g}.")
        if self.search == "corners" and self.pixels > 1:
            raise SpecError("search=corners goes with pixels=1: there are too many pairs of pixels.")

    @property
    def threat(self) -> Threat:
        return Threat("l0", float(self.pixels))

    @property
    def max_passes(self) -> int:
        generations = self.population * (self.generations + 1)
        return 1 + self.targets * generations if self.targets else generations

    def __call__(
        self, classifier: ImagesToLogits, images: Images, labels: Labels, draws: RandomStreams | None = None
    ) -> Images:
        """Adversarial images for `images` (float, [0, 1]); where none was found, the clean image.

        `draws` key the populations; without them the samples' positions and seed 0 do. Errors as Oracle.open.
        """
        draws = RandomStreams.given(draws, images)
        adversarial = images.clone()
        with Oracle.open(classifier, images, labels) as oracle:
            for rows in memory_chunks(images, max(1, self.targets)):
                if len(rows):
                    memory = GENERATIONS_REMEMBERED * self.population if can_be_coded(self.pixels, images) else 0
                    contest = _FitnessEvaluator(oracle, images, adversarial, raised=self.targets > 0, memory=memory)
                    self._attack(contest, self._populations(oracle, images, labels, rows, draws), draws.seed)
        return adversarial

    def _populations(
        self, oracle: Oracle, images: Images, labels: Labels, rows: SampleIndices, draws: RandomStreams
    ) -> _Populations:
        """One for each sample or, with targets, for each of its targets; nobody is born yet."""
        aims, keys = labels[rows], draws.keys[rows]
        if self.targets:
            targets = likeliest_targets(oracle, images[rows], aims, rows, self.targets, "one-pixel")
            number = torch.arange(targets.shape[1], device=rows.device).repeat(len(rows))
            rows, aims = rows.repeat_interleave(targets.shape[1]), targets.flatten()
            keys = draws[rows].fork(number).keys
        nobody = images.new_empty((len(rows), 0))
        unknown = rows.new_empty((len(rows), 0))
        return _Populations(rows, labels[rows], aims, keys, nobody, nobody, nobody, nobody, unknown, nobody, unknown)

    def _attack(self, contest: _FitnessEvaluator, state: _Populations, seed: int) -> None:
        images, generations = contest.images, self.generations
        if self.search == "corners":
            total = 2 ** images.shape[1] * images[0, 0].numel()
            spent = min(generations, -(-total // self.population))
            generations -= spent
            order = RandomStreams(seed, state.keys).uniform((total,), stream="one-pixel/corners").argsort(1)
            state = contest(replace(state, children=corner_genes(order[:, : spent * self.population], images)))
        members = first_generation(RandomStreams(seed, state.keys), self.population, self.pixels, images)
        state = contest(replace(state, children=members))
        state = replace(state, members=state.children, fitness=state.child_fitness)
        for generation in range(generations):
            if not len(state.rows):
                break
            draws = RandomStreams(seed, state.keys)
            children = next_generation(state.members, self.mutation, draws, generation, images)
            state = _survival(contest(replace(state, children=children)))


@dataclass(frozen=True, slots=True)
class _Populations:
    """One an entry; several may belong to the same sample."""

    rows: SampleIndices
    """Which sample of the attack it is."""
    labels: Labels
    aims: Int64[Tensor, batch]
    """The class whose probability is lowered (the label) or raised (a target)."""
    keys: Int64[Tensor, batch]
    """Of its random numbers."""
    members: Tensor
    """Genes, shape (batch, population, pixels, genes)."""
    fitness: Tensor
    """Of the members, shape (batch, population)."""
    children: Tensor
    child_fitness: Tensor
    known: Tensor
    """Codes of images whose fitness is known, shape (batch, known)."""
    known_fitness: Tensor
    alike: Tensor
    """Of each child, where the same image stands first among those known and the children."""


def _survival(state: _Populations) -> _Populations:
    """Children that are fitter take their parents' places."""
    fitter = state.child_fitness > state.fitness
    return replace(
        state,
        members=torch.where(fitter[:, :, None, None], state.children, state.members),
        fitness=torch.where(fitter, state.child_fitness, state.fitness),
    )


@dataclass(frozen=True, slots=True)
class _FitnessEvaluator:
    """Asks for the fitness of all children, a part of them at a time."""

    oracle: Oracle
    images: Images
    adversarial: Images
    raised: bool
    """Whether the aim's odds shall rise, not fall."""
    memory: int
    """How many images a population knows at most."""

    def __call__(self, state: _Populations) -> _Populations:
        """`state` with `child_fitness`, without the samples that are beaten by then.

        A sample leaves with its first child that beats it, by the number of the child and then of the population.
        """
        known, count = state.known.shape[1], state.children.shape[1]
        state = self._recognised(state)
        for first in range(0, count, CHILDREN_PER_QUERY):
            if not len(state.rows):
                break
            alive = self._ask(state, first, known)
            if not alive.all():
                state = select_rows(state, alive)
        fitness = torch.cat((state.known_fitness, state.child_fitness), 1)
        latest = slice(max(0, known + count - self.memory), None)
        return replace(
            state,
            child_fitness=fitness.gather(1, state.alike),
            known=state.known[:, latest],
            known_fitness=fitness[:, latest],
        )

    def _recognised(self, state: _Populations) -> _Populations:
        """The children's images behind those known, and which of them are new; nobody is asked yet."""
        count = state.children.shape[1]
        everyone_new = torch.arange(count, device=state.rows.device).expand(len(state.rows), count)
        images = codes(state.children, self.images) if self.memory else everyone_new
        known = torch.cat((state.known, images), 1)
        fitness = state.children.new_zeros(images.shape)
        return replace(state, known=known, alike=first_alike(known)[:, -count:], child_fitness=fitness)

    def _ask(self, state: _Populations, first: int, known: int) -> Mask:
        """Fill in the fitness of a brood, new images only; which populations go on."""
        alive = torch.ones_like(state.rows, dtype=torch.bool)
        alike = state.alike[:, first : first + CHILDREN_PER_QUERY]
        new = alike == known + first + torch.arange(alike.shape[1], device=alike.device)
        most = max(1, min(MAX_CANDIDATES, NUMBERS // (self.images[:1].numel() or 1)))
        for part in new.T.nonzero().split(most):
            child, population = first + part[:, 0], part[:, 1]
            rows, labels = state.rows[population], state.labels[population]
            candidates = painted(state.children[population, child], rows, self.images)
            logits = self.oracle.logits(candidates, rows)
            odds = _log_odds(logits, state.aims[population])
            state.child_fitness[population, child] = odds if self.raised else -odds
            beaten = self.oracle.beaten(logits, candidates, labels, rows) & alive[population]
            if beaten.any():
                going = record_successes(self.adversarial, rows, candidates, beaten)
                alive &= ~torch.isin(state.rows, rows[~going])
        return alive


def _log_odds(logits: Logits, classes: Int64[Tensor, batch]) -> PerSample:
    """log(p / (1 - p)) of each class, which tells apart probabilities that float32 rounds to 1."""
    own = logits.gather(1, classes[:, None])
    others = logits.scatter(1, classes[:, None], float("-inf"))
    return own[:, 0] - others.logsumexp(1)
