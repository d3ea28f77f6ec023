// Which lines stand in the text: the filter of charrnn/text/seen.py.

const makeSeen = encoded => {
  if (!encoded) return () => false;
  const bits = decoded(encoded), size = bits.length * 8;
  const word = value => BigInt.asUintN(64, value);
  return line => {
    let sum = 0n, power = 1n, length = 0n;
    for (const character of line) {
      sum = word(sum + BigInt(character.codePointAt(0) + 1) * power);
      power = word(power * 0x9e3779b97f4a7c15n);
      length++;
    }
    let hash = word(sum + length);
    for (const shift of [30n, 27n, 31n]) hash = word((hash ^ hash >> shift) * 0xbf58476d1ce4e5b9n);
    const low = Number(hash & 0xffffffffn), high = Number(hash >> 32n | 1n);
    for (let probe = 0; probe < 8; probe++) {
      const place = (low + probe * high) % size;
      if (!(bits[place >> 3] >> (place & 7) & 1)) return false;
    }
    return true;
  };
};
