// Text whose surprise can be seen: a tint and a bar for each character, and its figures on demand.

const $ = id => document.getElementById(id);
const make = (tag, className = "", ...content) => {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...content);
  return made;
};

// Where the next tint begins, in bits.
const LEVELS = [1, 2, 4, 6, 9];
const bits = nats => nats / Math.LN2;
const levelOf = nats => LEVELS.filter(level => bits(nats) >= level).length;

const NAMES = { " ": "space", "\n": "line break", "\t": "tab" };
const point = text => `U+${text.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
// A character by name: isolated, so that one of Hebrew does not turn the sentence around.
const named = text => {
  if (NAMES[text] || /^[\p{C}\p{Z}]/u.test(text)) return NAMES[text] ?? point(text);
  return `“\u2068${/^\p{M}/u.test(text) ? "\u25cc" : ""}${text}\u2069”`;
};
const percent = p => p >= 0.0995 ? `${Math.round(100 * p)} %`
  : p >= 0.001 ? `${(100 * p).toFixed(1)} %` : "< 0.1 %";
const textOf = letters => letters.map(letter => letter.character).join("");
const natsOf = letters => letters.reduce((sum, letter) => sum + letter.nats, 0);

// The surprise of letters, as in write.js, that are seen as one character, in words.
const surpriseOf = letters => {
  const name = named(textOf(letters)), nats = natsOf(letters);
  if (letters.some(letter => letter.unknown)) return `${name} is not in its alphabet`;
  if (letters[0].nats === null) return `${name} was given, not predicted`;
  return `${name}: ${bits(nats).toFixed(1)} bits, ${percent(Math.exp(-nats))} likely`;
};

const graphemes = text => Intl.Segmenter
  ? Array.from(new Intl.Segmenter().segment(text), ({ segment }) => segment) : [...text];

// Returns a span for each character as it is seen, with its surprise.
const spansOf = letters => {
  let at = 0;
  return graphemes(textOf(letters)).map(text => {
    const span = make("span", "letter", text);
    span.letters = letters.slice(at, at += [...text].length);
    const [{ given, unknown, copied, nats }] = span.letters;
    if (given) span.classList.add("given");
    if (unknown) span.classList.add("unknown");
    if (copied && !given) span.classList.add("copied");
    if (nats !== null) span.classList.add(`level${levelOf(natsOf(span.letters))}`);
    if (text === "\n") span.classList.add("break");
    return span;
  });
};

// Calls tell with each span in a place that is pointed at, tapped, or reached with an arrow key.
const explore = (place, tell) => {
  let chosen = null;
  const choose = span => {
    if (!span || span === chosen) return;
    chosen?.classList.remove("chosen");
    chosen = span;
    span.classList.add("chosen");
    tell(span);
  };
  for (const kind of ["pointermove", "pointerdown"])
    place.addEventListener(kind, event => choose(event.target.closest(".letter")));
  place.addEventListener("keydown", event => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const spans = [...place.querySelectorAll(".letter")], at = spans.indexOf(chosen);
    choose(spans[Math.min(Math.max(at + step, 0), spans.length - 1)]);
    chosen?.scrollIntoView({ block: "nearest" });
  });
};

const showLegend = place => place.replaceChildren(make("span", "", "bits"),
  ...[0, ...LEVELS].map((least, level) =>
    make("span", `letter level${level}`, level ? `${least}+` : "under 1")));
