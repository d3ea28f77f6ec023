// The page: its fields, what is written, and the box for a text of one's own.

const writer = makeWriter(MODEL);

// The only global name, for the console of the browser.
globalThis.charrnn = {
  model: MODEL,
  writer,
  makeRandom,
  // Mean nats per character.
  score: text => mean([...writer.read(text)]),
};

// The mean surprise of the letters that were predicted.
const predicted = letters => letters.filter(letter => letter.nats !== null);
const mean = letters => natsOf(letters) / predicted(letters).length;
const described = ({ letters }) => {
  const [{ likely }] = letters;
  const expected = likely.map(([character, p]) => `${named(character)} ${percent(p)}`).join(", ");
  return `${surpriseOf(letters)}.${likely.length ? ` Expected: ${expected}.` : ""}`;
};
const plural = (count, what) => `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`;
const noteUnknown = text => {
  const unknown = new Set(writer.normalized(text).filter(each => !writer.index.has(each)));
  return unknown.size
    ? `Never seen, and left out: ${[...unknown].slice(0, 20).map(named).join(", ")}.` : "";
};

// Returns what runs generators, one at a time and in slices, so that the page can be used
// meanwhile. It shows what came of each slice, and returns false if it was stopped.
const makeRunner = () => {
  const SLICE = 15; // milliseconds
  let current = null;
  const run = async (steps, show) => {
    current = steps;
    for (let done = false; !done;) {
      const until = performance.now() + SLICE, found = [];
      while (!done && performance.now() < until) {
        const next = steps.next();
        done = next.done;
        if (next.value) found.push(next.value);
      }
      show(found);
      await new Promise(resolve => { setTimeout(resolve); });
      if (current !== steps) return false;
    }
    return true;
  };
  return { run, stop: () => { current = null; } };
};

// What was begun, and what has come of it: letters or, in a list, lists of letters.
let begun = null, found = [], writing = false;
const task = makeRunner(), sheet = $("written");

const plainOf = letters => {
  const groups = [];
  for (const { character, given, copied } of letters) {
    const kind = given ? "given" : copied ? "copied" : "";
    if (groups.at(-1)?.kind !== kind) groups.push({ kind, text: "" });
    groups.at(-1).text += character;
  }
  return groups.map(({ kind, text }) => make("span", kind, text));
};
const draw = () => {
  const nodesOf = $("colors").checked && !writing ? spansOf : plainOf;
  sheet.replaceChildren(
    ...MODEL.end ? found.map(piece => make("li", "", ...nodesOf(piece))) : nodesOf(found));
  $("legend").hidden = !$("colors").checked;
  $("readout").textContent = status();
};
const status = () => {
  if (writing) return "Writing…";
  if (MODEL.end) return plural(found.length, begun.onlyNew ? "new entry" : MODEL.piece)
    .replace("entrys", "entries");
  const own = found.filter(letter => !letter.given);
  const copied = own.filter(letter => letter.copied).length;
  return plural(own.length, "character") +
    (own.length ? `, ${bits(mean(own)).toFixed(2)} bits each` : "") +
    (copied ? `, ${copied} copied from the text it read (underlined)` : "");
};
const show = () => {
  $("write").textContent = writing ? "Stop" : "Write";
  $("copy").disabled = $("link").disabled = writing;
  if (!writing) (MODEL.end ? found : [found]).forEach(writer.markCopies);
  draw();
};

