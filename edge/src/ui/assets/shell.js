// Keeps what the pages are made of, so that a reload without the box says so. Only where browsers allow it (HTTPS).

navigator.serviceWorker?.register("/sw.js").catch(() => {});
