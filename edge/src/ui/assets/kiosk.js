// The kiosk. A frozen QR is the worst failure: without a fresh answer the picture goes, within three seconds.

import { authorised, call, login, submits, Unreachable, why } from "./api.js";
import { apply, t } from "./language.js";
import { $, Clock, person, sleep, stayAwake } from "./page.js";

const PERIOD_MS = 1000;
const STALE_MS = 2500; // since the box was asked, so an answer that hung on the way is as old as it is
const SHIFT_MS = 60000;
const SHIFT_PX = [[0, 0], [6, 0], [6, 6], [0, 6], [-6, 6], [-6, 0], [-6, -6], [0, -6], [6, -6]];

const clock = new Clock();
let heard = -Infinity; // when that was asked which the box answered last
let picture;
let state;
let built;

function dark(word, more = "") {
  $("qr").hidden = true;
  $("dark").hidden = false;
  $("dark-word").textContent = word;
  $("dark-more").textContent = more;
  $("code").textContent = "––– –––";
  $("ring").style.strokeDashoffset = "100";
  state = undefined;
}

const WAY = {
  terlambat: () => t("Terlambat", "Late"),
  pulang: () => t("Pulang", "Out"),
  hadir: () => t("Hadir", "Present"),
};

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
  $("people").hidden = !data.latest.length;
  $("latest").replaceChildren(...data.latest.map((one) => {
    const way = (WAY[one.outcome] ?? WAY.hadir)();
    const tone = one.outcome === "terlambat" ? "warn" : "good";
    return person({ name: one.name ?? way, letters: one.initials, detail: one.name ? way : "", time: one.time, tone });
  }));
}

async function ask() {
  const asked = performance.now();
  const { status, body } = await authorised("/api/kiosk", { limit: 1500 });
  if (status !== 200) return dark(why(body));
  // The dialog may have stood between the question and the answer; then the next one is soon here.
  if (performance.now() - asked > STALE_MS) return;
  heard = asked;
  clock.set(body.data.now, body.data.zone, body.data.zone_name);
  light(body.data);
  // The box was updated: so is its page.
  if (built !== undefined && built !== body.data.built) location.reload();
  built = body.data.built;
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

/** A picture that stands still for a year burns itself in. */
let shifts = 0;
setInterval(() => {
  const [x, y] = SHIFT_PX[++shifts % SHIFT_PX.length];
  $("kiosk").style.transform = `translate(${x}px, ${y}px)`;
}, SHIFT_MS);

// What a paired kiosk keeps shut: its PIN, or an admin, opens it. The box itself lets a locked one onto no other page.

async function whatAmI() {
  const { status, body } = await call("/api/pairing", { token: null });
  if (status !== 200 || body.data?.purpose !== "kiosk") return;
  await call("/api/kiosk/lock", { method: "POST", json: {}, token: null });
  document.body.classList.add("locked");
  $("by-code").hidden = true;
  $("leave").hidden = false;
}
document.addEventListener("paired", whatAmI);

const FORGOTTEN_MS = 60000; // a dialog nobody closes must not cover the QR all morning
const exits = ["exit-pin", "exit-admin", "exit-open"];
function face(shown) {
  for (const id of exits) $(id).hidden = id !== shown;
  $(shown).querySelector("input, a").focus();
}
let forgotten;
$("leave").addEventListener("click", () => {
  $("exit").showModal();
  face("exit-pin");
  clearTimeout(forgotten);
  forgotten = setTimeout(() => $("exit").close(), FORGOTTEN_MS);
});
$("forgotten").addEventListener("click", () => face("exit-admin"));
for (const button of document.querySelectorAll("[data-close]")) button.addEventListener("click", () => $("exit").close());
$("exit").addEventListener("close", () => {
  for (const id of ["exit-pin", "exit-admin"]) $(id).reset();
  for (const id of ["exit-error", "admin-error"]) $(id).hidden = true;
});

async function open(json, token) {
  const { status, body } = await call("/api/kiosk/exit", { method: "POST", json, token });
  if (status !== 200) throw new Error(why(body));
  if (document.fullscreenElement) await document.exitFullscreen();
  face("exit-open");
}
submits($("exit-pin"), $("exit-error"), () => open({ pin: $("pin").value }, null));
submits($("exit-admin"), $("admin-error"), async () => {
  const { token, user } = await login($("admin-number").value, $("admin-password").value);
  try {
    if (user.role_id !== 5) throw new Error(t("Hanya admin yang dapat membuka kiosk tanpa PIN", "Only an admin opens the kiosk without its PIN"));
    await open({}, token);
  } finally {
    await call("/api/auth/logout", { method: "POST", token }).catch(() => {});
  }
});
$("relock").addEventListener("click", async () => {
  await call("/api/kiosk/lock", { method: "POST", json: {}, token: null });
  $("exit").close();
});
$("unpair").addEventListener("click", async () => {
  await call("/api/pairing", { method: "DELETE", token: null });
  location.assign("/");
});
$("whole").addEventListener("click", () => document.documentElement.requestFullscreen().catch(() => {}));
document.addEventListener("fullscreenchange", () => ($("whole").hidden = !!document.fullscreenElement));

apply();
stayAwake();
(async () => {
  let known = false;
  for (;;) {
    try {
      await ask();
      if (!known) {
        await whatAmI();
        known = true;
      }
    } catch (e) {
      // Nothing may end this loop: a kiosk has nobody who reloads it.
      if (!(e instanceof Unreachable)) console.error(e);
    }
    const turn = state ? state.shown_until - clock.now() + 20 : PERIOD_MS;
    await sleep(Math.max(50, Math.min(PERIOD_MS, turn)));
  }
})();
