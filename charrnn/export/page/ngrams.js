// The n-grams of the text, and their mixture with the network, as in charrnn/ngrams/. E entries,
// V characters; entry e belongs to node e + 1, a context, and node 0 is the empty one.

const TINY = 1e-38; // as in mixture.py
const DISCOUNT = 0.8;

const makeTable = (arrays, V) => {
  const [characters, children, adjusted, dropped] = ["characters", "children", "adjusted", "dropped"]
    .map(name => numbers(arrays[`ngram.${name}`]));
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
  const follow = (node, id) => {
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
      shorter[entry + 1] = withEntries(follow(shorter[node], characters[entry]));

  return {
    gammas,
    // The node after a node and a character.
    after: (node, id) => withEntries(follow(node, id)),
    // Adds the probabilities of all characters after a node, times a share, to p, (V,).
    add: (p, node, share) => {
      for (;; node = shorter[node]) {
        for (let entry = first[node]; entry < first[node + 1]; entry++)
          p[characters[entry]] += share * alphas[entry];
        share *= gammas[node];
        if (!node) break;
      }
      for (let id = 0; id < V; id++) p[id] += share / V;
    },
  };
};

// The network as it was, or with the n-grams if the model has any: then what it returns is log p.
const makeMixture = ({ characters, arrays }, network) => {
  if (!arrays["ngram.weights"]) return network;
  const V = [...characters].length, table = makeTable(arrays, V);
  const weights = Float32Array.from(numbers(arrays["ngram.weights"]));
  const own = new Float64Array(V), spelled = new Float64Array(V);
  const isSpelled = numbers(arrays["ngram.spelled"]);
  const sum = p => p.reduce((total, each, id) => total + each * isSpelled[id], 0);
  const weightAt = node =>
    weights[Math.min(Math.floor(Math.fround(table.gammas[node] * weights.length)),
                     weights.length - 1)];
  const mixed = (logits, node) => {
    const weight = weightAt(node), total = logSumExp(logits);
    for (let id = 0; id < V; id++) own[id] = Math.exp(logits[id] - total);
    table.add(spelled.fill(0), node, 1);
    const scale = (1 - weight) * sum(own) / sum(spelled);
    const log = new Float32Array(V); // Float32Array.from(p, ...) takes several times as long
    for (let id = 0; id < V; id++) {
      const p = isSpelled[id] ? weight * own[id] + scale * spelled[id] : own[id];
      log[id] = Math.log(Math.max(p, TINY));
    }
    return log;
  };
  return {
    zero: () => ({ layers: network.zero(), node: 0 }),
    step: (state, id) => {
      const logits = network.step(state.layers, id);
      state.node = table.after(state.node, id);
      return mixed(logits, state.node);
    },
  };
};
