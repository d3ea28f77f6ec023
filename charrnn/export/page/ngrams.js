// The n-grams of the text, as in charrnn/ngrams/kneser_ney.py. E entries,
// V characters; entry e belongs to node e + 1, a context, and node 0 is the empty one.

const DISCOUNT = 0.8;

const makeNGrams = ({ arrays }, V) => {
  const read = name => numbers(arrays[`ngram.${name}`]);
  const [characters, children, adjusted, dropped, isSpelled] =
    ["characters", "children", "adjusted", "dropped", "spelled"].map(read);
  const weights = Float32Array.from(read("weights"));
  const E = characters.length, alphas = new Float32Array(E);
  // Below each node: its first entry, and what it leaves to shorter contexts.
  const first = new Uint32Array(E + 2), gammas = new Float32Array(E + 1).fill(1);
  for (let node = 0, parents = 0; node <= E; node++) {
    const begin = first[node], end = first[node + 1] = begin + children[node];
    if (begin === end) continue;
    const total = adjusted.subarray(begin, end).reduce((sum, x) => sum + x, dropped[parents++]);
    let sum = 0;
    for (let entry = begin; entry < end; entry++)
      sum += alphas[entry] = Math.max(adjusted[entry] - DISCOUNT, 0) / total;
    gammas[node] = 1 - sum;
  }
  // The longest suffix of each node, without itself, that has entries.
  const shorter = new Uint32Array(E + 1);
  const withEntries = node => first[node] < first[node + 1] ? node : shorter[node];
  // The node of a character below the longest suffix, from a node on, that has it below; else 0.
  const find = (node, id) => {
    for (;; node = shorter[node]) {
      let low = first[node], high = first[node + 1];
      const end = high;
      while (low < high) {
        const middle = low + high >>> 1;
        if (characters[middle] < id) low = middle + 1;
        else high = middle;
      }
      if (low < end && characters[low] === id) return low + 1;
      if (!node) return 0;
    }
  };
  for (let node = 1; node <= E; node++)
    for (let entry = first[node]; entry < first[node + 1]; entry++)
      shorter[entry + 1] = withEntries(find(shorter[node], characters[entry]));

  const q = new Float64Array(V);
  const sumSpelled = p => p.reduce((sum, each, id) => sum + each * isSpelled[id], 0);

  return {
    follow: (node, id) => withEntries(find(node, id)),
    mix: (p, node) => {
      const group = Math.floor(Math.fround(gammas[node] * weights.length));
      const weight = weights[Math.min(group, weights.length - 1)];
      q.fill(0);
      let share = 1;
      for (let context = node;; context = shorter[context]) {
        for (let entry = first[context]; entry < first[context + 1]; entry++)
          q[characters[entry]] += share * alphas[entry];
        share *= gammas[context];
        if (!context) break;
      }
      for (let id = 0; id < V; id++) q[id] += share / V;
      const scale = (1 - weight) * sumSpelled(p) / sumSpelled(q);
      for (let id = 0; id < V; id++)
        if (isSpelled[id]) p[id] = weight * p[id] + scale * q[id];
    },
  };
};
