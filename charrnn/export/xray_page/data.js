// What the page holds, unpacked, and how characters and figures are shown.
const element = id => document.getElementById(id);
const make = (tag, settings = {}, ...children) => {
  const made = Object.assign(document.createElement(tag), settings);
  made.append(...children);
  return made;
};
const bytes = packed => Uint8Array.from(atob(packed), character => character.charCodeAt(0)).buffer;

const xray = (() => {
  const text = [...data.text], N = text.length, K = data.top, MOST = data.limits.length;
  const steps = new Uint16Array(bytes(data.nats));
  const guesses = [...data.guesses], top = new Uint16Array(bytes(data.topP));
  const ids = guesses.length > 65535 ? new Uint32Array(bytes(data.topIds)) : new Uint16Array(bytes(data.topIds));
  const held = new Uint8Array(bytes(data.activations)), parts = data.parts, P = parts.length;
  const starts = data.units.map((_, layer) =>
    data.units.slice(0, layer).reduce((sum, units) => sum + units.length * P * N, 0));
  // Where the activations of a unit begin; undefined if the page does not have it.
  const place = (layer, part, unit) => {
    const index = data.units[layer].indexOf(unit);
    return index < 0 ? undefined : starts[layer] + (part * data.units[layer].length + index) * N;
  };
  return {
    text, N, MOST, parts,
    predicted: at => steps[at] !== 65535,
    nats: at => steps[at] / data.nat,
    expected: at => Array.from({ length: xray.predicted(at) ? K : 0 }, (_, rank) =>
      ({ char: guesses[ids[at * K + rank]], p: top[at * K + rank] / 65535 })),
    activation: (layer, part, unit, at) => {
      const [least, most] = parts[part].bounds;
      return least + held[place(layer, part, unit) + at] / 255 * (most - least);
    },
    surpriseLevel: at => {
      const nats = xray.nats(at) + 1e-9;
      return data.limits.reduce((level, limit) => level + (nats >= limit), 0);
    },
    level: (part, value) => Math.round(value / parts[part].bounds[1] * MOST),
  };
})();

// Characters that would not show, or would change how others show, as signs.
const unseen = /[\p{Cc}\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/u;
const point = char => `U+${char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
const sign = char => ({ "\n": "↵", "\t": "⇥" })[char] ??
  (char < " " ? String.fromCharCode(0x2400 + char.charCodeAt(0)) : unseen.test(char) ? `⟨${point(char)}⟩` : null);
const names = { " ": "space", "\n": "line break", "\t": "tab" };
const alone = char => char === " " ? "␣" : sign(char) ?? (/\p{M}/u.test(char) ? `◌${char}` : char);
const percent = p => p >= 0.0995 ? `${Math.round(100 * p)} %` : p >= 0.001 ? `${(100 * p).toFixed(1)} %` : "< 0.1 %";
