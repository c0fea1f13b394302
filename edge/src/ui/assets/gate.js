// The gate. What the box answers is shown; nothing is green that the box did not say is on disk.

import { authorised, call, follow, signIn, Unreachable } from "./api.js";
import { apply, t } from "./language.js";
import { $, age, Clock, el, face, person, sleep, stayAwake } from "./page.js";
import { Camera } from "./camera.js";
import { isAwake, play, wake } from "./sound.js";
import { listen } from "./wedge.js";

const CAMERA_MS = 2500; // the same card is news again after it was away this long
const WEDGE_MS = 5000;
const STATE_MS = 3000;

const SHOWN = {
  hadir: { icon: "✔", sound: "good", ms: 1500, word: () => t("Hadir", "Present") },
  terlambat: { icon: "!", sound: "late", ms: 2000, word: (r) => t(`Terlambat ${r.late_minutes} menit`, `Late ${r.late_minutes} min`) },
  pulang: { icon: "➜", sound: "out", ms: 1500, word: (r) => t(`Pulang ${r.time}`, `Out ${r.time}`) },
  sudah: { icon: "✔✔", sound: "again", ms: 2000, word: (r) => t(`Sudah absen ${r.time} (${r.gate})`, `Already recorded ${r.time} (${r.gate})`) },
  belum_masuk: { word: () => t("Belum absen masuk hari ini", "Not checked in today") },
  kartu_dicabut: { word: () => t("Kartu dicabut", "Card withdrawn") },
  kartu_sekolah_lain: { word: () => t("Kartu sekolah lain", "Card of another school") },
  tidak_dikenal: { word: () => t("QR tidak dikenal", "Unknown code") },
  ditolak: { word: (r) => r.message },
  dibatalkan: { icon: "↶", sound: "undone", ms: 2000, word: () => t("Dibatalkan", "Undone") },
};
const BAD = { icon: "✖", sound: "bad", ms: 3000, tone: "bad" };

const clock = new Clock();
const camera = new Camera($("video"));
const seen = new Map();
let gone = 0;
let following = false; // whether the box tells by itself
let hiding;

const mode = () => document.querySelector("input[name=mode]:checked").value;

// A direction that somebody chose holds until the hours would choose another one, or the day is over: who forgets to put it
// back has not turned tomorrow morning into check-outs. It survives a reload.
const CHOSEN = "hadir.mode";
let hours;
function choose(direction) {
  document.querySelector(`input[name=mode][value="${direction}"]`).checked = true;
  if (direction && hours) localStorage.setItem(CHOSEN, JSON.stringify({ direction, hours }));
  else localStorage.removeItem(CHOSEN);
}
$("mode").addEventListener("change", () => choose(mode()));

function keepMode(state) {
  hours = `${state.counts.day} ${state.direction}`;
  const chosen = JSON.parse(localStorage.getItem(CHOSEN) ?? "null");
  if (chosen && chosen.hours === hours) choose(chosen.direction);
  else if (chosen || mode()) choose("");
  $("gate").dataset.mode = mode() || state.direction;
}

/** Whether a code has not been before this gate for a while. */
function isNews(code, away) {
  const [now, last] = [performance.now(), seen.get(code)];
  for (const [old, at] of seen) if (now - at > WEDGE_MS) seen.delete(old);
  seen.set(code, now);
  return last === undefined || now - last > away;
}

function show(result) {
  if (result.again) return;
  if (result.outcome === "belum_tersimpan") return alarm(result.message);
  const look = { ...BAD, ...SHOWN[result.outcome] };
  const flash = $("flash");
  flash.dataset.outcome = result.outcome;
  flash.dataset.sound = look.sound;
  flash.dataset.tone = look.tone && look.sound === "bad" ? "bad" : "good";
  $("flash-icon").textContent = look.icon;
  $("flash-word").textContent = (look.word ?? (() => result.message))(result);
  $("flash-name").textContent = result.name ?? "";
  showFace(result);
  const facts = [result.class, result.outcome === "sudah" ? undefined : result.time];
  $("flash-more").textContent = facts.filter(Boolean).join(" · ");
  $("flash-saved").textContent = result.seq && result.pending
    ? t(`☁ Tersimpan, menunggu internet (${result.pending})`, `☁ Saved, waiting for the internet (${result.pending})`) : "";
  flash.hidden = false;
  play(look.sound);
  clearTimeout(hiding);
  hiding = setTimeout(() => (flash.hidden = true), look.ms);
  if (result.seq && !following) setTimeout(refresh, 50);
}
$("flash").addEventListener("click", () => ($("flash").hidden = true));

/** The portrait of who passed, when it is here before the next one comes; initials until then. */
function showFace({ name, photo }) {
  const disc = $("flash-face");
  disc.hidden = !name;
  disc.replaceChildren(...(name ? [face({ name, photo })] : []));
}

/** Blocks the page until somebody has understood: nothing is scanned meanwhile. What was not saved may come again at once. */
function alarm(text) {
  seen.clear();
  $("flash").hidden = true;
  $("alarm-text").textContent = text;
  if (!$("alarm").open) $("alarm").showModal();
  play("alarm");
}
setInterval(() => $("alarm").open && play("alarm"), 4000);

