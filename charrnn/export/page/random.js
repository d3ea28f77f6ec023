// Random numbers as NumPy draws them, so that a seed gives the same text here as on the command
// line: numpy.random.default_rng((seed, index, purpose)).

const SAMPLE = 4;  // the purpose, in charrnn/randomness.py

// Four 64-bit words from whole numbers: NumPy's SeedSequence, after O'Neill's seed_seq.
const spread = entropy => {
  let factor = 0x43b0d7e5;
  const hashed = value => {
    value ^= factor;
    factor = Math.imul(factor, 0x931e8875);
    value = Math.imul(value, factor);
    return value ^ value >>> 16;
  };
  const mixed = (a, b) => {
    const value = Math.imul(a, 0xca01f9dd) - Math.imul(b, 0x4973f715) | 0;
    return value ^ value >>> 16;
  };
  const pool = [0, 1, 2, 3].map(at => hashed(entropy[at] ?? 0));
  for (let from = 0; from < 4; from++)
    for (let to = 0; to < 4; to++)
      if (from !== to) pool[to] = mixed(pool[to], hashed(pool[from]));
  for (const value of entropy.slice(4))
    for (let to = 0; to < 4; to++) pool[to] = mixed(pool[to], hashed(value));
  factor = 0x8b51f9dd;
  const words = Array.from({ length: 8 }, (_, at) => {
    let value = pool[at % 4] ^ factor;
    factor = Math.imul(factor, 0x58f38ded);
    value = Math.imul(value, factor);
    return BigInt((value ^ value >>> 16) >>> 0);
  });
  return [0, 2, 4, 6].map(at => words[at] | words[at + 1] << 32n);
};

// Numbers from 0 to 1, without 1: PCG64 (O'Neill 2014), the XSL-RR variant with 128 bits of state.
const makeRandom = (seed, index) => {
  const words = value => {
    const all = [];
    do all.push(Number(BigInt.asUintN(32, value)) | 0); while (value >>= 32n);
    return all;
  };
  const [a, b, c, d] = spread([...words(BigInt(seed)), ...words(BigInt(index)), SAMPLE]);
  const increment = BigInt.asUintN(128, (c << 64n | d) << 1n | 1n);
  const after = state =>
    BigInt.asUintN(128, state * 0x2360ed051fc65da44385df649fccf645n + increment);
  let state = after(BigInt.asUintN(128, increment + (a << 64n | b)));
  return () => {
    state = after(state);
    const folded = BigInt.asUintN(64, state >> 64n ^ state), turn = state >> 122n;
    const bits = BigInt.asUintN(64, folded >> turn | folded << 64n - turn);
    return Number(bits >> 11n) / 2 ** 53;
  };
};
