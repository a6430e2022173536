"use strict";

/*
 * Where the page's data come from: a WebSocket, or what lies in the page itself.
 *
 * A message is [length of the header, 4 bytes, little end first][header, JSON][parts]; the header's `parts` are the
 * lengths in bytes of the parts that follow, which its other fields name by their place.
 */

function unpack(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  const message = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  let at = 4 + length;
  message.data = (message.parts || []).map((size) => bytes.subarray(at, (at += size)));
  return message;
}

/** Which neurons fired: numbers `step * neurons + neuron`, in order, of spikes as they travel. */
function fired(spikes, data) {
  const bytes = data[spikes.part];
  if (spikes.form === "bits") {
    const found = [];
    for (let byte = 0; byte < bytes.length; byte++) {
      for (let rest = bytes[byte], bit = 0; rest; rest >>= 1, bit++) if (rest & 1) found.push(byte * 8 + bit);
    }
    return found;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / 4 }, (_, place) => view.getUint32(place * 4, true));
}

/** A player elsewhere, which is asked to do things, and is looked for again where the connection is lost. */
class LiveSource {
  constructor(hear, tell) {
    this.hear = hear;
    this.tell = tell;
    this.wait = 250;
    this.connect();
  }

  connect() {
    const url = new URL("watch" + location.search, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    this.socket = new WebSocket(url);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => {
      this.wait = 250;
      this.tell("live", true);
    };
    this.socket.onmessage = ({ data }) => {
      const message = unpack(new Uint8Array(data));
      this.hear(message);
      if (message.kind === "moment") this.send({ do: "seen" });
    };
    this.socket.onclose = () => {
      this.tell("connection lost, trying again", false);
      setTimeout(() => this.connect(), this.wait);
      this.wait = Math.min(this.wait * 2, 4000);
    };
  }

  send(order) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(order));
  }
}

/** A game that was recorded: messages one after the other, each behind its length. */
class ReplaySource {
  static async read(element, hear, tell) {
    const text = atob(element.textContent.trim());
    const packed = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
    const view = new DataView(bytes.buffer);
    const messages = [];
    for (let at = 0; at < bytes.length; ) {
      const length = view.getUint32(at, true);
      messages.push(unpack(bytes.subarray(at + 4, (at += 4 + length))));
    }
    return new ReplaySource(messages, hear, tell);
  }

  constructor(messages, hear, tell) {
    this.hear = hear;
    this.moments = messages.filter((message) => message.kind === "moment");
    const others = messages.filter((message) => message.kind !== "moment");
    const hello = others.find((message) => message.kind === "hello");
    this.rate = hello.rate;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.state = { kind: "state", playing: !calm, speed: 1, place: 0, places: this.moments.length };
    others.forEach(hear);
    tell("replay", true);
    this.show(0);
    this.due = performance.now();
    const turn = (now) => {
      this.turn(now);
      requestAnimationFrame(turn);
    };
    requestAnimationFrame(turn);
  }

  /** Show what is due by now; where the page was away for long, nothing is made up for. */
  turn(now) {
    const { playing, speed } = this.state;
    const each = speed ? 1000 / (this.rate * speed) : 0;
    if (!playing || now - this.due > 1000) this.due = now;
    for (let shown = 0; playing && now - this.due >= each && shown < 8; shown++) {
      this.due = each ? this.due + each : now;
      if (this.state.place + 1 >= this.moments.length) return this.change({ playing: false });
      this.show(this.state.place + 1);
    }
  }

  show(place) {
    this.hear(this.moments[place]);
    this.change({ place });
  }

  change(changes) {
    Object.assign(this.state, changes);
    this.hear(this.state);
  }

  send(order) {
    const { place, playing } = this.state;
    const last = this.moments.length - 1;
    if (order.do === "play" && place === last) this.seek(0);
    if (order.do === "play" || order.do === "pause") this.change({ playing: order.do === "play" });
    if (order.do === "step" && !playing && place < last) this.show(place + 1);
    if (order.do === "speed") this.change({ speed: order.speed });
    if (order.do === "seek") this.seek(order.place);
  }

  seek(place) {
    const from = Math.max(place - 400, 0);
    this.hear({ kind: "again", moments: this.moments.slice(from, place + 1) });
    this.change({ place });
  }
}
