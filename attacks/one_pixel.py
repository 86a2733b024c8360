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
from robustbench_eff.core.types import (
    AllImages,
    AttackUses,
    Images,
    ImagesToLogits,
    Labels,
    Logits,
    Mask,
    PerSample,
    SampleIndices,
)

from .active_samples import memory_chunks, record_successes, select_rows
from .one_pixel_population import (
    can_encode,
    corner_genes,
    encode,
    first_equal,
    first_generation,
    next_generation,
    pixel_windows,
    render,
)
from .oracle import Oracle
from .preconditions import attack_inputs
from .targets import likeliest_targets

MAX_CANDIDATES, MAX_VALUES = 1024, 2**25
"""Limits on the candidate images, and on their pixel values, that are queried at once."""
CHILDREN_PER_QUERY = 100
"""Children of each population between removals of misclassified samples; fixed, so that no count depends on the
batch."""
GENERATIONS_REMEMBERED = 5
"""Generations for which the fitness of a population's images is cached; more would save few further queries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnePixel:
    """Differential evolution of the positions and colors of a few pixels; every child competes with its parent.

    Source: Su, Vargas & Sakurai 2019, arXiv:1710.08864.
    Differs: a sample stops when it is misclassified, where the paper continues until the true class falls below 5 %
    (untargeted) or the target exceeds 90 %. Fitness is the log-odds, which increase with the probability but do not
    saturate. Children outside the image or the color range are clipped, which the paper does not specify. A child's
    three ancestors differ from its parent. An image with one changed pixel that a population has queried within five
    generations is not queried again. `search="corners"` is ours. With one pixel, a float32 network on a CPU is queried
    incrementally, with logits that equal those of whole passes but for rounding; whole passes decide successes.
    """

    version: ClassVar[int] = 1
    uses: ClassVar[AttackUses] = "logits"
    stochastic: ClassVar[bool] = True

    pixels: int = 1
    """Number of pixels to change."""
    targets: int = 0
    """0 minimizes the true class (untargeted). Otherwise the number of likeliest other classes to maximize, each with
    its own population; CIFAR-10 has 9. Any misclassification is a success."""
    population: int = 400
    """Members of each population, at least 4."""
    generations: int = 100
    """Generations after the first one."""
    mutation: float = 0.5
    """F in (0, 2]: weight of the difference of two members that is added to a third."""
    search: Literal["evolution", "corners"] = "evolution"
    """Corners first tries every position in black, white and the six saturated colors, in random order, at the expense
    of generations; requires pixels=1."""

    def __post_init__(self) -> None:
        Threat("l0", float(self.pixels))
        if self.population < 4:
            raise SpecError(f"population must be >= 4, a parent and three ancestors, got {self.population}.")
        if self.generations < 1 or self.targets < 0:
            raise SpecError(f"generations must be >= 1 and targets >= 0, got {self.generations} and {self.targets}.")
        if not 0 < self.mutation <= 2:
            raise SpecError(f"mutation must be in (0, 2], got {self.mutation:g}.")
        if self.search == "corners" and self.pixels > 1:
            raise SpecError("search=corners requires pixels=1: there are too many pairs of pixels.")

    @property
    def threat(self) -> Threat:
        """See `Attack`."""
        return Threat("l0", float(self.pixels))

    @property
    def max_passes(self) -> int:
        """See `Attack`."""
        generations = self.population * (self.generations + 1)
        return 1 + self.targets * generations if self.targets else generations

    def __call__(
        self, classifier: ImagesToLogits, images: Images, labels: Labels, draws: RandomStreams | None = None
    ) -> Images:
        """See `Attack`; `draws` determine the populations. Where the attack fails, it returns the clean image."""
        images, labels = attack_inputs(images, labels)
        draws = RandomStreams.given(draws, images)
        adversarial = images.clone()
        with Oracle.open(classifier, images, labels) as oracle:
            for rows in memory_chunks(images, max(1, self.targets)):
                if len(rows):
                    memory = GENERATIONS_REMEMBERED * self.population if can_encode(self.pixels, images) else 0
                    evaluate = _FitnessEvaluator(oracle, images, adversarial, maximize=self.targets > 0, memory=memory)
                    self._attack(evaluate, self._populations(oracle, images, labels, rows, draws), draws.seed)
        return adversarial

    def _populations(
        self, oracle: Oracle, images: Images, labels: Labels, rows: SampleIndices, draws: RandomStreams
    ) -> _Populations:
        """Return one population, still empty, for each sample or, with targets, for each of its targets."""
        aims, keys = labels[rows], draws.keys[rows]
        if self.targets:
            targets = likeliest_targets(oracle, images[rows], aims, rows, self.targets, "one-pixel")
            number = torch.arange(targets.shape[1], device=rows.device).repeat(len(rows))
            rows, aims = rows.repeat_interleave(targets.shape[1]), targets.flatten()
            keys = draws[rows].fork(number).keys
        empty, no_codes = images.new_empty((len(rows), 0)), rows.new_empty((len(rows), 0))
        return _Populations(
            rows=rows,
            labels=labels[rows],
            aims=aims,
            keys=keys,
            members=empty,
            fitness=empty,
            children=empty,
            child_fitness=empty,
            known=no_codes,
            known_fitness=empty,
            first=no_codes,
        )

    def _attack(self, evaluate: _FitnessEvaluator, state: _Populations, seed: int) -> None:
        images, generations = evaluate.images, self.generations
        if self.search == "corners":
            total = 2 ** images.shape[1] * images[0, 0].numel()
            spent = min(generations, -(-total // self.population))
            generations -= spent
            order = RandomStreams(seed, state.keys).uniform((total,), stream="one-pixel/corners").argsort(1)
            state = evaluate(replace(state, children=corner_genes(order[:, : spent * self.population], images)))
        members = first_generation(RandomStreams(seed, state.keys), self.population, self.pixels, images)
        state = evaluate(replace(state, children=members))
        state = replace(state, members=state.children, fitness=state.child_fitness)
        for generation in range(generations):
            if not len(state.rows):
                break
            draws = RandomStreams(seed, state.keys)
            children = next_generation(state.members, self.mutation, draws, generation, images)
            state = _select_fitter(evaluate(replace(state, children=children)))


@dataclass(frozen=True, slots=True)
class _Populations:
    """One population per row; several may belong to the same sample."""

    rows: SampleIndices
    """Index of the sample that each population belongs to."""
    labels: Labels
    aims: Int64[Tensor, batch]
    """Class whose probability is minimized (the label) or maximized (a target)."""
    keys: Int64[Tensor, batch]
    """Keys of the populations' random streams."""
    members: Tensor
    """Genes, shape (batch, population, pixels, genes)."""
    fitness: Tensor
    """Fitness of the members, shape (batch, population)."""
    children: Tensor
    """Genes, shape (batch, children, pixels, genes)."""
    child_fitness: Tensor
    known: Tensor
    """Codes of images whose fitness is known, shape (batch, known)."""
    known_fitness: Tensor
    first: Tensor
    """Position of the first image equal to each child's, among the known images followed by the children."""


