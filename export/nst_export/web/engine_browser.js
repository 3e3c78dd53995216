// Paints in this browser with LiteRT.js; no picture leaves it.

export async function open(progress) {
  progress("Loading the model");
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
  const { accelerator } = await ask({ kind: "open", accelerator: wanted });
  const names = model.styles.map((style) => style.name);

  async function paint({ canvas }, { mix, strength, keepColors }) {
    const context = canvas.getContext("2d");
    const photo = context.getImageData(0, 0, canvas.width, canvas.height);
    const total = Object.values(mix).reduce((sum, share) => sum + share, 0);
    const weights = [1 - strength, ...names.map((name) => strength * (mix[name] ?? 0) / total)];
    const { width, height } = photo;
    const done = await ask(
      { kind: "paint", rgba: photo.data, width, height, weights, keepColors },
      [photo.data.buffer]);
    return { image: await createImageBitmap(new ImageData(done.rgba, width, height)) };
  }

  return {
    styles: model.styles,
    maxSize: model.maxSize,
    where: `in this browser (${accelerator === "webgpu" ? "WebGPU" : "WebAssembly"});`
      + " no picture leaves it",
    paint,
  };
}
