// Staff check in on their own telephone, with the token the QR's address ends with.

import { authorised, call, signedIn, signIn, signOut, Unreachable, why } from "./api.js";
import { apply, locale, t } from "./language.js";
import { $, el, person } from "./page.js";

const page = $("checkin");
const { token, arrival, direction, zone } = page.dataset;
const typed = !/^([0-9a-f]{32}|[0-9]{6})$/i.test(token);
const ASK_AGAIN_M = 20; // a fix that is better by this much is worth another question
let place;
let judged; // what the box said of a place
let trouble; // why there is no place

$("code-row").hidden = !typed;
$("code").required = typed;
$(direction === "checkin" ? "in" : "out").classList.add("suggested");

/** Each in one sentence, with a way on. */
const PLACE = {
  waiting: ["calm", () => t("Mencari lokasi Anda … Boleh langsung absen; nanti ditandai tanpa lokasi.", "Looking for your location … You may check in at once; it is marked without location.")],
  inside: ["good", (m) => t(`Anda di dalam area sekolah (± ${m} m). Silakan absen.`, `You are inside the school (± ${m} m). Go ahead.`)],
  uncertain: ["warn", (m) => t(`Lokasi belum pasti (± ${m} m). Absen diterima dan ditandai; di tempat terbuka lebih tepat.`, `Your location is uncertain (± ${m} m). You are recorded, and marked; it is better under the open sky.`)],
  outside: ["warn", () => t("Anda di luar area sekolah. Absen diterima dan ditandai untuk diperiksa.", "You are outside the school. You are recorded, and marked for review.")],
  refused: ["bad", () => t("Anda di luar area sekolah, dan sekolah menolak absen dari luar. Mendekatlah, atau hubungi admin.", "You are outside the school, which refuses this. Come closer, or ask the admin.")],
  unbounded: ["good", (m) => t(`Lokasi siap (± ${m} m). Silakan absen.`, `Your location is ready (± ${m} m). Go ahead.`)],
  denied: ["warn", () => t("Lokasi tidak diizinkan. Absen tetap bisa, ditandai tanpa lokasi; izin ada di gembok alamat.", "Location is not allowed. You can check in, marked without it; the padlock in the address bar allows it.")],
  unavailable: ["warn", () => t("Lokasi tidak ditemukan. Nyalakan GPS, atau absen saja: ditandai tanpa lokasi.", "No location was found. Turn GPS on, or check in anyway: it is marked without location.")],
  insecure: ["warn", () => t("Lokasi hanya ada lewat HTTPS. Absen tetap bisa, ditandai tanpa lokasi.", "Location needs HTTPS. You can check in, marked without it.")],
};

function saysWhere() {
  const known = place && judged && (judged.refused ? "refused" : judged.fence ?? "unbounded");
  const which = known || trouble || (place ? "unbounded" : "waiting");
  const [tone, words] = PLACE[which];
  $("place").className = `place note ${tone}`;
  $("place").dataset.state = which;
  $("place").textContent = words(Math.round(place?.accuracy ?? 0));
}

/** What the box takes the place for. Who has not signed in yet learns it afterwards. */
async function judge() {
  if (!place || !signedIn()) return;
  const json = place;
  const { status, body } = await call("/api/attendance/place", { method: "POST", json, limit: 3000 }).catch(() => ({}));
  if (status === 200) judged = { ...body.data, of: json };
  saysWhere();
}

function locate() {
  if (!navigator.geolocation || !isSecureContext) return noPlace("insecure");
  navigator.geolocation.watchPosition(
    ({ coords }) => {
      place = { latitude: coords.latitude, longitude: coords.longitude, accuracy: coords.accuracy };
      trouble = undefined;
      const before = judged?.of;
      const isNews = !before || before.accuracy - place.accuracy > ASK_AGAIN_M || judged.fence !== "inside";
      saysWhere();
      if (isNews) judge();
    },
    (problem) => place ?? noPlace(problem.code === problem.PERMISSION_DENIED ? "denied" : "unavailable"),
    { enableHighAccuracy: true, maximumAge: 15000, timeout: 10000 },
  );
}
function noPlace(reason) {
  trouble = reason;
  saysWhere();
}

function greet() {
  $("who").textContent = signedIn() ?? t("Belum masuk", "Not signed in");
  $("leave").hidden = $("history").hidden = !signedIn();
}

/** The picture, made small enough to send. */
async function photo() {
  const file = $("photo").files[0];
  if (!file) return undefined;
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, 1024 / Math.max(bitmap.width, bitmap.height));
  const canvas = el("canvas");
  [canvas.width, canvas.height] = [Math.round(bitmap.width * scale), Math.round(bitmap.height * scale)];
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/jpeg", 0.8);
}

$("photo").addEventListener("change", () => {
  const added = $("photo").files.length > 0;
  $("photo-said").textContent = added ? t("✔ foto ditambahkan", "✔ photo added") : t("opsional, tetap di kotak ini", "optional, stays on this box");
});

