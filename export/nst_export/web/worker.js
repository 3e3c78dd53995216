// Runs the model with LiteRT.js, away from the page's own thread.
// A classic worker: LiteRT.js loads its WebAssembly with importScripts.

const KEPT = 3; // Sizes whose compiled model is kept.
const MULTIPLE = 4; // What both sides must be multiples of.
const SEEN = 304, LONGEST = 1216; // Short side at which paintings are seen, longest side.
const MEMORY = 0.5; // Seconds after which a frame's statistics count 1/e of what they did.
const MOST_THREADS = 4; // Of a model; more gain little, and slow cores hold fast ones up.
const compiled = new Map();
let litert, accelerator, threads;
let painter, framer, encoder; // Files as { name, bytes, sizes }.
let last = { clip: null }; // What the next frame of a clip depends on.
let before = Promise.resolve();

self.onmessage = ({ data }) => {
  // One after the other.
  before = before.then(async () => {
    try {
      const answer = await { open, paint, encode }[data.kind](data);
      self.postMessage({ id: data.id, ...answer }, answer.rgba ? [answer.rgba.buffer] : []);
    } catch (error) {
      self.postMessage({ id: data.id, error: String(error?.message ?? error) });
    }
  });
};

async function open({ accelerator: wanted }) {
  litert = await import("./litert/index.js");
  painter = await loaded("model.tflite", "sizes.json");
  threads = await loadLiteRt(new URL("litert/wasm/", self.location).href);
  accelerator = wanted ?? "webgpu";
  if (accelerator === "webgpu" && !await hasGpu()) accelerator = "wasm";
  return { accelerator, threads };
}

// Load the WebAssembly; where the page is isolated, that which has threads.
async function loadLiteRt(base) {
  const count = Math.min(navigator.hardwareConcurrency ?? 1, MOST_THREADS);
  const module = { locateFile: (name) => base + name }; // Else beside this file.
  if (self.crossOriginIsolated && count > 1) {
    // It begins a worker for each core, and for ever waits for those of a model that find
    // none: so as many as all models can have.
    const workers = (KEPT + 2) * (count - 1);
    Object.defineProperty(navigator, "hardwareConcurrency", { value: workers, configurable: true });
    self.Module = { ...module, mainScriptUrlOrBlob: `${base}litert_wasm_threaded_internal.js` };
    try {
      await litert.loadLiteRt(base, { threads: true });
      return count;
    } catch { // Without relaxed SIMD there are no threads.
      litert.unloadLiteRt();
    } finally {
      delete navigator.hardwareConcurrency;
    }
  }
  self.Module = module;
  await litert.loadLiteRt(base);
  return 1;
}

async function loaded(file, rules) {
  const get = (name) => fetch(name).catch(() => ({ ok: false })); // Offline.
  const [bytes, sizes] = await Promise.all([get(file), get(rules)]);
  if (!bytes.ok || !sizes.ok) throw new Error(`${file} can't be loaded from this page's address`);
  return {
    name: file, bytes: new Uint8Array(await bytes.arrayBuffer()), sizes: await sizes.json(),
  };
}

async function hasGpu() {
  try {
    return litert.isWebGPUSupported() && Boolean(await navigator.gpu.requestAdapter());
  } catch {
    return false;
  }
}

async function modelFor(file, width, height) {
  const key = `${file.name} ${width}x${height}`;
  let model = compiled.get(key);
  compiled.delete(key);
  if (!model) {
    for (const old of [...compiled.keys()].slice(0, compiled.size - KEPT + 1)) {
      compiled.get(old).delete();
      compiled.delete(old);
    }
    const bytes = sized(file, width, height);
    try {
      model = await compile(bytes, accelerator);
    } catch (error) { // What a GPU can't run, the processor can.
      if (accelerator === "wasm") throw error;
      model = await compile(bytes, "wasm");
    }
  }
  compiled.set(key, model); // The last one is the newest.
  return model;
}

function compile(bytes, accelerator) {
  return litert.loadAndCompile(bytes, { accelerator, cpuOptions: { numThreads: threads } });
}

// A file with the shapes of one size: each number is ratio * side + offset.
function sized({ bytes, sizes }, width, height) {
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  for (const [side, rules] of [[height, sizes.height], [width, sizes.width]]) {
    for (const [place, ratio, offset] of rules) {
      view.setInt32(place, Math.round(ratio * side + offset), true);
    }
  }
  return copy;
}

