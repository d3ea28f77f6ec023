"""Text that ends in a given way: candidates are sampled, and chosen by how well the end fits.

    P(middle | suffix) is in proportion to p(middle) p(suffix | prompt, middle)

A batch of middles is drawn from the model, which takes care of p(middle). After each character of
each, the log probability of the suffix is computed; a place is then drawn with this probability as
its weight (importance sampling; every length up to the largest is equally likely beforehand).
"""

import numpy as np

from charrnn.errors import ConfigError, TrainingError
from charrnn.inference.choice import choose
from charrnn.inference.controls import Controls, Drafts
from charrnn.inference.predictor import StepDecoder
from charrnn.inference.sampling import SamplingRun
from charrnn.nn.cells import Array
from charrnn.nn.loss import log_softmax
from charrnn.randomness import Purpose, generator
from charrnn.text.vocabulary import Ids

# Middles that are drawn for each text. Greedy sampling has only one.
CANDIDATES = 32


def write_with_suffix(
    run: SamplingRun, suffix: Ids, length: int, *, sample: int = 0, controls: Controls | None = None
) -> tuple[Ids, float]:
    """Return a text of at most ``length`` characters that ends with a suffix, and its log p.

    run        the prompt and how to sample
    suffix     ids of the suffix, (S,), at least one
    sample     index of the sample: it depends on this and the random seed alone
    controls   which characters the middle may have; None: all

    The log probability is in nats, without filters and temperature. Raises ConfigError if the
    suffix is longer than the text, TrainingError if the logits are not finite.
    """
    steps = length - len(suffix)
    if steps < 0:
        raise ConfigError(
            f"a suffix of {len(suffix)} characters does not fit into {length}",
            hint=f"--length {len(suffix)} or more",
        )
    count = 1 if run.config.temperature == 0 else CANDIDATES
    decoder, probe = run.predictor.decoder(count), run.predictor.decoder(count)
    drafts = None if controls is None else Drafts(controls, count, run.predictor.vocab_size)
    decoder.start(run.start.state)
    logits = np.tile(run.start.logits, (count, 1))
    sources = [run.randomness.of(sample * count + number) for number in range(count)]
    draws = 1 - np.array([source.random(steps) for source in sources])
    middles = np.zeros((count, steps), np.uint32)
    nats = np.zeros((count, steps + 1))  # log p of each middle up to each place
    fits = np.empty((count, steps + 1))  # log p of the suffix at each place
    for at in range(steps + 1):
        log_p = log_softmax(logits.astype(np.float64))
        if np.isnan(log_p).any():
            raise TrainingError("the model's outputs are not finite numbers", hint="train it again")
        fits[:, at] = _suffix_log_p(decoder, probe, log_p, suffix)
        if at < steps:
            choices = logits if drafts is None else drafts.mask(logits)
            middles[:, at] = ids = choose(choices, run.config, draws[:, at])
            nats[:, at + 1] = nats[:, at] + log_p[np.arange(count), ids]
            logits = decoder.feed(ids)
    row, place = _drawn(fits, run, sample)
    text = np.concatenate([middles[row, :place], suffix.astype(np.uint32)])
    return text, float(nats[row, place] + fits[row, place])


def _suffix_log_p(decoder: StepDecoder, probe: StepDecoder, log_p: Array, suffix: Ids) -> Array:
    """Return log p of the suffix after the state of each sample, (N,), given log_p (N, V)."""
    total: Array = log_p[:, suffix[0]].copy()
    if len(suffix) > 1:
        probe.start(decoder.state())
    for before, chosen in zip(suffix[:-1].tolist(), suffix[1:].tolist(), strict=True):
        logits = probe.feed(np.full(len(total), before))
        total += log_softmax(logits.astype(np.float64))[:, chosen]
    return total


def _drawn(fits: Array, run: SamplingRun, sample: int) -> tuple[int, int]:
    """Return the candidate and the place that are chosen; greedy: where the suffix fits best."""
    weights = np.exp(fits - fits.max()).ravel()
    if run.config.temperature == 0:
        chosen = int(weights.argmax())
    else:
        draw = 1 - generator(run.randomness.seed, Purpose.SUFFIX, sample).random()
        cumulative = np.cumsum(weights)
        chosen = int((cumulative >= cumulative[-1] * draw).argmax())
    row, place = divmod(chosen, fits.shape[1])
    return row, place