let told; // what the answer says, so that it can be said in the other language
function answer(tone, words) {
  told = () => {
    const [title, ...lines] = words();
    const box = $("answer");
    box.dataset.tone = tone;
    box.replaceChildren(el("b", "", title), ...lines.filter(Boolean).map((line) => el("span", "", line)));
    box.hidden = false;
  };
  told();
  $("answer").scrollIntoView({ block: "center" });
  $("answer").focus({ preventScroll: true });
  navigator.vibrate?.(tone === "bad" ? [200, 100, 200] : 80);
}

$("passage").addEventListener("submit", async (event) => {
  event.preventDefault();
  const way = event.submitter?.value ?? direction;
  const buttons = [$("in"), $("out")];
  buttons.forEach((button) => (button.disabled = true));
  const qr_token = typed ? $("code").value.trim() : token;
  try {
    const json = { qr_token, arrival, ...place, photo: await photo() };
    const { status, body } = await authorised(`/api/attendance/${way}`, { method: "POST", json, limit: 15000 });
    greet();
    if (status === 200) passed(body.data);
    else refused(body);
  } catch (e) {
    if (!(e instanceof Unreachable)) throw e;
    answer("bad", () => [t("BELUM TERSIMPAN – ulangi", "NOT SAVED – try again"), t("Kotak tidak menjawab. Periksa Wi-Fi sekolah.", "The box does not answer. Check the school's Wi-Fi.")]);
  } finally {
    buttons.forEach((button) => (button.disabled = false));
  }
});

/** On the school's wall clock, wherever the telephone thinks it is. */
const clockTime = (instant) => new Date(instant).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: zone });

const dayOf = (day) => new Date(`${day}T00:00:00Z`).toLocaleDateString(locale(), { weekday: "long", day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });

const WHERE = {
  inside: () => t("Anda di dalam area sekolah.", "You are inside the school."),
  uncertain: () => t("Lokasi belum pasti; absen diterima dan ditandai.", "The location is uncertain; accepted and marked."),
  outside: () => t("Lokasi di luar area; absen diterima dan ditandai.", "The location is outside; accepted and marked."),
};
const GRADE = {
  anchored: () => t("Waktu tepat (dari cloud)", "Exact time (from the cloud)"),
  estimated: () => t("Waktu menurut jam kotak", "Time by the box's clock"),
  suspect: () => t("Jam kotak diragukan, ditandai", "The box's clock is in doubt, marked"),
};

function passed(row) {
  $("passage").hidden = true;
  const [isOut, isLate, name] = [row.type === "checkout", row.status === "terlambat", signedIn()];
  answer(isLate && !isOut ? "warn" : "good", () => [
    isOut ? t(`Pulang ${clockTime(row.timestamp)}`, `Out ${clockTime(row.timestamp)}`) : t(`Masuk ${clockTime(row.timestamp)}`, `In ${clockTime(row.timestamp)}`),
    name,
    isOut ? t("✔ Tercatat", "✔ Recorded")
      : isLate ? t(`✔ Tercatat · Terlambat ${row.late_minutes} menit`, `✔ Recorded · Late ${row.late_minutes} min`)
      : t("✔ Tercatat · Hadir", "✔ Recorded · Present"),
    row.fence ? WHERE[row.fence]() : t("Tercatat tanpa lokasi.", "Recorded without location."),
    GRADE[row.time_grade]?.(),
  ]);
}

/** The box speaks Indonesian. */
const ENGLISH = {
  "Anda sudah melakukan absen masuk hari ini": "You have checked in today already",
  "Anda sudah melakukan absen keluar hari ini": "You have checked out today already",
  "Anda belum melakukan absen masuk hari ini": "You have not checked in today",
  "QR token tidak valid atau sudah kadaluarsa": "The QR is too old, or none of this school",
  "Anda berada di luar area sekolah": "You are outside the school",
  "Anda tidak memiliki izin untuk melakukan absensi mandiri": "Your account does not check in by itself",
  "Terlalu banyak percobaan. Silakan coba lagi nanti": "Too many tries. Please wait a little",
};

function refused(body) {
  const message = why(body);
  const said = () => t(message, ENGLISH[message] ?? message);
  const { timestamp, gate } = body.data ?? {};
  if (timestamp) return answer("calm", () => [said(), `${clockTime(timestamp)} · ${gate}`]);
  answer("bad", () => [said(), /kadaluarsa/.test(message) ? t("Pindai QR yang sekarang tampil.", "Scan the QR that is shown now.") : undefined]);
}

$("history").addEventListener("click", async () => {
  const { status, body } = await authorised("/api/attendance/history?per_page=20").catch(() => ({}));
  if (status !== 200) return;
  const word = { hadir: t("hadir", "present"), terlambat: t("terlambat", "late") };
  $("mine").replaceChildren(...body.data.data.map((row) => person({
    name: dayOf(row.date_only), letters: row.type === "checkin" ? "→" : "←",
    detail: row.type === "checkin" ? word[row.status] ?? row.status : t("pulang", "out"), time: clockTime(row.timestamp),
  })));
});
$("leave").addEventListener("click", async () => {
  await call("/api/auth/logout", { method: "POST" }).catch(() => {});
  signOut();
  location.reload();
});

document.addEventListener("language", () => {
  greet();
  saysWhere();
  told?.();
});
apply();
greet();
saysWhere();
locate();
if (!signedIn()) {
  signIn().then(() => {
    greet();
    judge();
  });
}
