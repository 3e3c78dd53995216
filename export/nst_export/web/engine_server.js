// Paints on the server that this page came from.

export async function open() {
  const found = await (await ask("styles")).json();
  // A style that several models have is painted by the first, unless it is mixed.
  const all = found.models.flatMap((model) =>
    model.styles.map((style) => ({ ...style, model: model.name })));
  const same = (style) => all.filter(({ name }) => name === style.name);
  const styles = all.filter((style) => same(style)[0] === style).map((style) => ({
    ...style, models: same(style).map(({ model }) => model),
  }));
  const model = found.models.find((one) => one.paintings)?.name;
  // Make a painting one more style; it goes to the server with every photograph.
  const bring = async ({ blob, name }) => {
    brought.set(name, blob);
    return { name, model };
  };
  return {
    bring: model ? bring : null,
    styles,
    maxSize: found.limits.max_size,
    where: "painted by this server",
    paint,
  };
}

const brought = new Map(); // Paintings by the names of their styles.

// photo: { canvas } and, where there is one, its file as { blob }.
async function paint(photo, { model, mix, strength, keepColors, size, clip }) {
  const form = new FormData();
  const blob = photo.blob
    ?? await new Promise((done) => photo.canvas.toBlob(done, "image/jpeg", 0.92));
  form.set("image", blob);
  form.set("model", model);
  const shares = Object.entries(mix).map(([name, share]) => {
    const own = brought.get(name);
    if (own) form.set("painting", own);
    return `${own ? "painting" : name}=${share}`;
  });
  form.set("mix", shares.join(","));
  form.set("strength", strength);
  form.set("size", size);
  if (keepColors) form.set("keep_colors", "true");
  if (clip) form.set("clip", clip.name);
  const answer = await (await ask("stylize", { method: "POST", body: form })).blob();
  return { image: await createImageBitmap(answer), blob: answer };
}

async function ask(path, options) {
  for (let tries = 0; ; tries += 1) {
    let answer;
    try {
      answer = await fetch(path, options);
    } catch {
      throw new Error("the server can't be reached");
    }
    if (answer.ok) return answer;
    if (answer.status === 503 && tries < 4) { // Busy: it says when to come again.
      const seconds = Math.min(5, Number(answer.headers.get("Retry-After")) || 1);
      await new Promise((done) => setTimeout(done, 1000 * seconds));
      continue;
    }
    const said = await answer.json().catch(() => null);
    throw new Error(said?.error ?? `the server answered ${answer.status}`);
  }
}
