// The page: a photograph or the camera, styles, sliders, the painting.
// engine.js does the work, on the server or in this browser.
import { open } from "./engine.js";

const THUMBNAIL = 192; // Long side of a style's picture of the photograph.
const LIVE = 256; // Long side of a camera frame.
const find = (id) => document.getElementById(id);
const after = find("after"), before = find("before"), video = find("video");

let engine; // What open() gives.
let photo = null; // { bitmap, blob, name }
let live = null; // The camera's stream.
let starting = false; // Whether the camera is asked for.
let round = 0; // Counts photographs, so that late thumbnails of an old one are dropped.
let painting = false, wanted = false; // One painting at a time, then the newest wish.
let address = null; // Of the painting, for the download.
let shown = null, lost = null; // The error that is shown, and the last one of painting.

start();

async function start() {
  find("late").remove();
  for (const button of document.querySelectorAll("[data-do]")) {
    button.addEventListener("click", () => attempt(actions[button.dataset.do]));
  }
  try {
    engine = await open(progress);
  } catch (error) {
    progress("");
    return show(error);
  }
  progress("");
  find("where").textContent = engine.where;
  fillSizes();
  fillStyles();
  listen();
  document.body.dataset.ready = "yes";
}

const actions = {
  choose: () => find("file").click(),
  bring: () => find("own").click(),
  example: async () => use(await (await fetch("scene.jpg")).blob(), "scene.jpg"),
  camera: startCamera,
  stop: stopCamera,
  shoot: takePicture,
};

function listen() {
  const frame = find("frame"), file = find("file");
  file.addEventListener("change", () => {
    if (file.files[0]) attempt(() => use(file.files[0], file.files[0].name));
    file.value = "";
  });
  const own = find("own");
  own.addEventListener("change", () => {
    if (own.files[0]) attempt(() => bring(own.files[0], own.files[0].name));
    own.value = "";
  });
  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      frame.classList.toggle("drag", kind === "dragover");
      const dropped = kind === "drop" && event.dataTransfer.files[0];
      if (dropped) attempt(() => use(dropped, dropped.name));
    });
  }
  document.addEventListener("paste", (event) => {
    const pasted = event.clipboardData.files[0];
    if (pasted) attempt(() => use(pasted, pasted.name));
  });
  find("split").addEventListener("input", split);
  find("strength").addEventListener("input", changed);
  find("share").addEventListener("input", changed);
  find("keep").addEventListener("change", changed);
  find("size").addEventListener("change", changed);
  find("second").addEventListener("change", changed);
}

// Styles.

function fillStyles() {
  engine.styles.forEach(addStyle);
  find("bring").hidden = !engine.bring;
  if (engine.styles.length) offerSecond();
}

// Show a style among the others; return its radio button and its picture.
function addStyle(style, index) {
  const label = document.createElement("label");
  label.className = "style";
  const radio = Object.assign(document.createElement("input"), {
    type: "radio", name: "style", value: String(index), checked: index === 0,
  });
  const canvas = document.createElement("canvas");
  canvas.setAttribute("aria-hidden", "true");
  const name = document.createElement("b"), credit = document.createElement("small");
  name.textContent = title(style.name);
  credit.textContent = style.credit.split(",")[0]; // The painter; all on hovering.
  label.title = style.credit;
  label.append(radio, canvas, name, credit);
  find("styles").append(label);
  radio.addEventListener("change", () => { offerSecond(); changed(); });
  if (style.thumbnail) picture(style.thumbnail, canvas);
  return { radio, canvas };
}

// Make a painting of the user's own a style.
async function bring(blob, file) {
  const bitmap = await decoded(blob, file);
  progress("Looking at the painting");
  try {
    const stem = file.replace(/\.[^.]*$/, "").replace(/[=,\s]+/g, " ").trim() || "painting";
    const taken = (one) => engine.styles.some((style) => style.name === one);
    let name = stem;
    for (let number = 2; taken(name); number += 1) name = `${stem} ${number}`;
    const canvas = reduced(bitmap, Math.max(bitmap.width, bitmap.height));
    const found = await engine.bring({ blob, canvas, name });
    const style = { credit: "Your own painting", own: true, ...found };
    engine.styles.push(style);
    const card = addStyle(style, engine.styles.length - 1);
    draw(card.canvas, reduced(bitmap, THUMBNAIL), 96, Math.round(96 * bitmap.height / bitmap.width));
    card.radio.checked = true;
    card.radio.focus();
    offerSecond();
    changed();
    if (photo) thumbnail(round, style, card.canvas, reduced(photo.bitmap, THUMBNAIL));
  } finally {
    bitmap.close();
    progress("");
  }
}

