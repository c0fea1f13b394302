// The shell: what pages are made of, and the page that says that the box is out of reach. Answers of the box are never kept.
// The box writes its version and files in place of the two names below; a new version is a new cache.

const CACHE = "hadir-VERSION";
const FILES = "FILES".split(" ");
const OFFLINE = "/assets/offline.html";
const PATIENCE_MS = 6000;

addEventListener("install", (event) => {
  const fill = async () => (await caches.open(CACHE)).addAll(FILES.map((file) => new Request(file, { cache: "reload" })));
  event.waitUntil(fill().then(() => skipWaiting()));
});

addEventListener("activate", (event) => {
  const clear = async () => Promise.all((await caches.keys()).filter((name) => name !== CACHE).map((name) => caches.delete(name)));
  event.waitUntil(clear().then(() => clients.claim()));
});

addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== location.origin) return;
  if (request.mode === "navigate") event.respondWith(first(request, OFFLINE));
  else if (pathname.startsWith("/assets/")) event.respondWith(first(request, pathname));
});

/** What the box says; what was kept when it says nothing. */
async function first(request, kept) {
  try {
    return await fetch(request, { signal: AbortSignal.timeout(PATIENCE_MS) });
  } catch {
    return (await caches.match(kept)) ?? Response.error();
  }
}
