// Text whose surprise can be seen: a tint and a bar under each character, and its figures on demand.

// Where the next tint begins, in bits.
const LEVELS = [1, 2, 4, 6, 9];
const bits = nats => nats / Math.LN2;
const levelOf = nats => LEVELS.filter(level => bits(nats) >= level).length;

const NAMES = { " ": "space", "\n": "line break", "\t": "tab" };
// A character is isolated, so that one of Hebrew does not turn the sentence around.
const named = text =>
  NAMES[text] ?? `“\u2068${/^\p{M}/u.test(text) ? "\u25cc" : ""}${text}\u2069”`;
const percent = p => p >= 0.0995 ? `${Math.round(100 * p)} %` : p >= 0.00095
  ? `${Number((100 * p).toPrecision(1))} %` : `1 in ${Math.round(1 / p).toLocaleString("en")}`;
const described = ({ text, nats, likely, unknown }) => {
  if (unknown) return `${named(text)} is not in its alphabet.`;
  if (nats === null) return `${named(text)} was given, not expected.`;
  const expected = likely.map(([character, p]) => `${named(character)} ${percent(p)}`).join(", ");
  return `${named(text)}: ${bits(nats).toFixed(1)} bits, ${percent(Math.exp(-nats))} likely. ` +
    `Expected: ${expected}.`;
};

const showLegend = place => {
  place.append(make("span", "", "bits"));
  for (const [level, least] of [0, ...LEVELS].entries()) {
    const word = level ? `${least}${level === LEVELS.length ? "+" : ""}` : "under 1";
    place.append(make("span", `letter level${level}`, word));
  }
};

// Splits code points into what is seen as one character.
const segmenter = Intl.Segmenter ? new Intl.Segmenter() : null;
const joins = (text, character) => {
  if (character < "\u0300" || text === "\n" || !segmenter) return false;
  const pieces = segmenter.segment(text + character)[Symbol.iterator]();
  pieces.next();
  return pieces.next().done;
};

// Letters are what the network reports, see judged() in work.js.
const clustersOf = (letters, clusters = []) => {
  const changed = clusters.length;
  for (const { character, nats, likely, unknown, given } of letters) {
    const last = clusters[clusters.length - 1];
    if (last && last.given === given && joins(last.text, character)) {
      last.text += character;
      if (nats !== null) last.nats = (last.nats ?? 0) + nats;
      last.unknown ||= unknown;
    } else {
      clusters.push({ text: character, nats, likely, unknown, given });
    }
  }
  return Math.max(changed - 1, 0);
};

const letterSpan = cluster => {
  const span = make("span", "letter", cluster.text);
  if (cluster.unknown) span.classList.add("unknown");
  else if (cluster.nats !== null) span.classList.add(`level${levelOf(cluster.nats)}`);
  if (cluster.given) span.classList.add("given");
  if (cluster.text === "\n") span.classList.add("break");
  return span;
};

// A text on the page, plain or in letters. While it is in letters, it is a slider to the keyboard
// and to screen readers, over its characters, and the plain text is there for them unseen.
const makeSheet = (root, readout) => {
  root.className = "sheet";
  if (MODEL.mono) root.classList.add("mono");
  root.dir = "auto";
  const plain = make("p", "plain"), letters = make("div", "letters");
  const given = make("span", "given"), text = make("span");
  plain.append(given, text);
  root.append(plain, letters);
  letters.tabIndex = 0;
  letters.setAttribute("role", "slider");
  letters.setAttribute("aria-label", "Surprise, character by character");
  letters.setAttribute("aria-valuemin", 1);
  let clusters = [], spans = [], colored = false, at = -1;

  const choose = place => {
    spans[at]?.classList.remove("chosen");
    at = place;
    const cluster = clusters[at], words = cluster ? described(cluster) : "";
    spans[at]?.classList.add("chosen");
    readout.textContent = words;
    letters.setAttribute("aria-valuenow", at + 1);
    letters.setAttribute("aria-valuetext", words || "no character chosen");
  };
  const draw = from => {
    spans.splice(from).forEach(span => span.remove());
    const added = clusters.slice(from).map(letterSpan);
    spans.push(...added);
    letters.append(...added);
    letters.setAttribute("aria-valuemax", Math.max(spans.length, 1));
  };
  const show = () => {
    plain.classList.toggle("unseen", colored);
    letters.hidden = !colored;
    spans = [];
    letters.replaceChildren();
    choose(-1);
    if (colored) draw(0);
  };
  const placeOf = event => spans.indexOf(event.target.closest(".letter"));
  for (const kind of ["pointermove", "pointerdown"])
    letters.addEventListener(kind, event => {
      const place = placeOf(event);
      if (place >= 0 && place !== at) choose(place);
    });
  letters.addEventListener("keydown", event => {
    const last = spans.length - 1;
    const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1,
                 PageDown: at + 20, PageUp: at - 20, Home: 0, End: last }[event.key];
    if (to === undefined || event.ctrlKey || event.altKey || event.metaKey || last < 0) return;
    event.preventDefault();
    choose(Math.min(Math.max(to, 0), last));
    spans[at].scrollIntoView({ block: "nearest" });
  });
  show();
  return {
    get text() { return given.textContent + text.textContent; },
    clear: () => {
      clusters = [];
      given.textContent = text.textContent = "";
      show();
    },
    add: more => {
      const piece = kind => more.filter(letter => Boolean(letter.given) === kind)
        .map(letter => letter.character).join("");
      given.append(piece(true));
      text.append(piece(false));
      const from = clustersOf(more, clusters);
      if (colored) draw(from);
    },
    color: on => {
      colored = on;
      show();
    },
  };
};

// The box into which a text is typed to be read.
const makeReading = (send, runs) => {
  const sheet = makeSheet($("read"), $("read-readout"));
  let nats = 0, scored = 0, waiting = 0;
  showLegend($("read-legend"));
  sheet.color(true);
  $("read").hidden = $("read-readout").hidden = true;
  const begin = () => {
    const text = $("reading").value;
    nats = scored = 0;
    sheet.clear();
    $("read").hidden = $("read-readout").hidden = $("read-legend").hidden = !text;
    $("verdict").textContent = "";
    send({ channel: "read", run: runs.read = (runs.read ?? 0) + 1, work: "read", text });
  };
  $("reading").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(begin, 150);
  });
  return ({ found, done, failure }) => {
    sheet.add(found);
    for (const letter of found)
      if (letter.nats !== null) {
        nats += letter.nats;
        scored++;
      }
    if (!done) return;
    const mean = nats / scored;
    const figures = `${bits(mean).toFixed(3)} bits (${mean.toFixed(3)} nats) per character, ` +
      `perplexity ${Math.exp(mean).toFixed(2)}, over ${plural(scored, "character")}. `;
    $("verdict").textContent =
      failure ?? (scored ? figures : "") + noteUnknown($("reading").value);
  };
};
