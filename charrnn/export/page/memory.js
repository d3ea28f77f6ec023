// A memory of a text to write like, as in charrnn/ngrams/memory.py: counts of what followed the
// last few characters, mixed with what the model expects. What is written is not remembered.

// before: what was read before.
const NOTHING = { followers: null, groups: new Map(), tail: [], size: 0, odds: 0 };
const makeMemory = (model, before = NOTHING) => {
  const MIN_ORDER = 3, BLOCK = 32, LEVELS = 6, PRIOR = 10;
  const STARTS = [[0.05, 0.05, 0.05, 0.08, 0.1, 0.15], [0.07, 0.2, 0.4, 0.5, 0.6, 0.6]];
  const bits = 32 - Math.clz32([...model.characters].length + 1);
  const longest = Math.min(8, Math.floor(64 / bits) - 1);
  const followers = Object.create(before.followers), groups = structuredClone(before.groups);
  let { tail, size, odds } = before;

  // The suffixes of the last characters, from the shortest.
  const suffixes = () => Array.from({ length: tail.length - MIN_ORDER + 1 },
    (_, more) => tail.slice(-MIN_ORDER - more).join());
  // What followed each suffix that was there before.
  const recall = () => {
    const found = [];
    for (const suffix of suffixes()) {
      if (!followers[suffix]) break;
      const { counts, total } = followers[suffix], single = Number(counts.size === 1);
      const level = Math.min(32 - Math.clz32(total), LEVELS);
      const name = `${found.length} ${level} ${single}`, start = STARTS[single][level - 1];
      if (!groups.has(name)) groups.set(name, { start, weight: start, work: 0, uses: 0 });
      found.push({ counts, total, group: groups.get(name) });
    }
    return found;
  };

  return {
    copy: () => makeMemory(model, { followers, groups, tail, size, odds }),
    // A character follows. Learned before, with its log p without the memory, it is remembered.
    follow: id => { tail = [...tail, id].slice(-longest); },
    learn: (id, logP) => {
      let mixed = Math.max(Math.exp(logP), 1e-300);
      for (const { counts, total, group } of recall()) {
        const added = group.weight * (counts.get(id) ?? 0) / total;
        mixed = (1 - group.weight) * mixed + added;
        group.work += added / mixed;
        group.uses++;
      }
      odds += Math.log(mixed) - logP;
      if (++size % BLOCK === 0)
        for (const group of groups.values())
          group.weight = (PRIOR * group.start + group.work) / (PRIOR + group.uses);
      for (const suffix of suffixes()) {
        const { counts, total } = followers[suffix] ?? { counts: new Map(), total: 0 };
        const count = (counts.get(id) ?? 0) + 1;
        followers[suffix] = { counts: new Map(counts).set(id, count), total: total + 1 };
      }
    },
    mix: p => {
      const trust = 1 / (1 + Math.exp(-odds)), found = recall();
      const kept = found.reduce((left, { group }) => left * (1 - group.weight), 1);
      for (let id = 0; id < p.length; id++) p[id] *= 1 - trust + trust * kept;
      let share = trust * kept;
      for (const { counts, total, group } of found) {
        share /= 1 - group.weight;
        for (const [id, count] of counts) p[id] += share * group.weight * count / total;
      }
    },
  };
};
