// The network: from characters to the logits of the next. The equations are those of
// charrnn/nn/cells/, the names and shapes of the weights PyTorch's. G gates, H units in a layer, V
// characters.

const sigmoid = x => 1 / (1 + Math.exp(-x));

// One step of a cell. gates: what comes from the input, biases included; recurrent: W_hh h, both
// gate by gate. Changes the state { h, c }.
const CELLS = {
  rnn: { G: 1, step: (H, gates, recurrent, { h }, { relu }) => {
    for (let j = 0; j < H; j++) {
      const a = gates[j] + recurrent[j];
      h[j] = relu ? Math.max(a, 0) : Math.tanh(a);
    }
  } },
  lstm: { G: 4, step: (H, gates, recurrent, { h, c }) => {
    const gate = at => gates[at] + recurrent[at];
    for (let j = 0; j < H; j++) {
      const i = sigmoid(gate(j)), f = sigmoid(gate(H + j)), g = Math.tanh(gate(2 * H + j));
      c[j] = f * c[j] + i * g;
      h[j] = sigmoid(gate(3 * H + j)) * Math.tanh(c[j]);
    }
  } },
  gru: { G: 3, step: (H, gates, recurrent, { h }, { inner }) => {
    for (let j = 0; j < H; j++) {
      const r = sigmoid(gates[j] + recurrent[j]), z = sigmoid(gates[H + j] + recurrent[H + j]);
      const n = Math.tanh(gates[2 * H + j] + r * (recurrent[2 * H + j] + inner[j]));
      h[j] = (1 - z) * n + z * h[j];
    }
  } },
};

const makeEngine = (model, plain = false) => {
  const { layers, hiddenSize: H, members } = model;
  const cell = CELLS[model.cell], rows = cell.G * H;
  const characters = [...model.characters], V = characters.length;
  const index = new Map(characters.map((character, id) => [character, id]));
  const padded = columns => Math.ceil(columns / UNIT) * UNIT;
  const width = padded(H), size = (2 * layers - 1) * rows * width + V * width;
  const vectorAt = size, outAt = vectorAt + width;
  const { numbers, multiply } = makeKernel(outAt + Math.max(rows, V), plain);

  // In the order in which a checkpoint stores them.
  const stored = numbersOf(model.weights, model.half);
  let taken = 0, placed = 0;
  const take = count => stored.subarray(taken, taken += count);
  // Of an ensemble, only the weights within each of its members are stored; the others are 0.
  const matrix = (height, columns, parts = 1) => {
    const at = placed, long = padded(columns), part = columns / parts;
    for (let row = 0; row < height; row++) {
      const first = Math.floor(row % H * parts / H) * part;
      numbers.set(take(part), at + row * long + first);
    }
    placed += height * long;
    return { at, height, long };
  };
  // The result is valid until the next product.
  const times = ({ at, height, long }, vector) => {
    numbers.fill(0, vectorAt, vectorAt + long);
    numbers.set(vector, vectorAt);
    multiply(at, vectorAt, outAt, height, long);
    return numbers.subarray(outAt, outAt + height);
  };

  const readRun = bottom => {
    // The product with a one-hot vector is a column of the weights.
    const columns = bottom && take(rows * V);
    const input = bottom ? null : matrix(rows, H, members);
    const recurrent = matrix(rows, H, members);
    const bias = take(rows).slice(), other = take(rows), inner = other.slice(2 * H);
    const shared = model.cell === "gru" ? 2 * H : rows;
    for (let row = 0; row < shared; row++) bias[row] += other[row];
    const table = bottom && new Float32Array(rows * V);
    if (bottom)
      for (let row = 0; row < rows; row++)
        for (let id = 0; id < V; id++)
          table[id * rows + row] = columns[row * V + id] + bias[row];
    return { table, input, recurrent, bias, inner, relu: model.nonlinearity === "relu" };
  };
  const network = Array.from({ length: layers }, (_, layer) => readRun(layer === 0));
  const output = matrix(V, H), outputBias = take(V), gates = new Float32Array(rows);

  const zero = () => network.map(() => ({ h: new Float32Array(H), c: new Float32Array(H) }));
  // input: an id in the lowest layer, the outputs of the layer below in the others
  const stepRun = (run, state, input) => {
    if (run.table) {
      gates.set(run.table.subarray(input * rows, (input + 1) * rows));
    } else {
      const product = times(run.input, input);
      for (let row = 0; row < rows; row++) gates[row] = product[row] + run.bias[row];
    }
    cell.step(H, gates, times(run.recurrent, state.h), state, run);
    return state.h;
  };
  const logitsOf = features => times(output, features).map((x, id) => x + outputBias[id]);

  return {
    characters, index, zero,
    parameters: stored.length,
    fitted: text => model.normalize === "none" ? text : text.normalize(model.normalize),
    // Reads one character and returns the logits of the next, (V,).
    step: (state, id) => logitsOf(network.reduce(
      (input, run, number) => stepRun(run, state[number], input), id)),
  };
};
