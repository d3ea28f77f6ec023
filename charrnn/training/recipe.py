"""What to train, and for how long, on this text in this time: the settings that nobody gave.

The rules were found by measurement: benchmarks/QUALITY.md has the figures, benchmarks/search.py
the runs. They answer the same questions for any text:

    how much can be read?            steps, passes, or the time and the speed of this machine
    how large a model pays?          one that reads enough characters for each of its weights
    how soon is it known by heart?   the sooner, the more is dropped while training
    when is nothing left to get?     a small text is learned long before five minutes are over
    what keeps all cores busy?       several networks, and larger batches; see ``many_cores``

With ``--steps`` or ``--epochs`` the answers depend on nothing but the text and the settings. With
``--time`` the speed is measured first, in a few steps of a model of middling size, and once more if
a larger one is chosen.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from charrnn.config import Config, ModelConfig
from charrnn.text.vocabulary import Ids
from charrnn.training.budget import TRIAL_SIZE, Budget, recurrent_weights
from charrnn.training.many_cores import MOST_NETWORKS, networks, one_of, side_by_side

# Units per layer to choose from: sizes that BLAS is quick with.
SIZES = (48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)

# Characters to be read for each recurrent weight. Where fewer are read, fewer weights learn more.
READ_PER_WEIGHT = 3.5

# Passes through a text after which nothing more is learned, whatever is dropped: from nothing, and
# from a model that predicts the text already.
MOST_PASSES, TUNING_PASSES = 150, 20

# A longer text is learned by several networks of full size, of a shorter one each has a part of the
# units.
LONG_TEXT = 100_000

# How many networks to divide the units among, and from which product of passes and weights for each
# character on.
MEMBERS = {4: 400.0, 2: 50.0}
SMALLEST_MEMBER = 32

# What is better than one network of so many units and costs about as much: how many of how many.
BETTER = {384: (2, 256), 512: (4, 256), 768: (4, 384), 1024: (4, 512)}
MORE = 1.25  # times the cost of the one, at most

# Of a model that knows the text, the most outputs and recurrent weights to drop.
MOST_DROPPED = 0.35, 0.2

# After so many passes through a text, a run that started from a model has forgotten that it did.
SOON_FORGOTTEN = 4

# The peak rate for up to so many units; more need a lower one.
RATES = {"lstm": 0.03, "gru": 0.02, "rnn": 0.008}
FULL_RATE_SIZE = 256


@dataclass(frozen=True)
class Recommendation:
    """A complete config, and what it was chosen for.

    passes   how often the run will read the text, about
    enough   True if more passes would not help, so that the run ends before its time
    """

    config: Config
    passes: float
    enough: bool


def recommend(  # noqa: PLR0913  # six, and all of them matter
    config: Config,
    fixed: set[str],
    train_ids: Ids,
    vocab_size: int,
    *,
    fine_tuning: bool = False,
    known: bool = False,
    work: float | None = None,
) -> Recommendation:
    """Choose what nobody fixed.

    config      fitted to the text; what is not fixed is replaced
    fixed       names of the settings that someone gave
    train_ids   what there is to train on
    fine_tuning   the run starts from a model
    known         it predicts the text already
    work          what this machine does in a second; see ``work_per_second``. None: it is measured
    """
    together = networks(config, fixed, fine_tuning=fine_tuning)
    if fine_tuning:
        config = replace(config, model=one_of(config.model, together))
    budget = Budget(config, fixed, train_ids, vocab_size, work=work, networks=together)
    chars, model, run = len(train_ids), config.model, config.run
    most_passes = TUNING_PASSES if known else MOST_PASSES
    most = most_passes * chars if run.epochs is run.steps is None else math.inf
    if "hidden_size" not in fixed:
        model = _sized(model, budget, most)
        if "members" not in fixed:
            model, budget, together = _several(model, budget, together, most)
    readable = budget.readable(model)
    passes = min(readable, most) / chars
    optimizer = config.optimizer
    if "learning_rate" not in fixed and optimizer.name == "adam":
        rate = fine_tuning_rate(model, passes) if fine_tuning else peak_rate(model)
        optimizer = replace(optimizer, learning_rate=rate)
    if readable > most:
        run = replace(run, epochs=most_passes)
    shares = _shares(model, together, passes, chars, fine_tuning=fine_tuning)
    free = {name: share for name, share in shares.items() if name not in fixed}
    model = replace(side_by_side(model, together), **free)  # type: ignore[arg-type]
    chosen = replace(config, model=model, optimizer=optimizer, run=run)
    return Recommendation(chosen, passes, enough=readable > most)


def _sized(model: ModelConfig, budget: Budget, most: float) -> ModelConfig:
    """Return the model in the size that pays.

    most   the most characters that are worth reading
    """
    sizes = [size for size in SIZES if size % model.members == 0]
    sizes = [size for size in sizes if budget.fits(replace(model, hidden_size=size))] or sizes[:1]
    sized = _largest_that_pays(model, sizes, budget, most)
    if sized.hidden_size > TRIAL_SIZE and budget.measure(sized):
        # Larger weights may no longer fit the CPU's caches, and cost more than their number.
        smaller = [size for size in sizes if size <= sized.hidden_size]
        sized = _largest_that_pays(model, smaller, budget, most)
    return sized


def _several(
    model: ModelConfig, budget: Budget, together: int, most: float
) -> tuple[ModelConfig, Budget, int]:
    """Return what is better than one network of this size, its budget, and how many of them.

    together   how many there are in any case, for as many cores
    most       the most characters that are worth reading
    """
    unchanged, chars = (model, budget, together), len(budget.train_ids)
    if chars < LONG_TEXT:
        passes = min(budget.readable(model), most) / chars
        count = members(passes, recurrent_weights(model) / chars)
        room = max(model.hidden_size // SMALLEST_MEMBER, 1)  # 3 for 96 units, which makes 2
        count = min(count, 1 << (room.bit_length() - 1))
        if count == 1:
            return unchanged
        if count < together:
            return replace(model, hidden_size=model.hidden_size // count), budget, together
        # More networks of full size would gain little on a text as small as that.
        return replace(model, members=count), budget.divided(1 / together), 1
    if model.hidden_size not in BETTER:
        return unchanged
    number, hidden_size = BETTER[model.hidden_size]
    one, most_cost = replace(model, hidden_size=hidden_size), MORE * budget.cost(model)
    # A large vocabulary makes every network dearer.
    while number * budget.cost(one) > most_cost:
        number //= 2
    if number > MOST_NETWORKS // together:  # as many as may be, as large as they may be
        number = MOST_NETWORKS // together
        larger = [replace(model, hidden_size=size) for size in SIZES if size >= hidden_size]
        one = [it for it in larger if number * budget.cost(it) <= most_cost][-1]
    return (one, budget.divided(number), together * number) if number > 1 else unchanged


def _largest_that_pays(
    model: ModelConfig, sizes: Sequence[int], budget: Budget, most: float
) -> ModelConfig:
    """Return the largest model that reads enough characters for each of its weights.

    most   the most characters that are worth reading
    """
    sized = [replace(model, hidden_size=size) for size in sizes]
    pays = [
        model
        for model in sized
        if min(budget.readable(model), most) >= READ_PER_WEIGHT * recurrent_weights(model)
    ]
    return max(pays, default=sized[0], key=lambda model: model.hidden_size)


def _shares(
    one: ModelConfig, together: int, passes: float, chars: int, *, fine_tuning: bool
) -> dict[str, float]:
    """Return dropout and weight drop for so many passes.

    together   how many networks like this one are trained side by side
    """
    count = one.members * together
    weights = recurrent_weights(one) / one.members**2 / chars  # of one member
    first = dropout(passes, count if chars < LONG_TEXT else 1)
    second = weight_drop(passes, weights, count)
    if fine_tuning:
        tuned, tuned_weights = fine_tuning_dropout(passes * weights)
        if passes >= SOON_FORGOTTEN:
            most, most_weights = MOST_DROPPED
            tuned = min(max(tuned, first), most)
            tuned_weights = min(max(tuned_weights, second), most_weights)
        first, second = tuned, tuned_weights
    return {"dropout": first, "weight_drop": second}


def members(passes: float, weights_per_char: float) -> int:
    """Return how many networks to divide the units among.

    The sooner one network would know the text by heart, the more several smaller ones gain.
    """
    soon = passes * weights_per_char
    return next((count for count, least in MEMBERS.items() if soon >= least), 1)


def dropout(passes: float, members: int = 1) -> float:
    """Return the dropout for a text that is read so many times. Small networks need less of it."""
    share = 0.08 * math.log2(passes / 2.5) - 0.07 * math.log2(members)
    return min(max(round(20 * share) / 20, 0.0), 0.5)


def weight_drop(passes: float, weights_per_char: float, networks: int = 1) -> float:
    """Return the share of recurrent weights to drop.

    weights_per_char   of one network
    networks           how many there are; what each learns by heart is lost in the mean of several

    It takes many passes and many weights for each character of the text to learn it by heart.
    """
    share = 0.07 * math.log2(passes * weights_per_char) - 0.03 - 0.08 * math.log2(networks)
    return min(max(round(20 * share) / 20, 0.0), 0.7)


def peak_rate(model: ModelConfig) -> float:
    """Return the peak learning rate of Adam."""
    rate = RATES[model.cell] * min(FULL_RATE_SIZE * model.members / model.hidden_size, 1)
    return float(f"{rate:.2g}")


def fine_tuning_rate(model: ModelConfig, passes: float) -> float:
    """Return the peak learning rate of Adam for a run that starts from a model.

    The more often the text is read, the less a step may undo of what the model knows.
    """
    share = 0.8 * (3 / max(passes, 3.0)) ** 0.35
    return float(f"{peak_rate(model) * share:.2g}")


def fine_tuning_dropout(overfit: float) -> tuple[float, float]:
    """Return dropout and weight drop for a run that starts from a model.

    overfit   passes times recurrent weights for each character of the text

    Dropping more weights than a fifth destroys what the model knows, however long the run.
    """
    size = math.log2(max(overfit, 1.0))
    shares = (round(20 * (slope * size - 0.1)) / 20 for slope in (0.06, 0.04))
    first, second = (max(share, 0.0) for share in shares)
    return min(first, MOST_DROPPED[0]), min(second, MOST_DROPPED[1])