async function answered(promise, what) {
  try {
    const { status, body } = await promise;
    if (body.data?.results) return body.data.results.forEach(show);
    if (status >= 500) alarm(what ? `${body.message}: ${what}` : body.message);
    else show({ outcome: "ditolak", message: body.errors ? Object.values(body.errors)[0][0] : body.message });
  } catch (e) {
    if (!(e instanceof Unreachable)) throw e;
    alarm(t(`Kotak tidak menjawab: ${what}`, `The box does not answer: ${what}`));
  }
}

const about = () => ({ direction: mode() || undefined, gate: $("gate").dataset.gate });
const send = (json, what) => answered(authorised("/api/scan", { method: "POST", json: { ...json, ...about() } }), what);

listen((code) => {
  if ($("alarm").open) play("alarm");
  else if (isNews(code, WEDGE_MS)) send({ code }, code);
});

async function read(texts) {
  for (const code of texts) if (isNews(code, CAMERA_MS)) await send({ code }, "");
}

async function frame(body) {
  const query = new URLSearchParams({ gate: about().gate, ...(mode() && { direction: mode() }) });
  try {
    const answer = await call(`/api/scan/frame?${query}`, { method: "POST", body, type: "image/jpeg" });
    const results = answer.body.data?.results;
    if (results || answer.status === 401) gone = 0;
    if (answer.status === 401) await signIn();
    else if (results) results.forEach(show);
    // One frame is soon followed by the next; a box that reads none of them must not look as if it did.
    else if (++gone === 3) alarm(answer.body.message);
  } catch (e) {
    if (!(e instanceof Unreachable)) throw e;
    // A frame may have held a card or not; the teacher must know either way.
    if (++gone === 3) alarm(t("Kotak tidak menjawab", "The box does not answer"));
    await sleep(500);
  }
}

async function turnOn() {
  $("trouble").hidden = true;
  try {
    await camera.start(localStorage.getItem("hadir.camera") ?? undefined);
    localStorage.setItem("hadir.camera.on", "1");
    camera.look(read, frame, () => $("alarm").open);
    $("switch").hidden = (await camera.devices()).length < 2;
    $("torch").hidden = !camera.hasTorch;
  } catch (e) {
    $("trouble").textContent = e.message;
    $("trouble").hidden = false;
  }
  $("stop").hidden = !camera.on;
  $("lens").classList.toggle("on", camera.on);
}
$("start").addEventListener("click", turnOn);
$("stop").addEventListener("click", () => {
  camera.stop();
  localStorage.removeItem("hadir.camera.on");
  for (const id of ["stop", "switch", "torch"]) $(id).hidden = true;
  $("lens").classList.remove("on");
});
$("switch").addEventListener("click", async () => {
  const ids = (await camera.devices()).map((device) => device.deviceId);
  const now = camera.track?.getSettings().deviceId;
  localStorage.setItem("hadir.camera", ids[(ids.indexOf(now) + 1) % ids.length]);
  await turnOn();
});
let torch = false;
$("torch").addEventListener("click", () => camera.torch((torch = !torch)));
$("sound").addEventListener("click", () => {
  wake();
  setTimeout(() => (play("good"), refresh()), 60);
});

const find = async (typed) => (await authorised(`/api/gate/find?q=${encodeURIComponent(typed)}`)).body.data ?? [];

$("manual").addEventListener("submit", async (event) => {
  event.preventDefault();
  const typed = $("number").value.trim();
  // A scanner whose field had the focus typed a card's code.
  if (/^hc1\./i.test(typed)) return clear(), send({ code: typed }, typed);
  if (typed.length < 2) return;
  const found = await find(typed).catch(() => []);
  const one = found.find(({ number }) => number === typed) ?? (found.length === 1 ? found[0] : undefined);
  if (one) ask(one);
  else if (/^[0-9]+$/.test(typed)) clear(), send({ number: typed }, typed);
});
function clear() {
  $("number").value = "";
  $("found").replaceChildren();
  $("number").blur();
}

/** Whoever has no card is looked at: is this the student? */
function ask(one) {
  clear();
  $("who-face").replaceChildren(face(one));
  $("who-name").textContent = one.name;
  $("who-more").textContent = [one.class, one.number].filter(Boolean).join(" · ");
  $("who").returnValue = "";
  $("who").onclose = () => $("who").returnValue === "yes" && send({ number: one.number }, one.number);
  $("who").showModal();
}
let asked = 0;
$("number").addEventListener("input", async () => {
  const [typed, turn] = [$("number").value.trim(), ++asked];
  if (typed.length < 2) return $("found").replaceChildren();
  await sleep(150);
  if (turn !== asked) return;
  const found = await find(typed).catch(() => undefined);
  if (turn !== asked || !found || !$("number").value) return;
  const nobody = el("li", "small", t("Tidak ada siswa yang cocok", "No such student"));
  $("found").replaceChildren(...(found.length ? found.map(offer) : [nobody]));
});
function offer(one) {
  const who = el("span", "who", el("b", "", one.name), el("small", "", [one.class, one.number].filter(Boolean).join(" · ")));
  const button = el("button", "offer", face(one), who);
  button.type = "button";
  button.addEventListener("click", () => ask(one));
  return el("li", "", button);
}

