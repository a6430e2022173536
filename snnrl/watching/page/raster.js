"use strict";

/** Spikes of all populations over time, the newest on the right; every population has a band, every neuron a row. */
class Raster {
  constructor(canvas) {
    this.canvas = canvas;
    this.labels = {};
    this.shape = "";
    this.bands = [];
  }

  /** What the groups of a population's neurons are called, by the population's name. */
  name(labels) {
    this.labels = labels;
    this.shape = "";
  }

  /** Make room for populations of these sizes; whether anything has changed. */
  fit(moment) {
    const surface = sized(this.canvas);
    const shape = JSON.stringify([moment.spikes.map((one) => [one.name, one.shape]), surface.width, surface.height, surface.dark]);
    if (shape === this.shape) return false;
    this.shape = shape;
    this.surface = surface;
    const narrow = surface.width < 480;
    this.left = narrow ? 96 : 122;
    this.bands = [];
    const gap = 10;
    const wishes = moment.spikes.map(({ name, shape: [, neurons] }) => Math.max(Math.min(Math.sqrt(neurons) * 3, 120), 15 * (this.labels[name] || []).length, 40));
    const free = surface.height - gap * (wishes.length - 1);
    const unit = free / wishes.reduce((sum, wish) => sum + wish, 0);
    let top = 0;
    moment.spikes.forEach(({ name, shape: [steps, neurons] }, place) => {
      const height = Math.floor(wishes[place] * unit);
      const color = surface.palette[place % surface.palette.length];
      this.bands.push({ name, steps, neurons, top, height, color });
      top += height + gap;
    });
    const longest = Math.max(...this.bands.map((band) => band.steps), 1);
    this.pixel = Math.max(1, Math.min(6, Math.round(18 / longest)));
    this.columns = longest * this.pixel;
    this.strip = document.createElement("canvas");
    this.strip.width = Math.max(Math.floor((surface.width - this.left) * surface.scale), 1);
    this.strip.height = surface.height * surface.scale;
    this.pen = this.strip.getContext("2d");
    this.odd = false;
    return true;
  }

  /** How many decisions fit. */
  get room() {
    return Math.max(Math.floor((this.surface.width - this.left) / this.columns), 1);
  }

  again(moments) {
    if (!moments.length) return;
    this.shape = "";
    this.fit(moments.at(-1));
    moments.slice(-this.room - 1).forEach((moment) => this.push(moment));
  }

  push(moment) {
    const { scale, ink } = this.surface;
    const wide = Math.round(this.columns * scale);
    const { width, height } = this.strip;
    this.pen.globalCompositeOperation = "copy";
    this.pen.drawImage(this.strip, -wide, 0);
    this.pen.globalCompositeOperation = "source-over";
    const left = width - wide;
    this.odd = !this.odd;
    for (const band of this.bands) {
      if (!this.odd) continue;
      this.pen.fillStyle = this.surface.stripe;
      this.pen.fillRect(left, band.top * scale, wide, band.height * scale);
    }
    moment.spikes.forEach((spikes, place) => {
      const band = this.bands[place];
      const row = (band.height * scale) / band.neurons;
      const tall = Math.max(row > 3 ? Math.floor(row) - 1 : row, scale);
      const step = (this.columns / band.steps) * scale;
      this.pen.fillStyle = band.color;
      this.pen.globalAlpha = row < scale / 2 ? 0.7 : 1;
      for (const spike of fired(spikes, moment.data)) {
        const neuron = spike % band.neurons;
        const time = (spike - neuron) / band.neurons;
        this.pen.fillRect(left + Math.round(time * step), Math.round(band.top * scale + neuron * row), Math.max(step - (step > 2 ? 1 : 0), 1), tall);
      }
      this.pen.globalAlpha = 1;
    });
    if (moment.start) {
      this.pen.fillStyle = ink;
      this.pen.fillRect(left, 0, scale, height);
    }
  }

  draw() {
    if (!this.bands.length) return;
    const { pen, width, height, quiet, line, narrow } = this.surface;
    pen.clearRect(0, 0, width, height);
    pen.drawImage(this.strip, this.left, 0, width - this.left, height);
    pen.textBaseline = "middle";
    for (const band of this.bands) {
      pen.fillStyle = line;
      pen.fillRect(this.left - 1, band.top, 1, band.height);
      const groups = this.labels[band.name] || [];
      const each = band.height / (groups.length || 1);
      pen.textAlign = "left";
      pen.fillStyle = band.color;
      pen.font = font(650, 12);
      pen.fillText(band.name, 0, band.top + 8);
      if (band.height >= 28) {
        pen.fillStyle = quiet;
        pen.font = font(400, 11);
        pen.fillText(whole(band.neurons) + (narrow ? "" : " neurons"), 0, band.top + 23);
      }
      if (each < 10) continue;
      pen.textAlign = "right";
      pen.fillStyle = quiet;
      pen.font = font(400, 10);
      groups.forEach((label, place) => {
        pen.fillText(short(label.toLowerCase(), narrow ? 9 : 12), this.left - 6, band.top + each * (place + 0.5));
        if (place) {
          pen.fillStyle = line;
          pen.fillRect(this.left, band.top + Math.round(each * place), width - this.left, 1);
          pen.fillStyle = quiet;
        }
      });
    }
  }
}