// The vector of a painting, which is seen with a short side of 304 pixels.
async function encode({ rgba, width, height }) {
  encoder ??= await loaded("encoder.tflite", "encoder-sizes.json");
  const scale = SEEN / Math.min(width, height) / MULTIPLE;
  const [wide, high] = [width, height].map(
    (side) => Math.min(LONGEST, MULTIPLE * Math.round(scale * side)));
  const pixels = new Float32Array(3 * width * height);
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    for (let channel = 0; channel < 3; channel += 1, to += 1) {
      pixels[to] = rgba[from + channel] / 255;
    }
  }
  const small = clipped(resized(pixels, [width, height], [wide, high]));
  const model = await compile(sized(encoder, wide, high), "wasm");
  const image = new litert.Tensor(small, [1, high, wide, 3]);
  try {
    const [{ name }] = model.getInputDetails();
    const [output] = Object.values(await model.run({ [name]: image }));
    const vector = (await output.data()).slice();
    output.delete();
    return { vector };
  } finally {
    image.delete();
    model.delete();
  }
}

// Resize lines of pixels by Lanczos' filter of 3 lobes, and lay the lines as columns:
// [count, length, 3] becomes [wanted, count, 3].
function along(pixels, length, count, wanted) {
  if (length === wanted) return turned(pixels, length, count);
  const found = new Float32Array(3 * count * wanted);
  const ratio = length / wanted, stretch = Math.max(ratio, 1);
  for (let place = 0; place < wanted; place += 1) {
    const center = (place + 0.5) * ratio, reach = 3 * stretch;
    const first = Math.max(0, Math.trunc(center - reach + 0.5));
    const last = Math.min(length, Math.trunc(center + reach + 0.5));
    const shares = [];
    for (let at = first; at < last; at += 1) shares.push(lanczos((at - center + 0.5) / stretch));
    const whole = shares.reduce((sum, share) => sum + share, 0);
    for (let line = 0; line < count; line += 1) {
      const to = 3 * (place * count + line);
      for (let at = first; at < last; at += 1) {
        const from = 3 * (line * length + at), share = shares[at - first] / whole;
        found[to] += share * pixels[from];
        found[to + 1] += share * pixels[from + 1];
        found[to + 2] += share * pixels[from + 2];
      }
    }
  }
  return found;
}

function turned(pixels, length, count) {
  const found = new Float32Array(pixels.length);
  for (let line = 0; line < count; line += 1) {
    for (let at = 0; at < length; at += 1) {
      found.set(pixels.subarray(3 * (line * length + at), 3 * (line * length + at + 1)),
        3 * (at * count + line));
    }
  }
  return found;
}

function lanczos(x) {
  if (Math.abs(x) >= 3) return 0;
  const sinc = (y) => (y ? Math.sin(Math.PI * y) / (Math.PI * y) : 1);
  return sinc(x) * sinc(x / 3);
}

