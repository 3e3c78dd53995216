// Runs the model with LiteRT.js, away from the page's own thread.
// A classic worker: LiteRT.js loads its WebAssembly with importScripts.

const KEPT = 3; // Sizes whose compiled model is kept.
const MULTIPLE = 4; // What both sides must be multiples of.
const compiled = new Map();
let litert, file, sizes, accelerator;
let last = Promise.resolve();

self.onmessage = ({ data }) => {
  // One after the other.
  last = last.then(async () => {
    try {
      const answer = data.kind === "open" ? await open(data) : await paint(data);
      self.postMessage({ id: data.id, ...answer }, answer.rgba ? [answer.rgba.buffer] : []);
    } catch (error) {
      self.postMessage({ id: data.id, error: String(error?.message ?? error) });
    }
  });
};

async function open({ accelerator: wanted }) {
  litert = await import("./litert/index.js");
  const [model, rules] = await Promise.all([fetch("model.tflite"), fetch("sizes.json")]);
  if (!model.ok || !rules.ok) throw new Error("the model can't be loaded from this address");
  file = new Uint8Array(await model.arrayBuffer());
  sizes = await rules.json();
  const base = new URL("litert/wasm/", self.location).href;
  self.Module = { locateFile: (name) => base + name }; // Else beside this file.
  await litert.loadLiteRt(base);
  accelerator = wanted ?? "webgpu";
  if (accelerator === "webgpu" && !await hasGpu()) accelerator = "wasm";
  return { accelerator };
}

async function hasGpu() {
  try {
    return litert.isWebGPUSupported() && Boolean(await navigator.gpu.requestAdapter());
  } catch {
    return false;
  }
}

async function modelFor(width, height) {
  const key = `${width}x${height}`;
  let model = compiled.get(key);
  compiled.delete(key);
  if (!model) {
    for (const old of [...compiled.keys()].slice(0, compiled.size - KEPT + 1)) {
      compiled.get(old).delete();
      compiled.delete(old);
    }
    model = await litert.loadAndCompile(sized(width, height), { accelerator });
  }
  compiled.set(key, model); // The last one is the newest.
  return model;
}

// The model's file with the shapes of one size: each number is ratio * side + offset.
function sized(width, height) {
  const copy = file.slice();
  const view = new DataView(copy.buffer);
  for (const [side, rules] of [[height, sizes.height], [width, sizes.width]]) {
    for (const [place, ratio, offset] of rules) {
      view.setInt32(place, Math.round(ratio * side + offset), true);
    }
  }
  return copy;
}

async function paint({ rgba, width, height, weights, keepColors }) {
  const wide = width + (-width & (MULTIPLE - 1)), high = height + (-height & (MULTIPLE - 1));
  const pixels = new Float32Array(wide * high * 3);
  for (let y = 0, to = 0; y < high; y += 1) {
    const row = (y < height ? y : 2 * height - 2 - y) * width; // Mirrored at the border.
    for (let x = 0; x < wide; x += 1, to += 3) {
      const from = 4 * (row + (x < width ? x : 2 * width - 2 - x));
      pixels[to] = rgba[from] / 255;
      pixels[to + 1] = rgba[from + 1] / 255;
      pixels[to + 2] = rgba[from + 2] / 255;
    }
  }
  const model = await modelFor(wide, high);
  const image = new litert.Tensor(pixels, [1, high, wide, 3]);
  const style = new litert.Tensor(Float32Array.from(weights), [1, weights.length]);
  let picture, alone; // A model of one style alone does not take weights.
  try {
    const inputs = {};
    for (const { name, shape } of model.getInputDetails()) {
      inputs[name] = shape.length === 4 ? image : style;
    }
    alone = Object.keys(inputs).length === 1;
    const [output] = Object.values(await model.run(inputs));
    picture = (await output.data()).slice();
    output.delete();
  } finally {
    image.delete();
    style.delete();
  }
  const painted = new Uint8ClampedArray(4 * width * height); // Rounds and clips.
  for (let y = 0, to = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, to += 4) {
      const from = 3 * (y * wide + x);
      let [red, green, blue] = [picture[from], picture[from + 1], picture[from + 2]];
      if (alone) {
        red += weights[0] * (pixels[from] - red);
        green += weights[0] * (pixels[from + 1] - green);
        blue += weights[0] * (pixels[from + 2] - blue);
      }
      if (keepColors) { // The photograph's colours with the painting's luminance.
        const [r, g, b] = [pixels[from], pixels[from + 1], pixels[from + 2]];
        const wanted = 0.299 * (red - r) + 0.587 * (green - g) + 0.114 * (blue - b);
        // Only as far as the gamut goes: the colour stays.
        const darkest = -Math.min(r, g, b), brightest = 1 - Math.max(r, g, b);
        const change = Math.min(Math.max(wanted, darkest), brightest);
        [red, green, blue] = [r + change, g + change, b + change];
      }
      painted[to] = 255 * red;
      painted[to + 1] = 255 * green;
      painted[to + 2] = 255 * blue;
      painted[to + 3] = 255;
    }
  }
  return { rgba: painted };
}
