// What is shown, and what mouse and keys do.
const surpriseClass = level => `level s${level}`;
const unitClass = level => level < 0 ? `level below a${17 + level}` : `level a${level}`;

const state = { view: "surprise", layer: 0, part: 0, unit: 0, at: 0, pinned: 0 };

const spans = xray.text.map((char, at) => {
  const shown = sign(char), span = make("span");
  span.at = at;
  if (shown) span.append(make("i", { className: "sign", textContent: shown }), char === "\n" || char === "\t" ? char : "");
  else span.append(char);
  return span;
});
element("text").append(...spans);

const paint = () => {
  const { view, layer, part, unit } = state;
  spans.forEach((span, at) => {
    const marked = at === state.at ? " at" : "";
    if (view === "unit") span.className = unitClass(xray.level(part, xray.activation(layer, part, unit, at))) + marked;
    else span.className = (xray.predicted(at) ? surpriseClass(xray.surpriseLevel(at)) : "unknown") + marked;
  });
  drawLegend();
};

const drawLegend = () => {
  const legend = element("legend"), { view, part } = state, [least, most] = xray.parts[part].bounds;
  const item = (className, label) => make("span", { className, textContent: label });
  if (view === "surprise") {
    legend.replaceChildren(...[0, ...data.limits].map((limit, level) => item(surpriseClass(level), String(limit))),
      item("unit-of", "nats"));
    legend.setAttribute("aria-label", `Surprise in nats, from 0 to ${data.limits.at(-1)} and more`);
    return;
  }
  const round = value => String(Number(value.toPrecision(2))).replace("-", "−");
  const levels = least < 0 ? [-8, -6, -4, -2, 0, 2, 4, 6, 8] : [0, 1, 2, 3, 4, 5, 6, 7, 8];
  legend.replaceChildren(...levels.map(level => item(unitClass(level), round(level / 8 * most))));
  legend.setAttribute("aria-label", `Activation from ${round(least)} to ${round(most)}`);
};

const row = (head, share, number, className = "") => {
  const bar = make("i");
  bar.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return make("tr", { className }, make("th", { scope: "row", className: "guess", textContent: head }),
    make("td", {}, make("div", { className: "track" }, bar)), make("td", { className: "number", textContent: number }));
};

const place = at => {
  const before = xray.text.slice(0, at);
  const line = before.filter(char => char === "\n").length;
  return `line ${line + 1}, column ${at - before.lastIndexOf("\n")}`;
};

const surprise = at => {
  if (!xray.predicted(at)) return "The first character: nothing was predicted.";
  const nats = xray.nats(at);
  return `Surprise ${nats.toFixed(2)} nats: probability ${percent(Math.exp(-nats))}`;
};

const drawCard = () => {
  const { at } = state, char = xray.text[at];
  element("char").textContent = alone(char);
  element("char").className = spans[at].className.replace(" at", "");
  element("where").textContent = `${names[char] ? `${names[char]}, ` : ""}${point(char)}, ${place(at)}`;
  element("surprise").textContent = surprise(at);
  const expected = xray.expected(at);
  element("guesses").hidden = !expected.length;
  element("guesses").tBodies[0].replaceChildren(...expected.map(({ char: guess, p }) =>
    row(alone(guess), p, percent(p), guess === char ? "right" : "")));
  drawUnit();
};

const drawUnit = () => {
  const { at, layer, part, unit } = state, name = xray.parts[part].name;
  element("unit-name").textContent = `${unitName()}, ${name}, around here`;
  const reach = 60, from = Math.max(0, at - reach), to = Math.min(xray.N - 1, at + reach);
  const [least, most] = xray.parts[part].bounds;
  const x = index => ((index - at + reach) / (2 * reach) * 300).toFixed(1);
  const y = value => (61 - (value - least) / (most - least) * 58).toFixed(1);
  const points = [];
  for (let index = from; index <= to; index++) points.push(`${x(index)},${y(xray.activation(layer, part, unit, index))}`);
  const shape = (tag, attributes) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
    return made;
  };
  element("curve").replaceChildren(
    shape("line", { class: "zero", x1: 0, x2: 300, y1: y(0), y2: y(0) }),
    shape("line", { class: "now", x1: x(at), x2: x(at), y1: 0, y2: 64 }),
    shape("polyline", { class: "line", points: points.join(" ") }));
  element("curve").setAttribute("aria-label", `Activation over ${to - from + 1} characters`);
  element("values").tBodies[0].replaceChildren(...xray.parts.map(({ name: other, bounds }, index) => {
    const value = xray.activation(layer, index, unit, at);
    const made = row(other, (value - bounds[0]) / (bounds[1] - bounds[0]), value.toFixed(2).replace("-", "−"));
    made.firstChild.className = "";
    return made;
  }));
  cells.forEach(cell => {
    cell.className = unitClass(xray.level(part, xray.activation(layer, part, cell.unit, at))) +
      (cell.unit === unit ? " chosen" : "");
  });
};

