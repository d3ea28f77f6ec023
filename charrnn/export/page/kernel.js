// The product of a matrix and a vector, where nearly all of the time goes: in WebAssembly, four
// numbers at a time, or in plain JavaScript where that is not to be had.

// Numbers in a row of a matrix are padded to a multiple of this.
const UNIT = 8;

// (func (param $matrix i32) (param $vector i32) (param $out i32) (param $rows i32) (param $bytes i32)
//       (local $at i32) (local $a v128) (local $b v128) ...), as bytes; all addresses are in bytes.
const CODE = `
  00 61 73 6d 01 00 00 00               ;; a module
  01 09 01 60 05 7f 7f 7f 7f 7f 00      ;; of one function type: five i32, no result
  02 06 01 00 00 02 00 01               ;; the memory is imported as "" from ""
  03 02 01 00                           ;; there is one function
  07 04 01 00 00 00                     ;; exported as ""
  0a 93 01 01 90 01 02 01 7f 02 7b      ;; with locals of types i32, v128, v128
  03 40                                 ;; for each row
    43 00 00 00 00 fd 13 22 06 21 07    ;;   a = b = 0, in four lanes
    20 01 21 05                         ;;   at = vector
    03 40                               ;;   for each unit of its numbers
      20 06 20 00 fd 00 04 00           ;;     a += matrix[0..3] * at[0..3]
      20 05 fd 00 04 00 fd e6 01 fd e4 01 21 06
      20 07 20 00 fd 00 04 10           ;;     b += matrix[4..7] * at[4..7]
      20 05 fd 00 04 10 fd e6 01 fd e4 01 21 07
      20 00 41 20 6a 21 00              ;;     matrix += 32 bytes
      20 05 41 20 6a 22 05              ;;     at += 32 bytes
      20 01 6b 20 04 49 0d 00           ;;     again while at - vector < bytes
    0b
    20 02                               ;;   *out =
    20 06 20 07 fd e4 01 22 06          ;;     a += b,
    fd 1f 00                            ;;     the sum of its lanes
    20 06 fd 1f 01 92
    20 06 fd 1f 02 92
    20 06 fd 1f 03 92
    38 02 00
    20 02 41 04 6a 21 02                ;;   out += 4 bytes
    20 03 41 01 6b 22 03 0d 00          ;;   again while --rows
  0b 0b`;

const compiled = memory => {
  const bytes = CODE.replace(/;;.*/g, "").trim().split(/\s+/).map(byte => parseInt(byte, 16));
  const module = new WebAssembly.Module(Uint8Array.from(bytes));
  return new WebAssembly.Instance(module, { "": { "": memory } }).exports[""];
};

// Returns memory for so many numbers, and how to multiply in it. Places in it count numbers, and
// columns, a multiple of UNIT.
const makeKernel = (size, plain = false) => {
  if (!plain) {
    try {
      const memory = new WebAssembly.Memory({ initial: Math.ceil(size * 4 / 65536) });
      const multiply = compiled(memory);
      return {
        numbers: new Float32Array(memory.buffer),
        multiply: (matrix, vector, out, rows, columns) =>
          multiply(matrix * 4, vector * 4, out * 4, rows, columns * 4),
      };
    } catch { /* a browser without it, or one that forbids it */ }
  }
  const numbers = new Float32Array(size);
  const multiply = (matrix, vector, out, rows, columns) => {
    for (let row = 0, at = matrix; row < rows; row++, at += columns) {
      let a = 0, b = 0, c = 0, d = 0;
      for (let column = 0; column < columns; column += 4) {
        a += numbers[at + column] * numbers[vector + column];
        b += numbers[at + column + 1] * numbers[vector + column + 1];
        c += numbers[at + column + 2] * numbers[vector + column + 2];
        d += numbers[at + column + 3] * numbers[vector + column + 3];
      }
      numbers[out + row] = a + b + (c + d);
    }
  };
  return { numbers, multiply };
};
