// What the page asks of the model, as generators: whoever runs one can stop at any time. A letter
// is a character with its surprise: { character, nats, likely }; nats is null where nothing was
// expected, and likely are the characters that were, with their probabilities.

const LIKELY = 3;
// Lines in a row that are refused before the list ends, and characters after which one is.
const MAX_REFUSED = 2000, MAX_LINE = 1000;
// Characters in which a text that is long enough comes to the end of its sentence.
const MAX_EXCESS = 400;
const SENTENCE_END = /[.!?…؟।]["'”’»›)\]}]*$/u;
const FULL_WIDTH_END = /[。！？]["'”’»›」』）】》〉]*$/u;

// Random numbers from 0 to 1, without 1: SplitMix with 32 bits (Steele, Lea & Flood 2014).
const makeRandom = seed => {
  let state = seed;
  return () => {
    state = state + 0x9e3779b9 | 0;
    let bits = Math.imul(state ^ state >>> 16, 0x21f0aaad);
    bits = Math.imul(bits ^ bits >>> 15, 0x735a2d97);
    return ((bits ^ bits >>> 15) >>> 0) / 2 ** 32;
  };
};

const choose = (logits, temperature, random) => {
  const best = logits.reduce((best, x, id) => x > logits[best] ? id : best, 0);
  if (!temperature) return best;
  const weights = Float64Array.from(logits, x => Math.exp((x - logits[best]) / temperature));
  let left = random() * weights.reduce((sum, weight) => sum + weight, 0);
  const chosen = weights.findIndex(weight => (left -= weight) < 0);
  return chosen < 0 ? best : chosen;
};

// Which lines the text has: the Bloom filter of charrnn/generate/novelty.py.
const makeSeen = bits => line => {
  const word = value => BigInt.asUintN(64, value);
  let sum = 0n, power = 1n, length = 0n;
  for (const character of line) {
    sum = word(sum + BigInt(character.codePointAt(0) + 1) * power);
    power = word(power * 0x9e3779b97f4a7c15n);
    length++;
  }
  let hash = word(sum + length);
  for (const shift of [30n, 27n, 31n]) hash = word((hash ^ hash >> shift) * 0xbf58476d1ce4e5b9n);
  const low = Number(hash & 0xffffffffn), step = Number(hash >> 32n | 1n);
  return [0, 1, 2, 3, 4, 5, 6, 7].every(probe => {
    const place = (low + probe * step) % (bits.length * 8);
    return bits[place >> 3] >> (place & 7) & 1;
  });
};

const makeWriter = model => {
  const network = makeMixture(model, makeNetwork(model));
  const characters = [...model.characters];
  const index = new Map(characters.map((character, id) => [character, id]));
  const seen = model.arrays["lines.seen"];
  const isSeen = seen ? makeSeen(numbers(seen)) : () => false;
  const { normalize } = model.config.data;
  const normalized = text => [...(normalize === "none" ? text : text.normalize(normalize))];
  const known = text => normalized(text).filter(character => index.has(character));

  const letter = (logits, id) => {
    const total = logSumExp(logits), best = [];
    while (best.length < Math.min(LIKELY, characters.length))
      best.push(logits.reduce((found, x, other) =>
        best.includes(other) || x <= (logits[found] ?? -Infinity) ? found : other, null));
    const likely = best.map(other => [characters[other], Math.exp(logits[other] - total)]);
    return { character: characters[id], nats: total - logits[id], likely };
  };
  // What writes: the model or, after a text to write like, the model with a memory of it.
  let writing = network;
  function* remember(text) {
    writing = network;
    const end = text.endsWith("\n") ? text : `${text}\n`;
    const ids = known(model.lines ? `\n${end}`.replace(/\n+/g, "\n") : end).map(c => index.get(c));
    const memory = makeMemory(model, network, index.get("\n"));
    yield* memory.read(ids);
    if (text) writing = memory;
  }
  const given = character => ({ character, nats: null, likely: [], given: true });

  // Yields the characters that continue a prompt, without end.
  function* continued(prompt, temperature, random) {
    const state = writing.zero(), ids = known(prompt).map(character => index.get(character));
    if (model.lines || !ids.length) ids.unshift(...model.start);
    let logits = null;
    for (const id of ids) logits = writing.step(state, id);
    for (;;) {
      const id = choose(logits, temperature, random);
      if (!Number.isFinite(logits[id])) throw new Error("The weights have exploded.");
      yield letter(logits, id);
      logits = writing.step(state, id);
    }
  }

  // Yields a text of some length, to the end of its sentence: in code, of its line.
  function* text({ prompt, temperature, amount, seed }) {
    yield* known(prompt).map(given);
    let written = prompt, count = 0;
    for (const next of continued(prompt, temperature, makeRandom(seed))) {
      const atSpace = /\s/.test(next.character), enough = count >= amount;
      if (enough && (FULL_WIDTH_END.test(written) || count >= amount + MAX_EXCESS)) return;
      if (enough && atSpace && (model.code ? next.character === "\n" : SENTENCE_END.test(written)))
        return;
      yield next;
      written = (written + next.character).slice(-20);
      count++;
    }
  }

  // Yields different lines, as lists of letters; null where one was refused.
  function* lines({ prompt, temperature, amount, seed, onlyNew }) {
    const random = makeRandom(seed), before = new Set(), begin = known(prompt).map(given);
    for (let refused = 0; before.size < amount && refused < MAX_REFUSED; refused++) {
      const letters = [...begin];
      for (const next of continued(prompt, temperature, random)) {
        if (next.character === "\n" || letters.length >= MAX_LINE) break;
        letters.push(next);
      }
      const line = letters.map(each => each.character).join("");
      if (line && !before.has(line) && !(onlyNew && isSeen(line))) {
        before.add(line);
        refused = 0;
        yield letters;
      } else {
        yield null;
      }
      if (!temperature) return; // every line is the same
    }
  }

  // Yields the letters of a text in the manner of charrnn score; of a list, line by line.
  function* read(text) {
    const all = normalized(text);
    if (model.lines && all.length && all[all.length - 1] !== "\n") all.push("\n");
    let state = network.zero();
    let logits = model.lines ? network.step(state, index.get("\n")) : null;
    for (const character of all) {
      const id = index.get(character);
      if (id === undefined) yield { character, nats: null, likely: [], unknown: true };
      else yield logits ? letter(logits, id) : given(character);
      if (model.lines && character === "\n") state = network.zero();
      if (id !== undefined) logits = network.step(state, id);
    }
  }

  return { network, index, isSeen, normalized, remember, text, lines, read, continued };
};
