// What all pages share: the network in a worker, small tools, the words for surprise.

const $ = id => document.getElementById(id);
const make = (tag, className = "", text = "") => {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
};
const plural = (number, what) => `${number.toLocaleString("en")} ${what}${number === 1 ? "" : "s"}`;

// The only global name, for the console of the browser: charrnn.score("a text"), and
// charrnn.write("a prompt", 0.8), which yields characters without end.
globalThis.charrnn = (() => {
  let work = null;
  const ready = () => {
    const { makeEngine, makeWork } = core();
    return work ??= makeWork(MODEL, makeEngine(MODEL));
  };
  return {
    model: MODEL,
    core,
    // Mean nats per character.
    score: text => {
      let nats = 0, scored = 0;
      for (const letter of ready().read({ text }))
        if (letter.nats !== null) {
          nats += letter.nats;
          scored++;
        }
      return nats / scored;
    },
    // Yields characters without end.
    *write(prompt, temperature, seed = freshSeed()) {
      const wanted = { prompt, seed, settings: { temperature } };
      for (const letter of ready().text(wanted)) yield letter.character;
    },
  };
})();

// Starts the network in a worker, or here if there can be none. Returns what sends it messages.
const connect = report => {
  let send = null, answered = false;
  const sent = [];
  const here = () => {
    const { makeEngine, makeWork, makeServer } = core();
    send = makeServer(makeWork(MODEL, makeEngine(MODEL)), report);
    sent.forEach(message => send(message));
  };
  try {
    const source = `"use strict";
      const { makeEngine, makeWork, makeServer } = (${core})();
      onmessage = ({ data: model }) => {
        const receive = makeServer(makeWork(model, makeEngine(model)), found => postMessage(found));
        onmessage = ({ data }) => receive(data);
      };`;
    const place = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const worker = new Worker(place);
    worker.onmessage = ({ data }) => {
      answered = true;
      report(data);
    };
    worker.onerror = event => {
      event.preventDefault();
      if (!answered) here();
    };
    worker.postMessage(MODEL);
    send = message => worker.postMessage(message);
  } catch {
    here();
  }
  return message => {
    if (!answered) sent.push(message);
    send(message);
  };
};

const freshSeed = () => crypto.getRandomValues(new Uint32Array(1))[0].toString();
const isSeed = text => /^\d+$/.test(text) && BigInt(text) < 2n ** 63n;

// Copies a text, and says so on the button for a moment.
const copyText = async (text, button) => {
  const label = button.dataset.label ??= button.textContent;
  let copied = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = make("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    copied = document.execCommand("copy");
    area.remove();
    button.focus();
  }
  button.textContent = copied ? "Copied" : "Not allowed";
  setTimeout(() => { button.textContent = label; }, 1600);
};

// The settings in the address, after the "#": those of a text can be shared.
const readAddress = () => new URLSearchParams(location.hash.slice(1));
const writeAddress = settings => {
  const given = Object.entries(settings).filter(([, value]) => value !== "" && value !== null);
  try {
    history.replaceState(null, "", `#${new URLSearchParams(given)}`);
  } catch { /* a browser that lets no file change its address */ }
};

// A whole number or a share from a field, within its limits; null if it is empty or none.
const numberIn = field => {
  const value = Number(field.value);
  if (!field.value.trim() || !Number.isFinite(value)) return null;
  const low = field.min === "" ? -Infinity : Number(field.min);
  const high = field.max === "" ? Infinity : Number(field.max);
  const inside = Math.min(Math.max(value, low), high);
  return field.step === "any" ? inside : Math.floor(inside);
};

const WARMTHS = [[0, "always the likeliest"], [0.55, "careful"], [0.95, "balanced"],
                 [1.05, "as it learned"], [Infinity, "wild"]];
const warm = slider => {
  const show = () => {
    const value = Number(slider.value), [, word] = WARMTHS.find(([most]) => value <= most);
    $("warmth").textContent = `${value.toFixed(2)}, ${word}`;
    slider.setAttribute("aria-valuetext", $("warmth").textContent);
  };
  slider.addEventListener("input", show);
  show();
  return show;
};

const showOpenings = (openings, field) => {
  const group = $("openings");
  for (const opening of openings) {
    const chip = make("button", "chip", opening);
    chip.type = "button";
    chip.dir = "auto";
    chip.addEventListener("click", () => {
      field.value = opening;
      $("form").requestSubmit();
    });
    group.append(chip);
  }
  group.hidden = !openings.length;
};

// The characters of a text that the network does not know, for a note.
const alphabet = new Set(MODEL.characters);
const fitted = text => MODEL.normalize === "none" ? text : text.normalize(MODEL.normalize);
const noteUnknown = text => {
  const unknown = [...new Set(fitted(text))].filter(character => !alphabet.has(character));
  return unknown.length
    ? `The network has never seen ${unknown.slice(0, 20).map(named).join(", ")}: left out.` : "";
};
