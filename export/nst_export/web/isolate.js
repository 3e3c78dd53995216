// A service worker that isolates the page, which threads of WebAssembly ask for, where the
// server sends no such headers. It keeps nothing.

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  if (new URL(event.request.url).origin !== self.location.origin) return;
  event.respondWith(isolated(event.request));
});

async function isolated(request) {
  const answer = await fetch(request);
  if (answer.type === "opaqueredirect") return answer;
  const headers = new Headers(answer.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  const { status, statusText } = answer;
  const body = [204, 205, 304].includes(status) ? null : answer.body;
  return new Response(body, { status, statusText, headers });
}