def _select_fitter(state: _Populations) -> _Populations:
    """Replace parents by fitter children."""
    fitter = state.child_fitness > state.fitness
    return replace(
        state,
        members=torch.where(fitter[:, :, None, None], state.children, state.members),
        fitness=torch.where(fitter, state.child_fitness, state.fitness),
    )


@dataclass(frozen=True, slots=True)
class _FitnessEvaluator:
    """Queries the fitness of all children, some of them at a time."""

    oracle: Oracle
    images: AllImages
    adversarial: AllImages
    maximize: bool
    """True if fitness is the aim's log-odds, False if it is their negative."""
    memory: int
    """Number of images whose fitness each population remembers."""

    def __call__(self, state: _Populations) -> _Populations:
        """Fill in `child_fitness`, and drop the samples that are misclassified.

        The result of a sample is its first successful child, ordered by the number of the child, then of the
        population.
        """
        known, count = state.known.shape[1], state.children.shape[1]
        state = self._with_codes(state)
        for start in range(0, count, CHILDREN_PER_QUERY):
            if not len(state.rows):
                break
            alive = self._query(state, start, known)
            if not alive.all():
                state = select_rows(state, alive)
        fitness = torch.cat((state.known_fitness, state.child_fitness), 1)
        latest = slice(max(0, known + count - self.memory), None)
        return replace(
            state,
            child_fitness=fitness.gather(1, state.first),
            known=state.known[:, latest],
            known_fitness=fitness[:, latest],
        )

    def _with_codes(self, state: _Populations) -> _Populations:
        """Append the codes of the children's images to the known ones, and determine which images are new."""
        count = state.children.shape[1]
        all_different = torch.arange(count, device=state.rows.device).expand(len(state.rows), count)
        codes = encode(state.children, self.images) if self.memory else all_different
        known = torch.cat((state.known, codes), 1)
        fitness = state.children.new_zeros(codes.shape)
        return replace(state, known=known, first=first_equal(known)[:, -count:], child_fitness=fitness)

    def _query(self, state: _Populations, start: int, known: int) -> Mask:
        """Fill in the fitness of the new images among the children from `start`; return which populations remain."""
        alive = torch.ones_like(state.rows, dtype=torch.bool)
        first = state.first[:, start : start + CHILDREN_PER_QUERY]
        new = first == known + start + torch.arange(first.shape[1], device=first.device)
        batch_size = max(1, min(MAX_CANDIDATES, MAX_VALUES // (self.images[:1].numel() or 1)))
        pairs = new.T.nonzero()
        if pairs.device.type == "cpu":  # sample by sample, so that few clean images are needed at once
            pairs = pairs[state.rows[pairs[:, 1]].argsort(stable=True)]
        for some in pairs.split(batch_size):
            child, population = start + some[:, 0], some[:, 1]
            rows, labels = state.rows[population], state.labels[population]
            members = state.children[population, child]
            candidates = render(members, rows, self.images)
            windows = pixel_windows(members, rows, labels, self.images)
            logits = self.oracle.logits(candidates, rows, windows)
            odds = _log_odds(logits, state.aims[population])
            state.child_fitness[population, child] = odds if self.maximize else -odds
            success = self.oracle.successes(logits, candidates, labels, rows) & alive[population]
            if success.any():
                remaining = record_successes(self.adversarial, rows, candidates, success)
                alive &= ~torch.isin(state.rows, rows[~remaining])
        return alive


def _log_odds(logits: Logits, classes: Int64[Tensor, batch]) -> PerSample:
    """Return log(p / (1 - p)) of each class, which distinguishes probabilities that float32 rounds to 1."""
    own = logits.gather(1, classes[:, None])
    others = logits.scatter(1, classes[:, None], float("-inf"))
    return own[:, 0] - others.logsumexp(1)
