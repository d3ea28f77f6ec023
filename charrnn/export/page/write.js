// What the page asks of the model, as generators: whoever runs one can stop at any time. A letter
// is a character with its surprise: { character, nats, likely }; nats is null where nothing was
// expected, and likely are the characters that were, with their probabilities.

const LIKELY = 3;
// Pieces in a row that are refused before the list ends.
const MAX_REFUSED = 2000;
// Characters in which a text that is long enough comes to the end of its sentence.
const MAX_EXCESS = 400;
// A sentence has ended before the last character, as in charrnn/generate/controls.py.
const CLOSERS = "\"'”’»›)\\]}」』）】》〉";
const SENTENCE_END = RegExp(
  `[.!?…؟۔][${CLOSERS}]*\\s$|[。！？।॥][${CLOSERS}]*[^${CLOSERS}.!?…؟۔。！？।॥]$`, "u");

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

// What the text has, as in charrnn/generate/seen.py: sums of code points times powers of BASE, in
// Bloom filters. MIN_RUN spans of a passage stand in the text, so 32 characters or more.
const BASE = 0x9e3779b97f4a7c15n, SPAN = 16, STRIDE = 8, MIN_RUN = 3;
const word = value => BigInt.asUintN(64, value);
const pointsOf = characters => characters.map(each => BigInt(each.codePointAt(0) + 1));

const makeFilter = array => {
  const bits = numbers(array), [filters, size] = array.shape;
  return sum => {
    let hash = word(sum);
    for (const shift of [30n, 27n, 31n]) hash = word((hash ^ hash >> shift) * 0xbf58476d1ce4e5b9n);
    const low = Number(hash & 0xffffffffn), step = Number(hash >> 32n | 1n);
    const places = [0, 1, 2, 3, 4, 5, 6, 7].map(probe => (low + probe * step) % (size * 8));
    return Array.from({ length: filters }, (_, filter) => filter * size)
      .some(begin => places.every(at => bits[begin + (at >> 3)] >> (at & 7) & 1));
  };
};

// Whether the text has a piece.
const makeSeen = array => {
  const has = makeFilter(array);
  return piece => {
    let sum = 0n, power = 1n;
    for (const point of pointsOf([...piece])) {
      sum += point * power + 1n;
      power = word(power * BASE);
    }
    return has(sum);
  };
};

// Marks letters that are copied from the text.
const makeMarker = array => {
  const has = makeFilter(array);
  const powers = Array.from({ length: SPAN }, (_, at) => word(BASE ** BigInt(at + 1)));
  return letters => {
    const points = pointsOf(letters.map(letter => letter.character)), runs = [];
    for (let end = SPAN; end <= points.length; end++) {
      const span = points.slice(end - SPAN, end);
      const found = has(span.reduce((sum, point, at) => sum + point * powers[at], 0n));
      const run = runs[end] = found ? (runs[end - STRIDE] ?? 0) + 1 : 0;
      if (run < MIN_RUN) continue;
      for (const letter of letters.slice(end - SPAN - STRIDE * (run - 1), end))
        letter.copied = true;
    }
  };
};

