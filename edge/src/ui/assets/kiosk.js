// The kiosk. A frozen QR is the worst failure: without a fresh answer the picture goes, within three seconds.

import { authorised, Unreachable } from "./api.js";
import { apply, t } from "./language.js";
import { $, Clock, person, sleep, stayAwake } from "./page.js";

const PERIOD_MS = 1000;
const STALE_MS = 2500;

const clock = new Clock();
let heard = -Infinity; // when the box answered last
let picture;
let state;

function dark(word, more = "") {
  $("qr").hidden = true;
  $("dark").hidden = false;
  $("dark-word").textContent = word;
  $("dark-more").textContent = more;
  $("code").textContent = "––– –––";
  $("ring").style.strokeDashoffset = "100";
  state = undefined;
}

function light(data) {
  if (state?.token !== data.token) {
    if (picture) URL.revokeObjectURL(picture);
    picture = URL.createObjectURL(new Blob([data.svg], { type: "image/svg+xml" }));
    $("qr").src = picture;
  }
  state = data;
  $("qr").hidden = false;
  $("dark").hidden = true;
  $("code").textContent = `${data.code.slice(0, 3)} ${data.code.slice(3)}`;
  $("latest").replaceChildren(...data.latest.map((one) => person({
    name: one.name,
    letters: one.initials,
    detail: one.outcome === "terlambat" ? t("Terlambat", "Late") : one.outcome === "pulang" ? t("Pulang", "Out") : t("Hadir", "Present"),
    time: one.time,
    tone: one.outcome === "terlambat" ? "warn" : "good",
  })));
}

async function ask() {
  try {
    const { status, body } = await authorised("/api/kiosk", { limit: 1500 });
    if (status === 200) {
      heard = performance.now();
      clock.set(body.data.now, body.data.zone, body.data.zone_name);
      light(body.data);
    } else {
      dark(body.message);
    }
  } catch (e) {
    if (!(e instanceof Unreachable)) throw e;
  }
}

/** Runs by itself, whatever the network does. */
setInterval(() => {
  if (state && (performance.now() - heard > STALE_MS || clock.now() >= state.expires_at)) {
    dark(t("Kotak tidak menjawab", "The box does not answer"), t("QR tampil lagi dengan sendirinya.", "The QR comes back by itself."));
  }
  clock.show(false);
  if (!state) return;
  const whole = state.expires_at - state.shown_until;
  const left = Math.max(0, Math.min(1, (state.shown_until - clock.now()) / whole));
  $("ring").style.strokeDashoffset = String(100 - 100 * left);
}, 200);

apply();
stayAwake();
(async () => {
  for (;;) {
    await ask();
    const turn = state ? state.shown_until - clock.now() + 20 : PERIOD_MS;
    await sleep(Math.max(50, Math.min(PERIOD_MS, turn)));
  }
})();