function offerSecond() {
  const chosen = style(), second = find("second"), kept = second.value;
  second.replaceChildren(new Option("nothing", ""));
  engine.styles.forEach((other, index) => {
    // A server takes one painting with a photograph.
    const both = other.own && chosen.own;
    if (other !== chosen && common(other, chosen) !== undefined && !both) {
      second.add(new Option(title(other.name), String(index), false, String(index) === kept));
    }
  });
}

function picture(url, canvas) {
  const image = new Image();
  image.onload = () => draw(canvas, image, image.naturalWidth, image.naturalHeight);
  image.src = url;
}

const style = () => engine.styles[document.querySelector("[name=style]:checked").value];
const title = (name) => {
  // Numbers of works are Roman: composition_vii is Composition VII.
  const text = name.replaceAll("_", " ")
    .replace(/ x{0,3}(ix|iv|v?i{0,3})$/, (number) => number.toUpperCase());
  return text[0].toUpperCase() + text.slice(1);
};

function fillSizes() {
  const size = find("size"), sizes = [256, 384, 512, 768, 1024, 1536, 2048];
  const most = engine.maxSize;
  for (const side of [...sizes.filter((one) => one < most), most]) {
    size.add(new Option(`${side} pixels`, side, false, side === Math.min(512, most)));
  }
}

// What the controls say.

function options() {
  const chosen = style(), second = engine.styles[find("second").value];
  const share = find("share").value / 100;
  const mix = second
    ? { [chosen.name]: 1 - share, [second.name]: share } : { [chosen.name]: 1 };
  return {
    model: second ? common(chosen, second) : chosen.model,
    mix,
    strength: find("strength").value / 100,
    keepColors: find("keep").checked,
    size: Number(find("size").value),
  };
}

// The model that paints both styles, if there is one; alone in the browser there is.
function common(one, other) {
  const models = (style) => style.models ?? [style.model ?? ""];
  return models(one).find((name) => models(other).includes(name));
}

function changed() {
  clear();
  const second = engine.styles[find("second").value];
  find("share-row").hidden = !second;
  if (second) {
    find("share-names").textContent = `Share of ${title(second.name)}`;
    find("share-shown").value = `${find("share").value} %`;
  }
  find("strength-shown").value = `${find("strength").value} %`;
  repaint();
}

// A photograph.

async function decoded(blob, name) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob);
  } catch {
    throw new Error(`${name} is not an image that this browser can read`);
  }
  if (Math.min(bitmap.width, bitmap.height) < 16) {
    throw new Error(`${name} has ${bitmap.width}x${bitmap.height} pixels; each side needs 16`);
  }
  return bitmap;
}

async function use(blob, name) {
  const bitmap = await decoded(blob, name);
  stopCamera();
  withdraw();
  photo?.bitmap.close();
  photo = { bitmap, blob, name };
  round += 1;
  reveal();
  // The photograph holds the place of its painting, so that nothing moves later.
  const first = reduced(bitmap, Number(find("size").value));
  find("picture").style.setProperty("--ratio", first.width / first.height);
  draw(after, first, first.width, first.height);
  draw(before, first, first.width, first.height);
  find("split").value = 0;
  split();
  repaint();
  thumbnails(round);
}

async function thumbnails(mine) {
  const small = reduced(photo.bitmap, THUMBNAIL);
  const cards = document.querySelectorAll(".style canvas");
  for (const [index, one] of [...engine.styles.entries()]) {
    if (!await thumbnail(mine, one, cards[index], small)) return;
  }
  document.body.dataset.thumbnails = String(mine);
}

// Show a style on the photograph; return whether that is still wanted.
async function thumbnail(mine, one, canvas, small) {
  if (mine !== round) return false;
  const wish = { model: one.model, mix: { [one.name]: 1 }, strength: 1, size: THUMBNAIL };
  try {
    const { image } = await engine.paint({ canvas: small }, wish);
    if (mine === round) draw(canvas, image, image.width, image.height);
    image.close();
    return mine === round;
  } catch (error) {
    lose(error);
    return false;
  }
}

async function repaint() {
  if (!photo || live || !engine.styles.length) return;
  wanted = true;
  if (painting) return;
  painting = true;
  while (wanted && !live) {
    wanted = false;
    progress("Painting");
    const mine = round, wish = options();
    try {
      const start = performance.now();
      const done = await engine.paint(source(photo, wish.size), wish);
      if (mine === round && !live) {
        present(done, `${done.image.width} × ${done.image.height}, `
          + `${((performance.now() - start) / 1000).toFixed(1)} s`);
      } else {
        done.image.close();
      }
    } catch (error) {
      lose(error);
    }
  }
  painting = false;
  progress("");
}

