"use strict";

/* Canvases: their size in the screen's own pixels, the page's colours, and charts. */

const font = (weight, size) => `${weight} ${size}px system-ui, "Segoe UI", Roboto, Arial, sans-serif`;
const whole = (number) => number.toLocaleString("en");
const short = (text, most) => (text.length > most ? text.slice(0, most - 1) + "…" : text);

/** A number in few digits. */
function brief(number) {
  if (!Number.isFinite(number)) return "–";
  const size = Math.abs(number);
  if (size >= 1e6) return (number / 1e6).toPrecision(3) + " M";
  if (size >= 1e4) return (number / 1e3).toPrecision(3) + " k";
  return String(Number(number.toPrecision(size >= 100 ? 4 : 3)));
}

/** A canvas ready to be drawn on in CSS pixels, with the colours that the page has now. */
function sized(canvas) {
  const scale = devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  const pixels = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== pixels[0] || canvas.height !== pixels[1]) [canvas.width, canvas.height] = pixels;
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  return { pen, width, height, scale, dark, narrow: width < 480, ...colors(dark) };
}

const known = {};
function colors(dark) {
  if (!known[dark]) {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue("--" + name).trim();
    known[dark] = {
      ...Object.fromEntries(["ink", "quiet", "line", "card", "stripe", "blue", "orange", "green"].map((name) => [name, of(name)])),
      palette: ["sky", "orange", "green", "purple", "yellow", "blue"].map(of),
    };
  }
  return known[dark];
}

/** Lines over a common axis: each `{values, color, name}`, of which the newest value is the last. */
function drawLines(surface, lines, { top, height, length, zero }) {
  const { pen, width, quiet, line, scale } = surface;
  const left = 46;
  const all = lines.flatMap(({ values }) => values).filter(Number.isFinite);
  if (!all.length) return;
  let [low, high] = [all.reduce((a, b) => Math.min(a, b)), all.reduce((a, b) => Math.max(a, b))];
  if (zero) [low, high] = [Math.min(low, 0), Math.max(high, 0)];
  if (high - low < 1e-9) [low, high] = [low - 0.5, high + 0.5];
  const y = (value) => top + 6 + (height - 12) * (1 - (value - low) / (high - low));
  const x = (place) => left + ((width - left - 2) * place) / Math.max(length - 1, 1);
  pen.font = font(400, 10);
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  for (const value of low < 0 && high > 0 ? [low, 0, high] : [low, high]) {
    pen.fillStyle = line;
    pen.fillRect(left, Math.round(y(value)), width - left, 1);
    if (value === 0 && Math.min(y(low) - y(0), y(0) - y(high)) < 12) continue;
    pen.fillStyle = quiet;
    pen.fillText(brief(value), left - 6, y(value));
  }
  for (const { values, color, dots } of lines) {
    const start = length - values.length;
    pen.strokeStyle = pen.fillStyle = color;
    pen.lineWidth = 1.6;
    pen.lineJoin = "round";
    pen.beginPath();
    let down = false;
    values.forEach((value, place) => {
      const there = Number.isFinite(value);
      if (there) down ? pen.lineTo(x(start + place), y(value)) : pen.moveTo(x(start + place), y(value));
      down = there || (dots && down);
    });
    pen.stroke();
    if (dots) values.forEach((value, place) => Number.isFinite(value) && disc(pen, x(start + place), y(value), 3));
  }
}

function disc(pen, x, y, radius) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fill();
}

