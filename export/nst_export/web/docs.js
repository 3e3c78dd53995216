// Shows openapi.json.
const api = await (await fetch("openapi.json")).json();
const find = (id) => document.getElementById(id);
// A part of the document, or what stands among its components under that name.
const part = (one) => (one?.$ref ? api.components.schemas[one.$ref.split("/").pop()] : one);

function element(tag, text, ...children) {
  const made = document.createElement(tag);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

function table(head, rows) {
  const top = element("tr", "", ...head.map((text) => element("th", text)));
  const body = rows.map((row) => element("tr", "", ...row.map((text) => element("td", text))));
  return element("table", "", top, ...body);
}

function values(given = {}) {
  const schema = part(given);
  if (schema.enum) return schema.enum.join(", ");
  if ("minimum" in schema) return `${schema.type} ${schema.minimum}..${schema.maximum}`;
  return schema.format ?? schema.type ?? "";
}

find("version").textContent = api.info.version;
find("about").textContent = api.info.description;
find("example").textContent =
  `curl -f -F image=@photo.jpg -F style=NAME ${new URL("stylize", location)} -o painting.jpg`;

for (const [path, verbs] of Object.entries(api.paths)) {
  for (const [verb, operation] of Object.entries(verbs)) {
    const head = element("summary", "", element("span", verb.toUpperCase()), ` ${path} `);
    head.firstChild.className = "verb";
    const inside = element("div", "", element("p", operation.summary));
    if (operation.description) inside.append(element("p", operation.description));
    if (operation.parameters) {
      inside.append(table(["parameter", "in", "values", ""], operation.parameters.map(
        (one) => [one.name, one.in, values(one.schema), one.description ?? ""])));
    }
    for (const [kind, content] of Object.entries(operation.requestBody?.content ?? {})) {
      const schema = part(content.schema);
      inside.append(element("p", `Body: ${kind}`));
      if (kind === "application/json") {
        inside.append(element("pre", JSON.stringify(schema, null, 1)));
      } else if (schema.properties) {
        inside.append(table(["field", "values", ""], Object.entries(schema.properties).map(
          ([name, one]) => [name, values(one), part(one).description ?? ""])));
      }
    }
    inside.append(table(["status", "answer", "type"], Object.entries(operation.responses).map(
      ([status, one]) => [status, one.description, Object.keys(one.content ?? {}).join(", ")])));
    find("paths").append(element("details", "", head, inside));
  }
}
