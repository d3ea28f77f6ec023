// A page that writes text.

const runs = { write: 0, read: 0 };
const sheet = makeSheet($("written"), $("readout"));
// What was begun: prompt, seed, settings and how many characters; then what has come of it.
let begun = null, state = "idle", written = 0, nats = 0, changed = false;

const settingsNow = () => ({ temperature: Number($("temperature").value),
                             topK: numberIn($("top-k")) ?? 0, topP: numberIn($("top-p")) ?? 0 });
const lengthNow = () => numberIn($("length")) ?? 400;

const share = () => {
  const { prompt, seed, settings: { temperature, topK, topP }, wanted } = begun;
  writeAddress({ prompt, seed, temperature, length: state === "paused" ? wanted : written,
                 "top-k": topK || "", "top-p": topP || "" });
};
const show = next => {
  state = next;
  const writing = state === "writing";
  $("write").textContent = writing ? "Stop" : "Write";
  $("hold").textContent = writing ? "Pause" : "Continue";
  $("hold").hidden = state === "failed";
  $("copy").disabled = $("copy-link").disabled = writing;
  if (writing) {
    $("status").textContent = "Writing…";
    return;
  }
  const { seed, settings } = begun;
  const each = written ? ` · ${bits(nats / written).toFixed(2)} bits each` : "";
  $("status").textContent = `${plural(written, "character")} · seed ${seed} · temperature ` +
    `${settings.temperature.toFixed(2)}${each}${state === "paused" ? " · paused" : ""}`;
  // A text whose settings changed on the way cannot be had again from them.
  $("copy-link").hidden = changed;
  if (!changed) share();
};

const receive = ({ channel, run, found, done, failure }) => {
  if (run !== runs[channel]) return;
  if (channel === "read") {
    read({ found, done, failure });
    return;
  }
  sheet.add(found);
  for (const letter of found) nats += letter.nats;
  written += found.length;
  if (failure) $("note").textContent = failure;
  if (failure || done) show(failure ? "failed" : "done");
  else if (state !== "writing") show(state);
};
const send = connect(receive);
const read = makeReading(send, runs);

const write = (given = "") => {
  const typed = $("seed").value.trim(), prompt = $("prompt").value;
  if (!given && typed && !isSeed(typed)) {
    $("note").textContent = "A seed is a whole number, 0 or more.";
    $("seed").closest("details").open = true;
    $("seed").focus();
    return;
  }
  begun = { prompt, seed: given || typed || freshSeed(), settings: settingsNow(),
            wanted: lengthNow() };
  written = nats = 0;
  changed = false;
  $("note").textContent = noteUnknown(prompt);
  sheet.clear();
  sheet.add([...fitted(prompt)].filter(character => alphabet.has(character))
    .map(character => ({ character, nats: null, likely: [], given: true })));
  send({ channel: "write", run: ++runs.write, work: "text", ...begun,
         settings: { ...begun.settings }, pace: Number($("pace").value) });
  show("writing");
};
// Characters that are on their way still arrive.
const hold = next => {
  send({ channel: "write", change: "pause" });
  show(next);
};
const goOn = () => {
  const settings = settingsNow();
  changed ||= JSON.stringify(settings) !== JSON.stringify(begun.settings);
  send({ channel: "write", change: "go", settings, pace: Number($("pace").value),
         ...(state === "done" && { wanted: lengthNow() }) });
  show("writing");
};

$("form").addEventListener("submit", event => {
  event.preventDefault();
  if (state === "writing" && event.submitter === $("write")) {
    hold("done");
  } else {
    write();
    $("written").scrollIntoView({ block: "nearest" });
  }
});
$("hold").addEventListener("click", () => state === "writing" ? hold("paused") : goOn());
$("prompt").addEventListener("keydown", event => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  $("form").requestSubmit();
});
document.addEventListener("keydown", event => {
  if (event.key === "Escape" && state === "writing") hold("paused");
});
$("colors").addEventListener("change", event => {
  sheet.color(event.target.checked);
  $("legend").hidden = !event.target.checked;
});
$("copy").addEventListener("click", event => copyText(sheet.text, event.target));
$("copy-link").addEventListener("click", event => copyText(location.href, event.target));

showLegend($("legend"));
showOpenings(MODEL.openings, $("prompt"));
const showWarmth = warm($("temperature"));
if (matchMedia("(prefers-reduced-motion: reduce)").matches) $("pace").value = "0";
const open = () => {
  const address = readAddress(), seed = address.get("seed") ?? "";
  for (const name of ["prompt", "temperature", "length", "top-k", "top-p"])
    if (address.has(name)) $(name).value = address.get(name);
  showWarmth();
  write(isSeed(seed) ? seed : "");
};
addEventListener("hashchange", open);
open();