async function paint({ rgba, width, height, weights, keepColors, clip }) {
  const photo = new Float32Array(3 * width * height);
  for (let from = 0, to = 0; to < photo.length; from += 4, to += 3) {
    photo[to] = rgba[from] / 255;
    photo[to + 1] = rgba[from + 1] / 255;
    photo[to + 2] = rgba[from + 2] / 255;
  }
  const picture = clip
    ? await frame(photo, width, height, weights, shareOf({ rgba, width, height, weights, clip }))
    : await drafted(photo, width, height, weights);
  const painted = new Uint8ClampedArray(4 * width * height); // Rounds and clips.
  for (let from = 0, to = 0; from < photo.length; from += 3, to += 4) {
    let [red, green, blue] = [picture[from], picture[from + 1], picture[from + 2]];
    if (keepColors) { // The photograph's colours with the painting's luminance.
      const [r, g, b] = [photo[from], photo[from + 1], photo[from + 2]];
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
  return { rgba: painted };
}

// The next frame of a clip, whose statistics keep so much of the last ones.
async function frame(photo, width, height, weights, share) {
  const [pixels, wide, high] = padded(photo, width, height);
  framer ??= await loaded("frames.tflite", "frames-sizes.json");
  const model = await modelFor(framer, wide, high);
  const { shape } = model.getInputDetails().find(({ name }) => kind(name) === "statistics");
  const found = await run(model, {
    image: [pixels, [1, high, wide, 3]],
    style: [weights, [1, weights.length]],
    statistics: [statistics(share, shape.at(-1)), [...shape]],
  });
  const own = found.find((numbers) => numbers.length !== pixels.length);
  if (last.mean) last.mean = own.map((value, at) => value + share * (last.mean[at] - value));
  else last.mean = own;
  return cropped(found.find((numbers) => numbers.length === pixels.length), wide, width, height);
}

// One pass of the network.
async function pass(photo, width, height, weights) {
  const [pixels, wide, high] = padded(photo, width, height);
  const model = await modelFor(painter, wide, high);
  const alone = model.getInputDetails().length === 1; // Of one style: it takes no weights.
  const [found] = await run(model, {
    image: [pixels, [1, high, wide, 3]], style: [weights, [1, weights.length]],
  });
  const picture = cropped(found, wide, width, height);
  if (!alone) return clipped(picture);
  return clipped(picture.map((value, at) => value + weights[0] * (photo[at] - value)));
}

// [height, width, 3] with sides that are multiples of 4, and these; mirrored at the border.
function padded(photo, width, height) {
  const wide = width + (-width & (MULTIPLE - 1)), high = height + (-height & (MULTIPLE - 1));
  if (wide === width && high === height) return [photo, wide, high];
  const pixels = new Float32Array(3 * wide * high);
  for (let y = 0, to = 0; y < high; y += 1) {
    const row = (y < height ? y : 2 * height - 2 - y) * width;
    for (let x = 0; x < wide; x += 1, to += 3) {
      const from = 3 * (row + (x < width ? x : 2 * width - 2 - x));
      pixels[to] = photo[from];
      pixels[to + 1] = photo[from + 1];
      pixels[to + 2] = photo[from + 2];
    }
  }
  return [pixels, wide, high];
}

function cropped(picture, wide, width, height) {
  if (wide === width) return picture.subarray(0, 3 * width * height);
  const found = new Float32Array(3 * width * height);
  for (let y = 0; y < height; y += 1) {
    found.set(picture.subarray(3 * y * wide, 3 * (y * wide + width)), 3 * y * width);
  }
  return found;
}

const clipped = (numbers) => numbers.map((value) => Math.min(Math.max(value, 0), 1));

// Large pictures: nst_export/runtime/drafts.py says what follows, and why.

const DRAFT = 512, DRAFT_STEP = 3, DRAFT_NEAR = 1.5;

async function drafted(photo, width, height, weights) {
  const share = Math.min(Math.max(weights[0], 0), 1);
  const steps = [[width, height]], photos = [photo];
  for (const size of draftSizes(width, height).reverse()) {
    photos.unshift(clipped(resized(photos[0], steps[0], size)));
    steps.unshift(size);
  }
  let picture = await pass(photos[0], ...steps[0], weights);
  for (let at = 1; at < steps.length; at += 1) {
    const small = steps[at - 1], size = steps[at], own = photos[at];
    let start = resized(picture, small, size);
    if (share) {
      const below = resized(photos[at - 1], small, size);
      start = start.map((value, one) => value + share * (own[one] - below[one]));
    }
    const revised = await pass(clipped(start), ...size, weights);
    const seen = clipped(resized(revised, size, small));
    const lack = resized(picture.map((value, one) => value - seen[one]), small, size);
    picture = clipped(revised.map((value, one) => value + lack[one]));
  }
  return picture;
}

function draftSizes(width, height) {
  const short = Math.min(width, height), ratio = short / DRAFT, found = [];
  const count = ratio > DRAFT_NEAR ? Math.ceil(Math.log(ratio) / Math.log(DRAFT_STEP)) : 0;
  for (let index = 0; index < count; index += 1) {
    const scale = toEven(DRAFT * ratio ** (index / count)) / short;
    found.push([width, height].map((length) => Math.max(1, toEven(length * scale))));
  }
  return found;
}

// The nearest whole number, of two the even one, as Python rounds.
function toEven(value) {
  const near = Math.round(value);
  return value % 1 === 0.5 && near % 2 ? near - 1 : near;
}

const resized = (pixels, [width, height], [wide, high]) =>
  along(along(pixels, width, height, wide), height, wide, high);

const kind = (name) => ["image", "style", "statistics"].find((one) => name.includes(one));

// The outputs of a model, given { kind of input: [numbers, shape] }.
async function run(model, given) {
  const details = model.getInputDetails(), inputs = {};
  for (const { name, shape } of details) {
    const [numbers, wanted] = given[kind(name) ?? (shape.length === 4 ? "image" : "style")];
    const typed = numbers instanceof Float32Array ? numbers : Float32Array.from(numbers);
    inputs[name] = new litert.Tensor(typed, wanted);
  }
  try {
    const found = [];
    for (const output of Object.values(await model.run(inputs))) {
      found.push((await output.data()).slice());
      output.delete();
    }
    return found;
  } finally {
    for (const tensor of Object.values(inputs)) tensor.delete();
  }
}

// Clips: nst_tf/video/statistics.py and cuts.py say what follows, and why.

// Look at the next frame; return how much of the mean of the last ones it is to keep.
function shareOf({ rgba, width, height, weights, clip }) {
  const seen = look(rgba, width, height), style = weights.join();
  const same = last.clip === clip.name && last.style === style && !isCut(last.seen, seen);
  const mean = same ? last.mean : null;
  let share = 0, behind = 0;
  if (mean) {
    behind = last.behind + exposure(last.seen, seen);
    const passed = Math.max(0, clip.seconds - last.seconds) / MEMORY;
    share = Math.exp(-passed - Math.abs(behind) / EXPOSURE);
  }
  behind *= share;
  last = { clip: clip.name, style, seen, seconds: clip.seconds, mean, behind };
  return share;
}

// [mean, variance, share] of every channel.
function statistics(share, channels) {
  const found = new Float32Array(3 * channels);
  if (last.mean) {
    found.set(last.mean);
    found.fill(share, 2 * channels);
  }
  return found;
}

const EXPOSURE = 0.02, DARK = 0.05;

// How much brighter the next frame is, as far as three quarters of its fields agree.
function exposure(was, is) {
  const changes = is.fields.map(
    (value, at) => Math.log((value + DARK) / (was.fields[at] + DARK)));
  changes.sort((one, other) => one - other);
  const quarter = Math.floor(changes.length / 4);
  return Math.max(changes[quarter], 0) + Math.min(changes.at(-1 - quarter), 0);
}

const STEP = 8, BINS = 6, ROWS = 9, COLUMNS = 16, COLORS = 0.3, ALIKE = 0.5;

function look(rgba, width, height) {
  let down = Math.min(STEP, height), right = Math.min(STEP, width);
  if (Math.min(Math.ceil(height / down), Math.ceil(width / right)) < ROWS) down = right = 1;
  const lines = Math.ceil(height / down), places = Math.ceil(width / right);
  const colors = new Float64Array(BINS ** 3), light = [];
  for (let line = 0; line < lines; line += 1) {
    for (let place = 0; place < places; place += 1) {
      const from = 4 * (line * down * width + place * right);
      const rgb = [0, 1, 2].map((channel) => rgba[from + channel] / 255);
      const [r, g, b] = rgb.map((value) => Math.min(Math.trunc(value * BINS), BINS - 1));
      colors[(r * BINS + g) * BINS + b] += 1 / (lines * places);
      light.push((rgb[0] + rgb[1] + rgb[2]) / 3);
    }
  }
  const rows = parts(lines, ROWS), columns = parts(places, COLUMNS), fields = [];
  for (const [top, bottom] of rows) {
    for (const [start, stop] of columns) {
      let sum = 0;
      for (let line = top; line < bottom; line += 1) {
        for (let place = start; place < stop; place += 1) sum += light[line * places + place];
      }
      fields.push(sum / ((bottom - top) * (stop - start)));
    }
  }
  return { colors, fields, shape: `${rows.length}x${columns.length}` };
}

// Where the parts of a line begin and end, the first ones longer by one where need be.
function parts(length, wanted) {
  const count = Math.min(wanted, length), each = Math.floor(length / count);
  const longer = length % count, found = [];
  for (let at = 0, part = 0; part < count; part += 1) {
    const stop = at + each + (part < longer ? 1 : 0);
    found.push([at, stop]);
    at = stop;
  }
  return found;
}

function isCut(was, is) {
  if (was.shape !== is.shape) return true;
  const changed = was.colors.reduce(
    (sum, share, bin) => sum + Math.abs(share - is.colors[bin]), 0) / 2;
  return changed > COLORS && correlation(was.fields, is.fields) < ALIKE;
}

function correlation(one, other) {
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [first, second] = [mean(one), mean(other)];
  let product = 0, own = 0, its = 0;
  one.forEach((value, at) => {
    product += (value - first) * (other[at] - second);
    own += (value - first) ** 2;
    its += (other[at] - second) ** 2;
  });
  const scale = Math.sqrt(own * its);
  return scale > 1e-6 ? product / scale : 0;
}