let cells = [];
const unitName = () => `Unit ${state.unit}${data.units.length > 1 ? ` of layer ${state.layer}` : ""}`;

// Lists the units of the layer.
const drawUnits = () => {
  const units = data.units[state.layer];
  if (!units.includes(state.unit)) [state.unit] = units;
  const tracked = unit => data.found.find(it => it.layer === state.layer && it.unit === unit);
  element("unit").replaceChildren(...units.map(unit => make("option",
    { value: unit, textContent: tracked(unit) ? `${unit} – ${tracked(unit).feature}` : String(unit) })));
  cells = units.map(unit => Object.assign(make("span", { title: `unit ${unit}` }), { unit }));
  element("all").replaceChildren(...cells);
  const all = units.length === data.hiddenSize;
  element("all-name").textContent = all ? `All ${units.length} units` : `${units.length} of ${data.hiddenSize} units, those that tell most`;
};

const drawChoice = () => {
  document.querySelector(`[name=view][value=${state.view}]`).checked = true;
  element("layer").value = state.layer;
  element("part").value = state.part;
  element("unit").value = state.unit;
  document.querySelectorAll("#found button").forEach(button => {
    const { layer, unit, part } = button.found;
    const chosen = state.view === "unit" && layer === state.layer && unit === state.unit && part === xray.parts[state.part].name;
    button.setAttribute("aria-pressed", chosen);
  });
};

// Changes what is shown.
const choose = changes => {
  const layer = state.layer;
  Object.assign(state, changes);
  if (state.layer !== layer) drawUnits();
  drawChoice();
  paint();
  drawCard();
};

// Moves to a character; a pinned one stays when the pointer leaves.
const move = (at, pin) => {
  spans[state.at].classList.remove("at");
  state.at = at;
  if (pin) state.pinned = at;
  spans[at].classList.add("at");
  drawCard();
};

const say = () => {
  const { at } = state, char = xray.text[at], expected = xray.expected(at).slice(0, 3);
  const told = expected.map(({ char: guess, p }) => `${names[guess] ?? guess} ${percent(p)}`).join(", ");
  const value = xray.activation(state.layer, state.part, state.unit, at).toFixed(2);
  element("said").textContent = `${names[char] ?? char}. ${surprise(at)}.` +
    `${told ? ` Expected: ${told}.` : ""} ${state.view === "unit" ? `${unitName()}: ${value}.` : ""}`;
};

// The character above or below, nearest in the line.
const vertical = way => {
  const { offsetTop: top, offsetLeft: left } = spans[state.at];
  let best = state.at, line = null;
  for (let at = state.at + way; at >= 0 && at < xray.N; at += way) {
    const { offsetTop, offsetLeft } = spans[at];
    if (Math.abs(offsetTop - top) < 4) continue;
    line ??= offsetTop;
    if (Math.abs(offsetTop - line) > 4) break;
    if (best === state.at || Math.abs(offsetLeft - left) < Math.abs(spans[best].offsetLeft - left)) best = at;
  }
  return best;
};
const surprising = way => {
  for (let at = state.at + way; at >= 0 && at < xray.N; at += way)
    if (xray.predicted(at) && xray.nats(at) >= 3) return at;
  return state.at;
};
const stepUnit = way => {
  const units = data.units[state.layer], at = units.indexOf(state.unit) + way;
  choose({ unit: units[(at + units.length) % units.length], view: "unit" });
};
const lineEnd = way => {
  let at = state.at;
  const ends = index => xray.text[way < 0 ? index - 1 : index] === "\n";
  while (at + way >= 0 && at + way < xray.N && !ends(at)) at += way;
  return at;
};
const moves = {
  ArrowLeft: () => state.at - 1, ArrowRight: () => state.at + 1,
  ArrowUp: () => vertical(-1), ArrowDown: () => vertical(1),
  Home: event => event.ctrlKey ? 0 : lineEnd(-1), End: event => event.ctrlKey ? xray.N - 1 : lineEnd(1),
  n: () => surprising(1), N: () => surprising(-1),
};
const actions = {
  "[": () => stepUnit(-1), "]": () => stepUnit(1),
  s: () => choose({ view: "surprise" }), u: () => choose({ view: "unit" }),
  b: () => element("bars").click(),
};

