// Paints in this browser with LiteRT.js; no picture leaves it.

export async function open(progress) {
  progress("Loading the model");
  await isolate();
  const model = await (await fetch("model.json")).json();
  const worker = new Worker("worker.js");
  const waiting = new Map();
  let count = 0;
  worker.onmessage = ({ data }) => {
    const { resolve, reject } = waiting.get(data.id);
    waiting.delete(data.id);
    if (data.error) reject(new Error(data.error));
    else resolve(data);
  };
  worker.onerror = (event) => {
    for (const { reject } of waiting.values()) {
      reject(new Error(event.message || "the page's worker can't be loaded"));
    }
    waiting.clear();
  };
  const ask = (message, transfer = []) => new Promise((resolve, reject) => {
    waiting.set(count, { resolve, reject });
    worker.postMessage({ ...message, id: count }, transfer);
    count += 1;
  });
  const wanted = new URLSearchParams(location.search).get("accelerator");
  const { accelerator, threads } = await ask({ kind: "open", accelerator: wanted });
  const rows = model.rows?.map(numbers); // Of a model for any painting.
  const names = model.styles.map((style) => style.name);

  async function paint({ canvas }, { mix, strength, keepColors, clip }) {
    const context = canvas.getContext("2d");
    const photo = context.getImageData(0, 0, canvas.width, canvas.height);
    const total = Object.values(mix).reduce((sum, share) => sum + share, 0);
    const shares = [1 - strength, ...names.map((name) => strength * (mix[name] ?? 0) / total)];
    const weights = rows ? sums(rows, shares) : shares;
    const { width, height } = photo;
    const done = await ask(
      { kind: "paint", rgba: photo.data, width, height, weights, keepColors,
        clip: model.frames && clip },
      [photo.data.buffer]);
    return { image: await createImageBitmap(new ImageData(done.rgba, width, height)) };
  }

  // Make a painting one more style.
  async function bring({ canvas, name }) {
    const context = canvas.getContext("2d");
    const { data, width, height } = context.getImageData(0, 0, canvas.width, canvas.height);
    const { vector } = await ask({ kind: "encode", rgba: data, width, height }, [data.buffer]);
    names.push(name);
    rows.push(Float32Array.of(0, ...vector));
    return { name };
  }

  return {
    bring: rows ? bring : null,
    styles: model.styles,
    maxSize: model.maxSize,
    where: `in this browser (${kind(accelerator, threads)}); no picture leaves it`,
    paint,
  };
}

const PATIENCE = 2000; // Milliseconds after which the page goes on as it is.

// Have the page isolated by a service worker, after which it is loaded once more: painting
// takes several threads then. Where that can't be, it takes one.
async function isolate() {
  if (self.crossOriginIsolated || !navigator.serviceWorker) return;
  try {
    if (sessionStorage.getItem("isolated")) return; // Tried, in vain.
    sessionStorage.setItem("isolated", "tried");
    await navigator.serviceWorker.register("isolate.js");
    const late = new Promise((resolve) => setTimeout(resolve, PATIENCE));
    if (!await Promise.race([navigator.serviceWorker.ready, late])) return;
  } catch {
    return; // Private windows, policies.
  }
  location.reload();
  await new Promise(() => {});
}

function kind(accelerator, threads) {
  if (accelerator === "webgpu") return "WebGPU";
  return threads > 1 ? `WebAssembly, ${threads} threads` : "WebAssembly";
}

function numbers(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

function sums(rows, shares) {
  const found = new Float32Array(rows[0].length);
  rows.forEach((row, index) => {
    for (let at = 0; at < found.length; at += 1) found[at] += shares[index] * row[at];
  });
  return found;
}
