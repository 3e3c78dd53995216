// A service worker that isolates the page, which threads of WebAssembly ask for, where the
// server sends no such headers. It keeps nothing, and leaves other pages below its folder alone.

const OWN = /^(|index\.html|worker\.js|litert\/.*)$/;
const folder = new URL("./", self.location).href;

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  const [address] = event.request.url.split(/[?#]/);
  if (!address.startsWith(folder) || !OWN.test(address.slice(folder.length))) return;
  event.respondWith(isolated(event.request));
});

async function isolated(request) {
  const answer = await fetch(request);
  if (!answer.ok) return answer;
  const headers = new Headers(answer.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  const { status, statusText } = answer;
  return new Response(answer.body, { status, statusText, headers });
}
