// Keeps the status page true: the same page is fetched again, and its middle put in place.

import { authorised, Unreachable } from "./api.js";
import { apply, t } from "./language.js";
import { $, sleep } from "./page.js";

const PERIOD_MS = 3000;

async function refresh() {
  try {
    const response = await fetch("/status", { cache: "no-store", signal: AbortSignal.timeout(2500) });
    if (!response.ok) throw new Error();
    const next = new DOMParser().parseFromString(await response.text(), "text/html").getElementById("status");
    const said = $("sync-said")?.textContent;
    apply(next);
    $("status").replaceWith(next);
    if ($("sync-said")) $("sync-said").textContent = said ?? "";
  } catch {
    $("lost").hidden = false;
  }
}

document.addEventListener("click", async (event) => {
  if (event.target.id !== "sync") return;
  $("sync-said").textContent = "…";
  try {
    const { body } = await authorised("/api/box/sync", { method: "POST" });
    $("sync-said").textContent = body.message;
  } catch (e) {
    if (!(e instanceof Unreachable)) throw e;
    $("sync-said").textContent = t("Kotak tidak menjawab", "The box does not answer");
  }
});

apply();
(async () => {
  for (;;) {
    await sleep(PERIOD_MS);
    await refresh();
  }
})();