/** The predicted return above, TD error below, and between them when there was a reward. */
function drawSignal(canvas, history, length) {
  const surface = sized(canvas);
  const { pen, width, height, blue, orange, green, quiet } = surface;
  pen.clearRect(0, 0, width, height);
  const half = Math.floor((height - 34) / 2);
  pen.font = font(600, 11);
  pen.textAlign = "left";
  pen.textBaseline = "alphabetic";
  const title = (text, color, y) => {
    pen.fillStyle = color;
    pen.fillText(text, 46, y);
  };
  const now = (name) => brief(history.at(-1)?.[name] ?? NaN);
  title(`value  ${now("value")}`, blue, 10);
  drawLines(surface, [{ values: history.map((one) => one.value ?? NaN), color: blue }], { top: 14, height: half, length });
  pen.font = font(600, 11);
  pen.textAlign = "left";
  pen.textBaseline = "alphabetic";
  title(`TD error  ${now("td_error")}`, orange, half + 27);
  const values = history.map((one) => one.td_error ?? NaN);
  drawLines(surface, [{ values, color: orange }], { top: half + 31, height: half, length, zero: true });
  const start = length - history.length;
  const rewards = history.filter((one) => one.reward).length;
  history.forEach((one, place) => {
    if (!one.reward || rewards > history.length / 3) return;
    pen.fillStyle = one.reward > 0 ? green : quiet;
    pen.fillRect(46 + ((width - 48) * (start + place)) / Math.max(length - 1, 1) - 0.75, half + 15, 1.5, 3);
  });
  if (!rewards || rewards > history.length / 3 || width < 300) return;
  pen.font = font(400, 10);
  pen.textAlign = "right";
  pen.textBaseline = "alphabetic";
  pen.fillStyle = green;
  pen.fillText("▎reward", width, half + 28);
}

/** How much each action is preferred; the one that was taken stands out. */
function drawPreferences(canvas, moment, { labels, numbers }) {
  const surface = sized(canvas);
  const { pen, width, height, blue, ink, quiet, line, stripe } = surface;
  pen.clearRect(0, 0, width, height);
  const all = moment.preferences;
  pen.font = font(400, 12);
  if (!all) {
    pen.fillStyle = quiet;
    pen.fillText("this agent states none", 0, 14);
    return;
  }
  const each = all.length / numbers;
  const most = Math.max(...all.map(Math.abs)), high = Math.max(...all);
  let low = Math.min(0, ...all), span = Math.max(high - low, 1e-9), base = 0; // bars begin at zero,
  if (!moment.taken) [low, span] = [-Math.max(most, 1), 2 * Math.max(most, 1)]; // in the middle where they are no choices,
  else if (high < 0) { // or, where all are below it, so far below the highest that none of near values looks like nothing
    span = 1.25 * Math.max(high - low, most / 2);
    base = low = high - span;
  }
  pen.textBaseline = "middle";
  if (numbers === 1 && each <= 18) {
    const left = Math.min(110, width / 3), room = width - left - 52, row = Math.min(height / each, 34), bar = Math.max(row * 0.62, 4);
    all.forEach((value, place) => {
      const taken = moment.taken && moment.taken[0] === place, middle = row * (place + 0.5);
      pen.font = font(taken ? 650 : 400, Math.min(12, row));
      pen.textAlign = "right";
      pen.fillStyle = taken ? ink : quiet;
      pen.fillText(short((labels[place] ?? String(place)).toLowerCase(), 16), left - 8, middle);
      pen.fillStyle = stripe;
      pen.fillRect(left, middle - bar / 2, room, bar);
      pen.fillStyle = taken ? blue : quiet;
      pen.globalAlpha = taken ? 1 : 0.55;
      const [from, to] = [base, value].map((each) => left + (room * (each - low)) / span);
      pen.fillRect(Math.min(from, to), middle - bar / 2, Math.abs(to - from), bar);
      pen.globalAlpha = 1;
      pen.textAlign = "left";
      pen.fillStyle = taken ? ink : quiet;
      pen.fillText(brief(value), width - 46, middle);
    });
    return;
  }
  const tall = height / numbers;
  for (let number = 0; number < numbers; number++) {
    const bottom = tall * (number + 1) - 16, room = tall - 22, wide = width / each;
    pen.fillStyle = line;
    pen.fillRect(0, bottom, width, 1);
    for (let place = 0; place < each; place++) {
      const value = ((all[number * each + place] - low) / span) * room;
      const taken = moment.taken && moment.taken[number] === place;
      pen.fillStyle = taken ? blue : quiet;
      pen.globalAlpha = taken ? 1 : 0.55;
      pen.fillRect(place * wide + 1, bottom - value, Math.max(wide - 2, 1), value);
      pen.globalAlpha = 1;
    }
    pen.font = font(400, 11);
    pen.fillStyle = quiet;
    pen.textAlign = "left";
    pen.fillText(labels[0] ?? "lowest", 0, bottom + 9);
    pen.textAlign = "right";
    pen.fillText(labels.at(-1) ?? "highest", width, bottom + 9);
  }
}