// One of the last people is taken back with two taps: the second is on the question.
const QUESTION_MS = 5000;
let questioned;
let unasking;
function question(event) {
  questioned = event;
  clearTimeout(unasking);
  unasking = setTimeout(() => (questioned = undefined, last && drawLatest(last)), QUESTION_MS);
  drawLatest(last);
  document.querySelector("#latest .sure")?.focus();
}

async function undo(one) {
  questioned = undefined;
  const json = { event: one.event, gate: about().gate };
  try {
    const { status, body } = await authorised("/api/gate/undo", { method: "POST", json });
    if (status === 200) seen.clear();
    show(status === 200 ? { ...one, outcome: "dibatalkan" } : { outcome: "ditolak", message: body.message });
    if (status >= 500) alarm(body.message);
  } catch (e) {
    if (!(e instanceof Unreachable)) throw e;
    show({ outcome: "ditolak", message: t("Kotak tidak menjawab: belum dibatalkan", "The box does not answer: not undone") });
  }
  if (!following) refresh();
}

function undoButton(one) {
  const isSure = questioned === one.event;
  const button = el("button", isSure ? "sure" : "quiet undo", isSure ? t("Batalkan?", "Undo?") : "↶");
  button.type = "button";
  const what = t(`Batalkan absensi ${one.name} ${one.time}`, `Undo ${one.name} ${one.time}`);
  button.setAttribute("aria-label", isSure ? t(`Ya. ${what}`, `Yes. ${what}`) : what);
  button.title = what;
  button.addEventListener("click", () => (isSure ? undo(one) : question(one.event)));
  return button;
}

async function refresh() {
  const badge = $("pending");
  try {
    const { status, body } = await authorised("/api/gate", { limit: 2500 });
    if (status !== 200) throw new Unreachable(body.message);
    draw(body.data);
  } catch (e) {
    if (!(e instanceof Unreachable)) throw e;
    badge.className = "badge bad";
    badge.textContent = t("Kotak tidak menjawab", "The box does not answer");
  }
}

function draw(state) {
  keepMode(state);
  clock.set(state.now, state.zone, state.zone_name);
  const way = state.direction === "checkin" ? t("masuk", "in") : t("pulang", "out");
  $("auto").textContent = t(`Otomatis (${way})`, `Auto (${way})`);
  $("count").textContent = `${state.counts.checked_in} / ${state.counts.expected}`;
  const badge = $("pending");
  const stopped = state.store === "read_only_full" || state.store === "stopped";
  badge.className = `badge ${stopped ? "bad" : state.pending ? "warn" : "good"}`;
  badge.textContent = stopped ? t("TIDAK MENCATAT: disk", "NOT RECORDING: disk")
    : state.pending ? t(`☁ Menunggu ${state.pending} (${age(state.now - (state.oldest_pending ?? state.now))})`, `☁ Waiting ${state.pending} (${age(state.now - (state.oldest_pending ?? state.now))})`)
    : state.line === "stand_alone" ? t("✔ Tersimpan di kotak", "✔ Saved on the box") : t("✔ Semua terkirim", "✔ All sent");
  $("sound").textContent = isAwake() ? t("Tes suara", "Test sound") : t("Ketuk untuk suara", "Tap for sound");
  drawLatest(state.latest);
}

let last;
function drawLatest(latest) {
  last = latest;
  const list = $("latest");
  // Whoever is about to press a button keeps it under the finger and in focus.
  const focused = list.contains(document.activeElement) ? document.activeElement.closest("li").dataset.event : undefined;
  list.replaceChildren(...latest.map(line));
  if (!latest.length) list.append(el("li", "small", t("Belum ada hari ini", "Nobody yet today")));
  if (focused) [...list.children].find((li) => li.dataset.event === focused)?.querySelector("button")?.focus();
}

const MEANS = {
  terlambat: (one) => t(`terlambat ${one.late_minutes} menit`, `late ${one.late_minutes} min`),
  pulang: () => t("pulang", "out"),
  hadir: () => t("hadir", "present"),
};
function line(one) {
  const means = one.is_void ? t("dibatalkan", "undone") : MEANS[one.outcome]?.(one);
  const detail = [one.class, means].filter(Boolean).join(" · ");
  const tone = one.is_void ? "" : one.outcome === "terlambat" ? "warn" : "good";
  const li = person({ name: one.name, detail, time: one.time, tone, photo: one.photo });
  li.dataset.event = one.event;
  li.classList.toggle("void", one.is_void);
  if (one.can_undo) li.append(undoButton(one));
  return li;
}

document.addEventListener("language", refresh);
setInterval(() => clock.show(), 500);
apply();
stayAwake();
if (localStorage.getItem("hadir.camera.on")) turnOn();
(async () => {
  for (;;) {
    await refresh();
    following = true;
    await follow("/api/gate/events", draw);
    following = false;
    await sleep(STATE_MS);
  }
})();
