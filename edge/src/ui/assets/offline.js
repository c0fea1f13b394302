// Asks until the box answers, and then shows the page that was wanted.

import { apply } from "./language.js";
import { $, sleep, stayAwake } from "./page.js";

async function answers() {
  try {
    return (await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(3000) })).ok;
  } catch {
    return false;
  }
}

async function look() {
  if (await answers()) location.reload();
}

apply();
stayAwake();
$("again").addEventListener("click", look);
addEventListener("online", look);
for (let tries = 1; ; tries++) {
  await look();
  $("tries").textContent = `(${tries})`;
  await sleep(2000);
}
