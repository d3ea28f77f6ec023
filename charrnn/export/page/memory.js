// A memory of a text to write like, as in charrnn/ngrams/memory.py: counts of what followed the
// last few characters, mixed with what the model expects. What is written is not remembered.

const makeMemory = ({ characters }, model, end) => {
  const MIN_ORDER = 3, BLOCK = 32, LEVELS = 6, PRIOR = 10;
  const STARTS = [[0.05, 0.05, 0.05, 0.08, 0.1, 0.15], [0.07, 0.2, 0.4, 0.5, 0.6, 0.6]];
  const V = [...characters].length, bits = 32 - Math.clz32(V + 1);
  const longest = Math.min(8, Math.floor(64 / bits) - 1);
  const contexts = new Map(), groups = new Map(), p = new Float64Array(V);
  let state = model.zero(), tail = [], logits = null, size = 0, odds = 0;

  // What followed the last characters, for each length that was there before.
  const recall = tail => {
    const found = [];
    for (let order = MIN_ORDER; order <= Math.min(longest, tail.length); order++) {
      const context = contexts.get(tail.slice(-order).join());
      if (!context) break;
      const { counts, total } = context, single = Number(counts.size === 1);
      const level = Math.min(32 - Math.clz32(total), LEVELS), name = `${order} ${level} ${single}`;
      if (!groups.has(name)) {
        const start = STARTS[single][level - 1];
        groups.set(name, { start, weight: start, work: 0, uses: 0 });
      }
      found.push({ counts, total, group: groups.get(name) });
    }
    return found;
  };
  const learn = id => {
    const likely = logits ? logits[id] - logSumExp(logits) : 0;
    let mixed = Math.max(Math.exp(likely), 1e-300);
    for (const { counts, total, group } of recall(tail)) {
      const added = group.weight * (counts.get(id) ?? 0) / total;
      mixed = (1 - group.weight) * mixed + added;
      group.work += added / mixed;
      group.uses++;
    }
    odds += Math.log(mixed) - likely;
    if (++size % BLOCK === 0)
      for (const group of groups.values())
        group.weight = (PRIOR * group.start + group.work) / (PRIOR + group.uses);
    for (let order = MIN_ORDER; order <= Math.min(longest, tail.length); order++) {
      const name = tail.slice(-order).join();
      const context = contexts.get(name) ?? { counts: new Map(), total: 0 };
      context.counts.set(id, (context.counts.get(id) ?? 0) + 1);
      context.total++;
      contexts.set(name, context);
    }
  };
  const follow = (tail, id) => [...tail, id].slice(-longest);

  return {
    // Reads ids, and yields after each, so that the page can be used meanwhile.
    *read(ids) {
      for (const id of ids) {
        learn(id);
        if (id === end) state = model.zero();
        logits = model.step(state, id).slice();
        tail = follow(tail, id);
        yield null;
      }
    },
    zero: () => ({ model: end === undefined ? structuredClone(state) : model.zero(), tail }),
    // Reads one character and returns log p of the next, (V,).
    step: (at, id) => {
      const logits = model.step(at.model, id), total = logSumExp(logits);
      at.tail = follow(at.tail, id);
      const trust = 1 / (1 + Math.exp(-odds)), found = recall(at.tail);
      const kept = found.reduce((left, { group }) => left * (1 - group.weight), 1);
      for (let c = 0; c < V; c++) p[c] = Math.exp(logits[c] - total) * (1 - trust + trust * kept);
      let share = trust * kept;
      for (const { counts, total, group } of found) {
        share /= 1 - group.weight;
        for (const [c, count] of counts) p[c] += share * group.weight * count / total;
      }
      return Float32Array.from(p, x => Math.log(Math.max(x, TINY)));
    },
  };
};
