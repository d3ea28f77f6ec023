// The page of an X-ray: a text by surprise, or by what one unit does at each character.

const text = [...DATA.text], N = text.length, K = DATA.ids.shape[1], guesses = [...DATA.guesses];
const [nats, ids, p, activations] =
  [DATA.nats, DATA.ids, DATA.p, DATA.activations].map(numbers);
const [low, high] = DATA.bounds;
let shown = DATA.first;

const letters = text.map((character, at) => ({
  at, character,
  nats: Number.isNaN(nats[at]) ? null : nats[at],
  likely: Array.from({ length: K }, (_, rank) =>
    [guesses[ids[at * K + rank]], p[at * K + rank] / 255]),
}));
const activation = (unit, at) => low + activations[unit * N + at] / 255 * (high - low);
const signed = value => value.toFixed(2).replace("-", "−");

const spans = spansOf(letters);
$("text").replaceChildren(...spans);

// Shows surprise as it is in the model's page, or the activation as a color: its strength is --a.
const paint = () => {
  $("text").classList.toggle("by-unit", shown >= 0);
  if (shown >= 0) {
    for (const span of spans) {
      const value = activation(shown, span.letters.at(-1).at) / high;
      span.style.setProperty("--a", Math.abs(value));
      span.classList.toggle("below", value < 0);
    }
    const values = low < 0 ? [low, low / 2, 0, high / 2, high] : [0, high / 2, high];
    $("legend").replaceChildren(...values.map(value => {
      const item = make("span", value < 0 ? "letter below" : "letter", signed(value));
      item.style.setProperty("--a", Math.abs(value) / high);
      return item;
    }));
  } else {
    showLegend($("legend"));
  }
  $("legend").classList.toggle("by-unit", shown >= 0);
};

const tell = ({ letters: own }) => {
  const [{ at, likely, nats: each }] = own, { at: last } = own.at(-1);
  const before = text.slice(0, at), line = before.filter(other => other === "\n").length + 1;
  const place = `line ${line}, column ${at - before.lastIndexOf("\n")}`;
  $("told").textContent = `${surpriseOf(own)}; ${place}.`;
  $("guesses").tBodies[0].replaceChildren(...(each === null ? [] : likely).map(([guess, share]) => {
    const bar = make("i");
    bar.style.width = `${100 * share}%`;
    return make("tr", guess === text[at] ? "right" : "", make("th", "", named(guess)),
      make("td", "", bar), make("td", "", percent(share)));
  }));
  $("unit").textContent = shown < 0 ? ""
    : `${DATA.units[shown].name}, ${DATA.part}: ${signed(activation(shown, last))}`;
};
explore($("text"), tell);

const option = (value, label) => Object.assign(make("option", "", label), { value });
const group = (label, units) => Object.assign(
  make("optgroup", "", ...units.map(([unit, { name, features }]) =>
    option(unit, features ? `${name}: ${features}` : name))), { label });
const units = [...DATA.units.entries()];
$("view").append(option(-1, "Surprise"),
  group("Units that keep track of something", units.filter(([, { features }]) => features)),
  group("Units that vary most", units.filter(([, { features }]) => !features)));
$("view").value = shown;
$("view").addEventListener("change", event => {
  shown = Number(event.target.value);
  paint();
  const chosen = $("text").querySelector(".chosen");
  if (chosen) tell(chosen);
});
$("mean").textContent = DATA.mean === null ? ""
  : `: ${DATA.mean.toFixed(3)} nats per character, ${N.toLocaleString("en")} characters`;
paint();