element("text").addEventListener("keydown", event => {
  if (event.altKey || event.metaKey || (event.ctrlKey && !["Home", "End"].includes(event.key))) return;
  if (moves[event.key]) {
    move(Math.max(0, Math.min(xray.N - 1, moves[event.key](event))), true);
    spans[state.at].scrollIntoView({ block: "nearest" });
  } else if (actions[event.key]) actions[event.key]();
  else return;
  event.preventDefault();
  say();
});
const under = event => event.target.closest("#text > span");
// Scrolling moves the text under a pointer that rests: only one that moves, not one that is over it, points.
element("text").addEventListener("pointermove", event => {
  if (event.pointerType !== "touch" && under(event) && under(event).at !== state.at) move(under(event).at, false);
});
element("text").addEventListener("pointerleave", () => move(state.pinned, false));
element("text").addEventListener("click", event => {
  if (!under(event)) return;
  move(under(event).at, true);
  say();
});
element("all").addEventListener("click", event => {
  if (event.target.unit !== undefined) choose({ unit: event.target.unit, view: "unit" });
});
document.querySelectorAll("[name=view]").forEach(input =>
  input.addEventListener("change", () => choose({ view: input.value })));
for (const name of ["layer", "part", "unit"])
  element(name).addEventListener("change", event => choose({ [name]: Number(event.target.value), view: "unit" }));
element("before").addEventListener("click", () => stepUnit(-1));
element("after").addEventListener("click", () => stepUnit(1));
element("bars").addEventListener("change", event => document.body.classList.toggle("as-bars", event.target.checked));

const drawFound = () => {
  const features = [...new Set(data.found.map(it => it.feature))];
  const button = found => {
    const bar = make("i");
    bar.style.width = `${found.share * 100}%`;
    const layer = data.units.length > 1 ? `layer ${found.layer}, ` : "";
    const made = make("button", { type: "button" },
      make("span", { className: "name", textContent: `${layer}unit ${found.unit}` }),
      make("span", { className: "track" }, bar), make("span", { className: "share", textContent: percent(found.share) }));
    made.found = found;
    made.addEventListener("click", () => choose({ layer: found.layer, unit: found.unit, view: "unit",
      part: xray.parts.findIndex(part => part.name === found.part) }));
    return made;
  };
  const groups = features.map(feature => {
    const found = data.found.filter(it => it.feature === feature);
    const good = found.filter(it => it.share > 2 * it.chance);
    const title = make("h3", { textContent: `${feature} ` }, make("small", { textContent: data.features[feature] }));
    const none = make("p", { className: "by-chance", textContent: "No unit says more than chance would." });
    return [title, ...(good.length ? good.map(button) : [none])];
  });
  element("found-table").replaceChildren(...groups.flat());
  element("found").hidden = !features.length;
};

const begin = () => {
  element("layer").replaceChildren(...data.units.map((_, layer) => make("option", { value: layer, textContent: layer })));
  element("layer-choice").hidden = data.units.length < 2;
  element("part").replaceChildren(...xray.parts.map(({ name }, part) => make("option", { value: part, textContent: name })));
  const chars = `${xray.N.toLocaleString("en")} characters`;
  element("mean").textContent = data.mean === null ? `· ${chars}` : `· ${data.mean.toFixed(3)} nats per character · ${chars}`;
  const { unit, layer, part } = data.opening, best = data.found.find(it => it.layer === layer);
  state.layer = layer;
  state.unit = unit ?? best?.unit ?? data.units[layer][0];
  drawFound();
  drawUnits();
  choose({ view: unit === null ? "surprise" : "unit", part: xray.parts.findIndex(it => it.name === part) });
};
begin();
