// Keeps the status page true: the same page is fetched again, and its middle put in place. Below it, paired devices.

import { authorised, call, Unreachable, why } from "./api.js";
import { apply, locale, t } from "./language.js";
import { $, age, el, sleep } from "./page.js";

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

/** Does what a button asked for, and says what went wrong. */
async function doing(work) {
  $("devices-error").hidden = true;
  try {
    await work();
  } catch (e) {
    $("devices-error").textContent = e instanceof Unreachable ? t("Kotak tidak menjawab", "The box does not answer") : e.message;
    $("devices-error").hidden = false;
  }
}

let shown; // the code that is shown, and until when
function drawCode() {
  $("pair-shown").hidden = !shown;
  if (!shown) return;
  const left = shown.ends - performance.now();
  if (left <= 0) return (shown = undefined), drawCode();
  $("pair-for").textContent = shown.purpose === "kiosk" ? t("Kiosk: ", "Kiosk: ") : t("Gerbang: ", "Gate: ");
  $("pair-code-shown").textContent = shown.code;
  $("pair-until").textContent = t(`masih ${age(left)}`, `for ${age(left)}`);
}
setInterval(drawCode, 1000);

for (const button of [$("pair-gate"), $("pair-kiosk")]) {
  button.addEventListener("click", () => doing(async () => {
    const { status, body } = await authorised("/api/pairing/codes", { method: "POST", json: { purpose: button.value } });
    if (status !== 201) throw new Error(why(body));
    shown = { ...body.data, ends: performance.now() + 600000 };
    drawCode();
  }));
}

/** By the school's clocks. */
function moment(instant) {
  const [at, timeZone] = [new Date(instant), $("devices").dataset.zone];
  const day = at.toLocaleDateString(locale(), { day: "numeric", month: "short", year: "numeric", timeZone });
  return `${day} ${at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZone })}`;
}

function line(device) {
  const kind = device.purpose === "kiosk" ? t("Kiosk", "Kiosk") : t("Gerbang", "Gate");
  const seen = moment(device.last_seen_at);
  const out = el("button", "", t("Cabut", "Revoke"));
  out.type = "button";
  out.setAttribute("aria-label", t(`Cabut ${device.name}`, `Revoke ${device.name}`));
  out.addEventListener("click", () => confirm(t(`Cabut ${device.name}?`, `Revoke ${device.name}?`)) && doing(async () => {
    const { status, body } = await authorised(`/api/devices/${device.id}/revoke`, { method: "POST" });
    if (status !== 200 && status !== 404) throw new Error(why(body));
    await list(authorised);
  }));
  const acts = [out];
  if (device.purpose === "kiosk") {
    const pin = el("button", "", t("PIN baru", "New PIN"));
    pin.type = "button";
    pin.addEventListener("click", () => doing(async () => {
      const typed = prompt(t(`PIN baru untuk ${device.name} (4–8 angka)`, `New PIN for ${device.name} (4–8 digits)`));
      if (typed === null) return;
      const { status, body } = await authorised(`/api/devices/${device.id}/pin`, { method: "POST", json: { pin: typed } });
      if (status !== 200) throw new Error(why(body));
    }));
    acts.unshift(pin);
  }
  const who = el("span", "who", el("b", "", device.name), el("small", "", `${kind} · ${t("terlihat", "seen")} ${seen}`));
  return el("li", "", who, ...acts);
}

let listed;
async function list(how) {
  const { status, body } = await how("/api/devices");
  $("devices-show").hidden = status === 200;
  if (status === 200) listed = body.data;
  else if (how === authorised) throw new Error(why(body));
  draw();
}
function draw() {
  if (listed) $("devices-list").replaceChildren(...(listed.length ? listed.map(line) : [el("li", "small", t("Belum ada perangkat yang dipasangkan.", "No device is paired yet."))]));
}
$("devices-show").addEventListener("click", () => doing(() => list(authorised)));
document.addEventListener("language", () => (draw(), drawCode()));

apply();
list(call).catch(() => {});
(async () => {
  for (;;) {
    await sleep(PERIOD_MS);
    await refresh();
  }
})();
