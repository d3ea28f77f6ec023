// The network: from characters to the logits of the next. The equations are those of
// charrnn/nn/, the names and shapes of the weights PyTorch's. G gates, H units in a layer,
// V characters.

// A number in half precision (IEEE 754 binary16), from its 16 bits.
const fromHalf = bits => {
  const sign = bits & 0x8000 ? -1 : 1, exponent = bits >> 10 & 31, fraction = bits & 1023;
  return sign * (exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction / 2 ** 24);
};

// An array of a checkpoint: { dtype, data }, bytes in base64.
const numbers = ({ dtype, data }) => {
  const { buffer } = Uint8Array.from(atob(data), character => character.charCodeAt(0));
  if (dtype === "<f2") return Float32Array.from(new Uint16Array(buffer), fromHalf);
  const types = { "|u1": Uint8Array, "<u2": Uint16Array, "<u4": Uint32Array,
                  "<f4": Float32Array, "<f8": Float64Array };
  return new types[dtype](buffer);
};

const logSumExp = logits => {
  const largest = logits.reduce((a, b) => Math.max(a, b));
  return largest + Math.log(logits.reduce((sum, x) => sum + Math.exp(x - largest), 0));
};

const sigmoid = x => 1 / (1 + Math.exp(-x));

// One step of a cell. x: W_ih x_t + b_ih, r: W_hh h_(t-1) + b_hh, both gate by gate. Changes the
// state { h, c }.
const CELLS = {
  rnn: (H, x, r, { h }, relu) => {
    for (let j = 0; j < H; j++) h[j] = relu ? Math.max(x[j] + r[j], 0) : Math.tanh(x[j] + r[j]);
  },
  lstm: (H, x, r, { h, c }) => {
    const gate = at => x[at] + r[at];
    for (let j = 0; j < H; j++) {
      const i = sigmoid(gate(j)), f = sigmoid(gate(H + j)), g = Math.tanh(gate(2 * H + j));
      c[j] = f * c[j] + i * g;
      h[j] = sigmoid(gate(3 * H + j)) * Math.tanh(c[j]);
    }
  },
  gru: (H, x, r, { h }) => {
    for (let j = 0; j < H; j++) {
      const reset = sigmoid(x[j] + r[j]), update = sigmoid(x[H + j] + r[H + j]);
      const n = Math.tanh(x[2 * H + j] + reset * r[2 * H + j]);
      h[j] = (1 - update) * n + update * h[j];
    }
  },
};

// One network; prefix: what stands before the names of its arrays.
const makeMember = ({ config, arrays }, V, prefix) => {
  const { cell, hidden_size: H, layers, nonlinearity } = config.model;
  const weights = name => numbers(arrays[prefix + name]), step = CELLS[cell];
  const network = Array.from({ length: layers }, (_, layer) => ({
    input: weights(`weight_ih_l${layer}`), inputBias: weights(`bias_ih_l${layer}`),
    recurrent: weights(`weight_hh_l${layer}`), recurrentBias: weights(`bias_hh_l${layer}`),
  }));
  const output = weights("output.weight"), outputBias = weights("output.bias");
  const rows = network[0].inputBias.length;
  const x = new Float32Array(rows), r = new Float32Array(rows);

  // out = matrix vector + bias
  const multiply = (matrix, vector, bias, out) => {
    for (let row = 0, at = 0; row < out.length; row++, at += H) {
      let a = 0, b = 0, c = 0, d = 0, j = 0;
      for (; j + 3 < H; j += 4) {
        a += matrix[at + j] * vector[j];
        b += matrix[at + j + 1] * vector[j + 1];
        c += matrix[at + j + 2] * vector[j + 2];
        d += matrix[at + j + 3] * vector[j + 3];
      }
      for (; j < H; j++) a += matrix[at + j] * vector[j];
      out[row] = a + b + c + d + bias[row];
    }
  };

  return {
    zero: () => network.map(() => ({ h: new Float32Array(H), c: new Float32Array(H) })),
    // Reads one character and returns the logits of the next, (V,).
    step: (state, id) => {
      network.forEach((layer, number) => {
        if (number) multiply(layer.input, state[number - 1].h, layer.inputBias, x);
        // The product with a one-hot vector is a column of the weights.
        else x.forEach((_, row) => { x[row] = layer.input[row * V + id] + layer.inputBias[row]; });
        multiply(layer.recurrent, state[number].h, layer.recurrentBias, r);
        step(H, x, r, state[number], nonlinearity === "relu");
      });
      const logits = new Float32Array(V);
      multiply(output, state[layers - 1].h, outputBias, logits);
      return logits;
    },
  };
};

// Several networks, whose logits are averaged.
const makeNetwork = (model, V) => {
  const M = model.config.model.members;
  const members = Array.from({ length: M }, (_, m) => makeMember(model, V, M > 1 ? `m${m}.` : ""));
  return {
    zero: () => members.map(member => member.zero()),
    step: (states, id) => {
      const [logits, ...others] = members.map((member, m) => member.step(states[m], id));
      for (const other of others) other.forEach((x, c) => { logits[c] += x; });
      return M > 1 ? logits.map(x => x / M) : logits;
    },
  };
};

// The log p, (V,), of logits after a change of p, in place; as in charrnn/ngrams/mixture.py.
const TINY = 1e-38;
const mix = (logits, change) => {
  const total = logSumExp(logits), p = Float64Array.from(logits, x => Math.exp(x - total));
  change(p);
  return Float32Array.from(p, x => Math.log(Math.max(x, TINY)));
};

// A network with which n-grams are mixed; context: their node.
const makeMixture = (network, ngrams) => ({
  zero: () => ({ layers: network.zero(), context: 0 }),
  step: (state, id) => {
    state.context = ngrams.follow(state.context, id);
    return mix(network.step(state.layers, id), p => ngrams.mix(p, state.context));
  },
});
