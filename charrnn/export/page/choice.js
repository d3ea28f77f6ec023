// How a character is chosen, as in charrnn/inference/choice.py.

const logSumExp = logits => {
  const largest = logits.reduce((a, b) => Math.max(a, b));
  return largest + Math.log(logits.reduce((sum, x) => sum + Math.exp(x - largest), 0));
};

// Sets to 0 what is not among the likeliest k, or the fewest that together have the share p.
const keepTop = (weights, topK, topP) => {
  const order = Array.from(weights.keys()).sort((a, b) => weights[b] - weights[a] || a - b);
  if (topK) for (const id of order.splice(topK)) weights[id] = 0;
  if (!topP) return;
  const enough = topP * weights.reduce((sum, weight) => sum + weight, 0);
  let before = 0;
  order.forEach((id, rank) => {
    const weight = weights[id];
    if (rank && before >= enough) weights[id] = 0;
    before += weight;
  });
};

// Returns an id. settings: temperature, and topK and topP or nothing. random() is drawn from once.
const choose = (logits, { temperature, topK, topP }, random) => {
  const draw = 1 - random();
  let likeliest = 0;
  for (let id = 1; id < logits.length; id++) if (logits[id] > logits[likeliest]) likeliest = id;
  if (!(temperature > 0)) return likeliest;
  const steepness = Math.min(1 / temperature, 1e290);
  const weights = Float64Array.from(logits, x => Math.exp((x - logits[likeliest]) * steepness));
  if (topK || topP) keepTop(weights, topK, topP);
  for (let id = 1; id < weights.length; id++) weights[id] += weights[id - 1];
  const target = weights[weights.length - 1] * draw;
  const chosen = weights.findIndex(sum => sum >= target);
  return chosen < 0 ? likeliest : chosen;
};