const makeWriter = model => {
  const characters = [...model.characters], V = characters.length;
  const recurrent = makeNetwork(model, V);
  const network =
    model.arrays["ngram.weights"] ? makeMixture(recurrent, makeNGrams(model, V)) : recurrent;
  const index = new Map(characters.map((character, id) => [character, id]));
  const END = index.get(model.end);
  const { "pieces.seen": list, "spans.seen": spans } = model.arrays;
  const isSeen = list ? makeSeen(list) : () => false;
  const markCopies = spans ? makeMarker(spans) : () => {};
  const { normalize } = model.config.data;
  const normalized = text => [...(normalize === "none" ? text : text.normalize(normalize))];
  const known = text => normalized(text).filter(character => index.has(character));

  const letter = (logits, id) => {
    const total = logSumExp(logits), best = [];
    while (best.length < Math.min(LIKELY, V))
      best.push(logits.reduce((found, x, other) =>
        best.includes(other) || x <= (logits[found] ?? -Infinity) ? found : other, null));
    const likely = best.map(other => [characters[other], Math.exp(logits[other] - total)]);
    return { character: characters[id], nats: total - logits[id], likely };
  };
  // A place in a text: the state after it, the logits of what is next and, after a text to write
  // like, the memory.
  const start = () => ({ state: network.zero(), logits: null, memory: null });
  const follow = (place, id) => {
    if (id === END) place.state = network.zero();
    place.logits = network.step(place.state, id);
    place.memory?.follow(id);
  };
  const learn = (place, id) => {
    place.memory?.learn(id, place.logits ? place.logits[id] - logSumExp(place.logits) : 0);
    follow(place, id);
  };
  let liked = start();
  // Reads a text to write like, and yields after each character, so that the page can be used.
  function* remember(text) {
    liked = start();
    if (!text) return;
    const pieces = ["", ...text.split(model.between).filter(Boolean), ""];
    const whole = model.end ? pieces.join(model.end) : text.replace(/\n$/, "");
    liked.memory = makeMemory(model);
    for (const character of known(whole)) {
      learn(liked, index.get(character));
      yield null;
    }
  }
  const given = character => ({ character, nats: null, likely: [], given: true });

  // Yields the characters that continue a prompt, without end.
  function* continued(prompt, temperature, random) {
    const ids = known(prompt).map(character => index.get(character));
    const end = model.end ?? "\n"; // a given prompt begins a piece, or a line
    if (!ids.length) ids.push(...model.start);
    else if (index.has(end)) ids.unshift(index.get(end));
    const memory = liked.memory?.copy(), place = { ...liked, memory };
    place.state = structuredClone(liked.state);
    for (const id of ids) learn(place, id);
    for (;;) {
      const logits = memory ? mix(place.logits, memory.mix) : place.logits;
      const id = choose(logits, temperature, random);
      if (!Number.isFinite(logits[id])) throw new Error("The weights have exploded.");
      yield letter(logits, id);
      follow(place, id);
    }
  }

  // Yields a text of some length, to the end of its sentence: in code, of its line.
  function* text({ prompt, temperature, amount, seed }) {
    yield* known(prompt).map(given);
    let tail = prompt, count = 0;
    for (const next of continued(prompt, temperature, makeRandom(seed))) {
      tail = (tail + next.character).slice(-20);
      const ended = model.code ? next.character === "\n" : SENTENCE_END.test(tail);
      if (count >= amount && (ended || count >= amount + MAX_EXCESS)) return;
      yield next;
      count++;
    }
  }

  // Yields different pieces, as lists of letters; null where one was refused.
  function* pieces({ prompt, temperature, amount, seed, onlyNew }) {
    const random = makeRandom(seed), before = new Set(), begin = known(prompt).map(given);
    for (let refused = 0; before.size < amount && refused < MAX_REFUSED; refused++) {
      const letters = [...begin];
      let ended = false;
      for (const next of continued(prompt, temperature, random)) {
        ended = next.character === model.end;
        if (ended || letters.length >= model.limit) break;
        letters.push(next);
      }
      const piece = letters.map(each => each.character).join("");
      if (ended && piece && !before.has(piece) && !(onlyNew && isSeen(piece))) {
        before.add(piece);
        refused = 0;
        yield letters;
      } else {
        yield null;
      }
      if (!temperature) return; // every piece is the same
    }
  }

  // Yields the letters of a text in the manner of charrnn score; of pieces, one by one.
  function* read(text) {
    const all = normalized(text);
    if (model.end && all.length && all[all.length - 1] !== model.end) all.push(model.end);
    const place = start();
    if (model.end) follow(place, END);
    for (const character of all) {
      const id = index.get(character);
      if (id === undefined) {
        yield { character, nats: null, likely: [], unknown: true };
        continue;
      }
      yield place.logits ? letter(place.logits, id) : given(character);
      follow(place, id);
    }
  }

  return { index, markCopies, normalized, remember, text, pieces, read, continued };
};
