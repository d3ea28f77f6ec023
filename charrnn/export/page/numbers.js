// The weights, from the text in which the page carries them.

const decoded = encoded => {
  const text = atob(encoded), bytes = new Uint8Array(text.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
};

// A number in half precision (IEEE 754 binary16), from its 16 bits.
const single = half => {
  const sign = half & 0x8000 ? -1 : 1, exponent = half >> 10 & 31, fraction = half & 1023;
  return sign * (exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction / 1024 / 2 ** 14);
};

const numbersOf = (encoded, half) => {
  const bytes = decoded(encoded);
  if (!half) return new Float32Array(bytes.buffer);
  const table = Float32Array.from({ length: 1 << 16 }, (_, bits) => single(bits));
  return new Float32Array(new Uint16Array(bytes.buffer)).map(bits => table[bits]);
};
