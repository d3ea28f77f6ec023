// A page that labels what is typed.

const SHOWN = 5; // labels of a line
let run = 0, waiting = 0;

const bar = (label, p, first) => {
  const row = make("li", first ? "first" : "");
  const share = make("span", "share"), fill = make("span");
  fill.style.inlineSize = `${100 * p}%`;
  share.setAttribute("aria-hidden", "true");
  share.append(fill);
  const name = make("span", "label", label || "(empty)");
  name.dir = "auto";
  row.append(name, share, make("span", "p", p < 0.001 ? "< 0.1 %" : percent(p)));
  return row;
};
const card = ({ line, probabilities }) => {
  const item = make("li"), bars = make("ul");
  const order = [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a]);
  bars.append(...order.slice(0, SHOWN).map((at, rank) =>
    bar(MODEL.labels[at], probabilities[at], rank === 0)));
  const text = make("p", "given", line);
  text.dir = "auto";
  item.append(text, bars);
  if (order.length > SHOWN) item.append(make("p", "note", `${order.length - SHOWN} more labels`));
  return item;
};

const send = connect(({ run: of, found, done, failure }) => {
  if (of !== run) return;
  $("found").append(...found.map(card));
  if (!done) return;
  const cards = $("found").children, first = cards[0]?.querySelector(".first");
  const words = cards.length === 1 ? [...first.children].map(it => it.textContent).join(" ")
    : cards.length ? `${cards.length} lines labeled` : "";
  $("status").textContent = failure ?? `${words} ${noteLong()}`;
});
const noteLong = () => {
  const long = $("reading").value.split("\n").some(line => [...fitted(line)].length > MODEL.maxLength);
  return long ? `Of a line, the first ${MODEL.maxLength} characters are read.` : "";
};
const begin = () => {
  $("found").replaceChildren();
  send({ channel: "label", run: ++run, work: "label", text: $("reading").value });
};
$("reading").addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(begin, 120);
});
