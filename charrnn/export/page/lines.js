// A page that writes lines: names, titles, places.

const runs = { write: 0, read: 0 };
// What was begun: prompt, seed, settings and conditions; then the lines, as letters.
let begun = null, writing = false, found = [], result = {};

const letterList = letters => {
  const clusters = [];
  clustersOf(letters, clusters);
  return clusters;
};
// An entry of the list. In letters, the line itself is there unseen for screen readers.
const entry = ({ line, letters }) => {
  const item = make("li");
  item.dir = "auto";
  if (!$("colors").checked) {
    item.textContent = line;
    return item;
  }
  const shown = make("span");
  shown.setAttribute("aria-hidden", "true");
  for (const cluster of letterList(letters)) {
    const span = letterSpan(cluster);
    span.words = described(cluster);
    shown.append(span);
  }
  item.append(make("span", "unseen", line), shown);
  return item;
};
const showList = () => {
  $("readout").textContent = "";
  $("written").replaceChildren(...found.map(entry));
};

const share = () => {
  const { prompt, seed, settings: { temperature, topK, topP } } = begun;
  writeAddress({ prefix: prompt, seed, temperature, count: begun.count, min: begun.shortest || "",
                 max: begun.longest || "", new: MODEL.seen ? Number(begun.onlyNew) : "",
                 "top-k": topK || "", "top-p": topP || "" });
};
const show = () => {
  $("write").textContent = writing ? "Stop" : `Write ${numberIn($("count")) ?? 20}`;
  $("copy").disabled = $("copy-link").disabled = writing;
  if (writing) {
    $("status").textContent = "Writing…";
    return;
  }
  const short = !result?.refused ? "" : begun.settings.temperature > 0
    ? `: ${plural(result.refused, "line")} in a row were old, too short or too long`
    : ": at temperature 0, every line is the same";
  $("status").textContent = `${plural(found.length, begun.onlyNew ? "new one" : "line")}${short}` +
    ` · seed ${begun.seed} · temperature ${begun.settings.temperature.toFixed(2)}`;
  share();
};

const receive = ({ channel, run, found: more, done, result: end, failure }) => {
  if (run !== runs[channel]) return;
  if (channel === "read") {
    read({ found: more, done, failure });
    return;
  }
  found.push(...more);
  $("written").append(...more.map(entry));
  if (failure) $("note").textContent = failure;
  if (!done) return;
  writing = false;
  result = end;
  show();
};
const send = connect(receive);
const read = makeReading(send, runs);

const write = (given = "") => {
  const typed = $("seed").value.trim(), prompt = $("prefix").value;
  if (!given && typed && !isSeed(typed)) {
    $("note").textContent = "A seed is a whole number, 0 or more.";
    $("seed").closest("details").open = true;
    $("seed").focus();
    return;
  }
  const settings = { temperature: Number($("temperature").value),
                     topK: numberIn($("top-k")) ?? 0, topP: numberIn($("top-p")) ?? 0 };
  begun = { prompt, seed: given || typed || freshSeed(), settings,
            count: numberIn($("count")) ?? 20, shortest: numberIn($("shortest")) ?? 0,
            longest: numberIn($("longest")) ?? 0,
            onlyNew: Boolean(MODEL.seen) && $("only-new").checked };
  $("note").textContent = noteUnknown(prompt);
  if (begun.longest && begun.longest < begun.shortest) {
    $("note").textContent = "The longest is below the shortest: no line is both.";
    return;
  }
  found = [];
  result = {};
  writing = true;
  showList();
  send({ channel: "write", run: ++runs.write, work: "lines", ...begun });
  show();
};

$("form").addEventListener("submit", event => {
  event.preventDefault();
  if (writing && event.submitter === $("write")) {
    send({ channel: "write", change: "stop" });
    runs.write++;
    writing = false;
    show();
  } else {
    write();
    $("written").scrollIntoView({ block: "nearest" });
  }
});
$("count").addEventListener("input", () => { if (!writing) $("write").textContent =
  `Write ${numberIn($("count")) ?? 20}`; });
$("colors").addEventListener("change", event => {
  $("legend").hidden = !event.target.checked;
  showList();
});
for (const kind of ["pointermove", "pointerdown"])
  $("written").addEventListener(kind, event => {
    const span = event.target.closest(".letter");
    if (span) $("readout").textContent = span.words;
  });
$("copy").addEventListener("click", event =>
  copyText(found.map(({ line }) => `${line}\n`).join(""), event.target));
$("copy-link").addEventListener("click", event => copyText(location.href, event.target));

if (MODEL.mono) $("written").classList.add("mono");
$("new-field").hidden = !MODEL.seen;
showLegend($("legend"));
showOpenings(MODEL.openings, $("prefix"));
const showWarmth = warm($("temperature"));
const open = () => {
  const address = readAddress(), seed = address.get("seed") ?? "";
  for (const [name, field] of Object.entries({ prefix: "prefix", temperature: "temperature",
    count: "count", min: "shortest", max: "longest", "top-k": "top-k", "top-p": "top-p" }))
    if (address.has(name)) $(field).value = address.get(name);
  if (address.has("new")) $("only-new").checked = address.get("new") !== "0";
  showWarmth();
  write(isSeed(seed) ? seed : "");
};
addEventListener("hashchange", open);
open();
