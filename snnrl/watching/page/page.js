"use strict";

/* What is heard becomes what is seen; buttons and keys become orders. */

const $ = (id) => document.getElementById(id);
const KEPT = 300;
const raster = new Raster($("raster"));
let source = { send() {} };
let hello = { labels: [], numbers: 1, groups: {}, rate: 30 };
let state = { playing: true, speed: 1 };
let history = [];
let pending = [];
let weights = null;
let curves = null;
let latest = null;
let picture = null;
let drawn = false;
let said = 0;

function hear(message) {
  if (message.kind === "moment") {
    pending.push(message);
    if (pending.length > KEPT) pending = pending.slice(-KEPT);
  } else if (message.kind === "again") {
    pending = [];
    history = message.moments.slice(-KEPT);
    again();
  } else if (message.kind === "hello") greet(message);
  else if (message.kind === "state") settle(message);
  else if (message.kind === "weights") fill($("connection"), (weights = message).tables.map(({ name }) => name), "weighing");
  else if (message.kind === "curves") fill($("curve"), Object.keys((curves = message).series), "learning");
  else if (message.kind === "trouble") tell(message.text, false);
  plan();
}

/** Draw what has been heard, once for each picture of the screen. */
function plan() {
  if (drawn) return;
  drawn = true;
  requestAnimationFrame(() => {
    drawn = false;
    draw();
  });
}

function greet(message) {
  hello = message;
  document.title = `${hello.title} · snnrl`;
  $("title").textContent = hello.title;
  $("about").textContent = hello.line;
  $("game").setAttribute("aria-label", `${hello.title}, as the agent plays it`);
  $("unit").textContent = hello.groups.actor ? "spikes per neuron, by action" : "by action";
  raster.name(hello.groups);
  [history, pending, latest] = [[], [], null];
  const games = hello.games || [];
  options($("which"), games);
  $("which").parentElement.hidden = games.length < 2;
  $("transport").hidden = false;
  $("choices").hidden = hello.mode === "replay";
}

function settle(message) {
  const before = state;
  state = message;
  $("play").textContent = state.playing ? "Pause" : "Play";
  $("step").disabled = state.playing;
  $("speed").value = String(state.speed);
  if ("places" in state) {
    $("seek").hidden = false;
    $("place").max = state.places - 1;
    if (document.activeElement !== $("place") || state.playing) $("place").value = state.place;
    const time = (place) => {
      const seconds = Math.floor(place / hello.rate);
      return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    };
    $("time").textContent = `${time(state.place)} of ${time(state.places)}`;
    $("place").setAttribute("aria-valuetext", $("time").textContent);
    return;
  }
  const choices = ["which", "deterministic", "seed"];
  if (choices.every((name) => state[name] === before[name])) return;
  for (const name of choices) $(name).value = String(state[name]);
}

function tell(text, good) {
  $("status").textContent = text;
  $("status").classList.toggle("good", good);
}

/** Offer these names, and keep what is chosen where it is still among them. */
function options(select, names) {
  if (JSON.stringify([...select.options].map((option) => option.value)) === JSON.stringify(names)) return;
  const before = select.value;
  select.replaceChildren(...names.map((name) => new Option(name, name)));
  if (names.includes(before)) select.value = before;
}

function fill(select, names, section) {
  options(select, names);
  $(section).hidden = !names.length;
}

function again() {
  raster.again(history);
  latest = history.at(-1) ?? null;
  if (latest) show(latest);
}

function draw() {
  for (const moment of pending) {
    if (raster.fit(moment)) raster.again(history.slice(-KEPT));
    raster.push(moment);
    history.push(moment);
    if (moment.over || performance.now() - said > 10000) say(moment);
  }
  if (history.length > KEPT) history = history.slice(-KEPT);
  if (pending.length) show((latest = pending.at(-1)));
  pending = [];
  if (latest) {
    raster.draw();
    drawSignal($("signal"), history, KEPT);
    drawPreferences($("preferences"), latest, hello);
  }
  drawTables();
}

function drawTables() {
  const table = weights && weights.tables.find(({ name }) => name === $("connection").value);
  if (table) {
    drawWeights($("weights"), table, weights.data[table.part]);
    const [rows, columns] = table.of;
    const mean = table.shape[0] < rows || table.shape[1] < columns;
    $("scale").textContent =
      `${whole(rows)} neurons (rows) × ${whole(columns)} inputs, −${brief(table.most)} blue to ${brief(table.most)} orange` +
      (mean ? "; a pixel is the mean of several" : "");
  }
  const series = curves && curves.series[$("curve").value];
  if (series && series.length) drawCurve($("curves"), curves.steps, series);
}

/** Numbers and picture of a moment. */
function show(moment) {
  const { frame, data } = moment;
  $("score").textContent = brief(moment.score);
  $("decision").textContent = whole(moment.decision);
  $("episode").textContent = whole(moment.episode);
  $("action").textContent = moment.action.toLowerCase();
  const { shape } = moment.spikes[0] ?? { shape: [0] };
  $("window").textContent = shape[0] ? `a stripe is one decision, ${shape[0]} steps of ${brief(hello.dt)} ms; right is now` : "this agent has none";
  if (!frame) return drawObservation($("game"), moment.observation);
  createImageBitmap(new Blob([data[frame.part]], { type: frame.type })).then((image) => {
    if (moment !== latest) return;
    picture = image;
    drawFrame($("game"), image);
  });
}

/** Tell a screen reader, though not every time. */
function say(moment) {
  said = performance.now();
  const over = moment.over ? "Episode over. " : "";
  $("said").textContent = `${over}Score ${brief(moment.score)} after ${whole(moment.decision)} decisions.`;
}

/* Orders */

const toggle = () => source.send({ do: state.playing ? "pause" : "play" });
const step = () => source.send({ do: "step" });
const pace = (speed) => source.send({ do: "speed", speed: Number(speed) });

$("play").addEventListener("click", toggle);
$("step").addEventListener("click", step);
$("speed").addEventListener("change", () => pace($("speed").value));
$("place").addEventListener("input", () => source.send({ do: "seek", place: Number($("place").value) }));
$("choices").addEventListener("submit", (event) => {
  event.preventDefault();
  const best = $("deterministic").value === "true";
  source.send({ do: "new", which: $("which").value, deterministic: best, seed: Number($("seed").value) });
});
for (const name of ["connection", "curve"]) $(name).addEventListener("change", plan);

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, button")) return;
  const speeds = [...$("speed").options].map((option) => option.value);
  const nearby = (away) => speeds[Math.max(0, Math.min(speeds.indexOf($("speed").value) + away, speeds.length - 1))];
  const keys = { " ": toggle, ArrowRight: step, "+": () => pace(nearby(1)), "-": () => pace(nearby(-1)) };
  if (!(event.key in keys)) return;
  event.preventDefault();
  keys[event.key]();
});

function redraw() {
  if (latest) {
    raster.again(history);
    if (latest.frame && picture) drawFrame($("game"), picture);
    else if (!latest.frame) drawObservation($("game"), latest.observation);
  }
  plan();
}
addEventListener("resize", redraw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

const inside = $("data");
if (inside) ReplaySource.read(inside, hear, tell).then((found) => (source = found));
else source = new LiveSource(hear, tell);