// The settings are in the address, after the "#": whoever opens the link gets the same text.
const FIELDS = ["prompt", "temperature", "amount", "like"];
let remembered = ""; // the text to write like; null while it is read
const write = async (seed = crypto.getRandomValues(new Uint32Array(1))[0]) => {
  const amount = Math.min(Math.max(Math.floor(Number($("amount").value)), 1), $("amount").max);
  begun = { prompt: $("prompt").value, temperature: Number($("temperature").value),
            amount: amount || 1, like: $("like").value, seed, onlyNew: $("only-new").checked };
  if (MODEL.end) begun.prompt = begun.prompt.replaceAll(MODEL.end, "");
  const { onlyNew, ...settings } = begun;
  history.replaceState(null, "", `#${new URLSearchParams({ ...settings, new: Number(onlyNew) })}`);
  $("note").textContent = noteUnknown(begun.prompt + begun.like);
  found = [];
  writing = true;
  show();
  try {
    if (begun.like !== remembered) {
      remembered = null;
      if (!await task.run(writer.remember(begun.like), () => {})) return;
      remembered = begun.like;
    }
    const steps = MODEL.end ? writer.pieces(begun) : writer.text(begun);
    const add = more => {
      found.push(...more);
      draw();
    };
    if (!await task.run(steps, add)) return;
  } catch (error) {
    $("note").textContent = error.message;
  }
  writing = false;
  show();
};
const stop = () => {
  task.stop();
  writing = false;
  show();
};

// Writes where a reader sees it: on a phone, the sheet may be below what was pressed.
const begin = () => {
  write();
  sheet.scrollIntoView({ block: "nearest" });
};
$("form").addEventListener("submit", event => {
  event.preventDefault();
  if (writing && event.submitter === $("write")) stop();
  else begin();
});
$("prompt").addEventListener("keydown", event => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  begin();
});
document.addEventListener("keydown", event => {
  if (event.key === "Escape" && writing) stop();
});
$("colors").addEventListener("change", draw);
explore(sheet, span => { $("readout").textContent = described(span); });

const copyText = async (text, button) => {
  const label = button.dataset.label ??= button.textContent;
  const copied = await navigator.clipboard?.writeText(text).then(() => true, () => false);
  button.textContent = copied ? "Copied" : "Not allowed";
  setTimeout(() => { button.textContent = label; }, 1600);
};
$("copy").addEventListener("click", event =>
  copyText(MODEL.end ? `${found.map(textOf).join(MODEL.between)}\n` : textOf(found),
           event.target));
$("link").addEventListener("click", event => copyText(location.href, event.target));

for (const opening of MODEL.openings) {
  const chip = make("button", "chip", opening);
  chip.type = "button";
  chip.addEventListener("click", () => {
    $("prompt").value = opening;
    begin();
  });
  $("openings").append(chip);
}

const WARMTHS = [[0, "always the likeliest"], [0.55, "careful"], [0.95, "balanced"],
                 [1.05, "as it learned"], [Infinity, "wild"]];
const showWarmth = () => {
  const value = Number($("temperature").value), [, word] = WARMTHS.find(([most]) => value <= most);
  $("warmth").textContent = `${value.toFixed(2)}, ${word}`;
};
$("temperature").addEventListener("input", showWarmth);

// A text that is typed or pasted, as the model sees it.
const reading = makeRunner();
let waiting = 0;
const read = async () => {
  const text = $("reading").value, letters = [];
  $("verdict").textContent = text && "Reading…";
  $("read").replaceChildren();
  $("read-readout").textContent = "";
  if (!await reading.run(writer.read(text), more => letters.push(...more))) return;
  $("read").replaceChildren(...spansOf(letters));
  const nats = mean(letters), count = predicted(letters).length;
  const figures = `${bits(nats).toFixed(3)} bits (${nats.toFixed(3)} nats) per character, ` +
    `perplexity ${Math.exp(nats).toFixed(2)}, over ${plural(count, "character")}. `;
  $("verdict").textContent = (count ? figures : "") + noteUnknown(text);
};
$("reading").addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(read, 150);
});
explore($("read"), span => { $("read-readout").textContent = described(span); });

const open = () => {
  const address = new URLSearchParams(location.hash.slice(1));
  for (const name of FIELDS) if (address.has(name)) $(name).value = address.get(name);
  $("only-new").checked = address.get("new") !== "0" && Boolean(MODEL.arrays["pieces.seen"]);
  showWarmth();
  write(/^\d{1,10}$/.test(address.get("seed")) ? Number(address.get("seed")) : undefined);
};
$("new-field").hidden = !MODEL.arrays["pieces.seen"];
showLegend($("legend"));
addEventListener("hashchange", open);
open();