/** Weights as a picture: a row a neuron, a column an input, of both as many as there is room for. */
function drawWeights(canvas, { shape: [rows, columns] }, levels) {
  const { pen, width, height, dark } = sized(canvas);
  const picture = new ImageData(columns, rows);
  const signed = new Int8Array(levels.buffer, levels.byteOffset, levels.byteLength);
  const zero = dark ? [22, 27, 34] : [255, 255, 255];
  const ends = dark ? [[91, 181, 238], [245, 145, 77]] : [[0, 114, 178], [196, 82, 10]];
  signed.forEach((level, place) => {
    const share = Math.min(Math.sqrt(Math.abs(level) / 127), 1), end = ends[Number(level > 0)];
    for (let part = 0; part < 3; part++) picture.data[place * 4 + part] = zero[part] + (end[part] - zero[part]) * share;
    picture.data[place * 4 + 3] = 255;
  });
  const small = document.createElement("canvas");
  [small.width, small.height] = [columns, rows];
  small.getContext("2d").putImageData(picture, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.imageSmoothingEnabled = false;
  pen.drawImage(small, 0, 0, width, height);
}

/** One metric over the steps of training; where it is known at few of them, as dots. */
function drawCurve(canvas, steps, values) {
  const surface = sized(canvas);
  const { pen, width, height, blue, quiet } = surface;
  pen.clearRect(0, 0, width, height);
  const numbers = values.map((value) => value ?? NaN);
  const dots = numbers.filter(Number.isFinite).length < numbers.length / 2 || numbers.length < 3;
  drawLines(surface, [{ values: numbers, color: blue, dots }], { top: 0, height: height - 16, length: numbers.length });
  pen.font = font(400, 10);
  pen.fillStyle = quiet;
  pen.textBaseline = "alphabetic";
  pen.textAlign = "left";
  pen.fillText(brief(steps[0]), 46, height - 2);
  pen.textAlign = "right";
  pen.fillText(brief(steps.at(-1)) + " env steps", width, height - 2);
}

/** A frame as large as it fits, in whole multiples of its pixels where it is small. */
function drawFrame(canvas, image) {
  const { pen, width, height, scale } = sized(canvas);
  let size = Math.min((width * scale) / image.width, (height * scale) / image.height);
  if (size > 2) size = Math.floor(size * 2) / 2;
  const [wide, tall] = [image.width * size, image.height * size];
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.clearRect(0, 0, width * scale, height * scale);
  pen.imageSmoothingEnabled = size < 1;
  pen.drawImage(image, Math.round((width * scale - wide) / 2), Math.round((height * scale - tall) / 2), wide, tall);
}

/** An observation where there is no picture: its numbers as bars about zero. */
function drawObservation(canvas, numbers) {
  const { pen, width, height } = sized(canvas);
  const most = Math.max(...numbers.map(Math.abs), 1e-9), wide = (width - 24) / numbers.length;
  pen.clearRect(0, 0, width, height);
  pen.fillStyle = "#9ba6b3";
  pen.font = font(400, 12);
  pen.textAlign = "left";
  pen.textBaseline = "alphabetic";
  pen.fillText("This game has no picture; its observation:", 12, 22);
  pen.fillRect(12, height / 2, width - 24, 1);
  pen.fillStyle = "#5bb5ee";
  numbers.forEach((number, place) => {
    const tall = (number / most) * (height / 2 - 36);
    pen.fillRect(12 + place * wide + 1, height / 2 - Math.max(tall, 0), Math.max(wide - 2, 1), Math.abs(tall));
  });
}
