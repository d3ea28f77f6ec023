// What the page asks of the model. Each piece of work is a generator, so that whoever runs it can
// stop at any time.

const EXPECTED = 3;         // likely characters told of each place
const MOST_REFUSED = 20000; // lines in a row, as in charrnn/inference/whole_lines.py

// A character as the page shows it: nats, how much it surprised, null if nothing was expected;
// likely, what was expected, with probabilities.
const judged = (characters, logits, id) => {
  const total = logSumExp(logits), best = [];
  for (let other = 0; other < logits.length; other++) {
    if (best.length === EXPECTED && logits[other] <= logits[best[EXPECTED - 1]]) continue;
    let rank = best.findIndex(earlier => logits[other] > logits[earlier]);
    best.splice(rank < 0 ? best.length : rank, 0, other);
    best.length = Math.min(best.length, EXPECTED);
  }
  const likely = best.map(other => [characters[other], Math.exp(logits[other] - total)]);
  return { character: characters[id], nats: total - logits[id], likely };
};

const makeWork = (model, network) => {
  const engine = makeMixture(model, network);
  const { characters, index } = engine;
  const known = text => [...engine.fitted(text)].filter(character => index.has(character));
  const lineEnd = index.get("\n"), isSeen = makeSeen(model.seen);

  // Returns what goes on after a prompt: each call reads, and returns the next character.
  const writer = (prompt, random, wholeLine) => {
    const state = engine.zero(), ids = known(prompt).map(character => index.get(character));
    if (wholeLine || !ids.length) ids.unshift(model.start);
    let logits = null;
    for (const id of ids) logits = engine.step(state, id);
    return settings => {
      const id = choose(logits, settings, random);
      if (!Number.isFinite(logits[id]))
        throw new Error("The outputs of the network are not finite: its weights have exploded.");
      const written = judged(characters, logits, id);
      logits = engine.step(state, id);
      return written;
    };
  };

  // A line as the model has it, whatever its length; null if it is too long to be kept.
  const oneLine = (prompt, random, settings, longest) => {
    const next = writer(prompt, random, true), letters = [];
    while (letters.length < longest) {
      const letter = next(settings);
      if (letter.character === "\n") break;
      letters.push(letter);
    }
    return letters;
  };

  return {
    writer,
    known,

    // Yields characters without end.
    *text({ prompt, seed, settings }) {
      const next = writer(prompt, makeRandom(seed, 0), false);
      for (;;) yield next(settings);
    },

    // Yields lines that are kept: new ones, each once; nothing where one was refused.
    *lines({ prompt, seed, settings, count, shortest, longest, onlyNew }) {
      const begin = known(prompt), before = new Set();
      for (let sample = 0, made = 0, refused = 0; made < count; sample++) {
        const random = makeRandom(seed, sample);
        const letters = oneLine(prompt, random, settings, longest ? longest + 1 : model.longest);
        const line = begin.join("") + letters.map(letter => letter.character).join("");
        const length = begin.length + letters.length;
        const kept = length >= Math.max(shortest, 1) && !(longest && length > longest)
          && !before.has(line) && !(onlyNew && isSeen(line));
        if (kept) {
          before.add(line);
          made++;
          refused = 0;
          yield { line, letters: [...begin.map(character => ({ character, nats: null, likely: [] })),
                                  ...letters] };
        } else {
          // At temperature 0, every line is the same.
          if (++refused >= MOST_REFUSED || !(settings.temperature > 0)) return { refused };
          yield null;
        }
      }
      return {};
    },

    // Yields the characters of a text with their surprise, in the manner of charrnn score.
    *read({ text }) {
      const fitted = engine.fitted(text), lines = model.kind === "lines";
      let state = engine.zero(), logits = lines ? engine.step(state, model.start) : null;
      const all = [...fitted];
      if (lines && all.length && all[all.length - 1] !== "\n") all.push("\n");
      for (const character of all) {
        const id = index.get(character), end = lines && character === "\n";
        if (id === undefined) {
          yield { character, nats: null, likely: [], unknown: !end };
        } else {
          yield logits ? judged(characters, logits, id) : { character, nats: null, likely: [] };
          if (!end) logits = engine.step(state, id);
        }
        if (end) {
          state = engine.zero();
          logits = engine.step(state, model.start);
        }
      }
    },
  };
};