function source(one, size) {
  return { blob: one.blob, canvas: reduced(one.bitmap, size) };
}

function present(done, figures) {
  const { width, height } = done.image;
  draw(after, done.image, width, height);
  find("picture").style.setProperty("--ratio", width / height);
  done.image.close();
  draw(before, live ? done.frame : photo.bitmap, width, height);
  withdraw();
  find("figures").textContent = figures;
  const mine = round;
  if (done.blob) offer(done.blob);
  else if (!live) after.toBlob((blob) => { if (blob && mine === round) offer(blob); }, "image/png");
  if (shown === lost) clear();
  after.dataset.painted = String(Number(after.dataset.painted || 0) + 1);
}

// Take back the download and what is said of the painting.
function withdraw() {
  if (address) URL.revokeObjectURL(address);
  address = null;
  find("download").removeAttribute("href");
  find("figures").textContent = "";
}

function offer(blob) {
  const link = find("download");
  if (address) URL.revokeObjectURL(address);
  address = URL.createObjectURL(blob);
  link.href = address;
  const stem = photo.name.replace(/\.[^.]*$/, ""), kind = blob.type.split("/")[1];
  link.download = `${stem}-${style().name}.${kind === "jpeg" ? "jpg" : kind}`;
}

// The camera.

async function startCamera() {
  if (!engine.styles.length) throw new Error("bring a painting first");
  if (!navigator.mediaDevices) {
    throw new Error("the camera needs https, or localhost");
  }
  if (starting) return; // Else the first of two streams would never be stopped.
  stopCamera();
  starting = true;
  try {
    live = await navigator.mediaDevices.getUserMedia({
      video: { facingMode: "environment", width: { ideal: 640 } },
    });
  } catch (error) {
    throw new Error(`there is no camera that may be used: ${error.message}`);
  } finally {
    starting = false;
  }
  live.getVideoTracks()[0].onended = () => { // Unplugged, or no longer allowed.
    stopCamera();
    show(new Error("the camera has ended"));
  };
  round += 1;
  video.srcObject = live;
  await video.play();
  reveal();
  loop(live);
}

async function loop(stream) {
  let shown = performance.now(), rate = 0;
  const name = crypto.randomUUID();
  while (live === stream) {
    const frame = reduced(video, LIVE, video.videoWidth, video.videoHeight);
    const clip = { name, seconds: performance.now() / 1000 };
    try {
      const done = await engine.paint({ canvas: frame }, { ...options(), size: LIVE, clip });
      if (live !== stream) return done.image.close();
      const now = performance.now(), speed = 1000 / (now - shown);
      rate = rate ? 0.8 * rate + 0.2 * speed : speed;
      shown = now;
      present({ image: done.image, frame }, `${rate.toFixed(1)} frames a second`);
    } catch (error) {
      stopCamera();
      return show(error);
    }
    await new Promise(requestAnimationFrame);
  }
}

function stopCamera() {
  if (!live) return;
  for (const track of live.getTracks()) track.stop();
  live = null;
  video.srcObject = null;
  reveal();
  repaint();
}

async function takePicture() {
  const full = reduced(video, 1 << 14, video.videoWidth, video.videoHeight);
  const blob = await new Promise((done) => full.toBlob(done, "image/png"));
  await use(blob, "camera.png");
}

// Drawing and saying.

function reduced(image, size, width = image.width, height = image.height) {
  const ratio = Math.min(1, size / Math.max(width, height));
  const canvas = document.createElement("canvas");
  draw(canvas, image, Math.max(16, Math.round(width * ratio)), Math.max(16, Math.round(height * ratio)));
  return canvas;
}

function draw(canvas, image, width, height) {
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, width, height);
}

function reveal() {
  const none = !photo && !live;
  find("welcome").hidden = !none;
  find("picture").hidden = none;
  find("actions").hidden = none;
  find("download").hidden = Boolean(live);
  for (const name of ["shoot", "stop"]) {
    document.querySelector(`#actions [data-do=${name}]`).hidden = !live;
  }
}

function split() {
  find("picture").style.setProperty("--split", `${find("split").value}%`);
}

async function attempt(action) {
  clear();
  try {
    await action();
  } catch (error) {
    show(error);
  }
}

function progress(text) {
  find("busy").hidden = !text;
  find("busy").textContent = text;
}

// Show why there is no painting, until there is one.
function lose(error) {
  lost = error;
  show(error);
}

function show(error) {
  shown = error;
  find("error").textContent = error.message;
  find("error").hidden = false;
}

function clear() {
  find("error").hidden = true;
}
