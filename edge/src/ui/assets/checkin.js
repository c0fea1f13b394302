// Staff check in on their own telephone, with the token the QR's address ends with.

import { authorised, signedIn, signIn, signOut, Unreachable } from "./api.js";
import { apply, t } from "./language.js";
import { $, el, person } from "./page.js";

const page = $("checkin");
const { token, arrival, direction, zone } = page.dataset;
const typed = !/^([0-9a-f]{32}|[0-9]{6})$/i.test(token);
let place;

$("code-row").hidden = !typed;
$(direction === "checkin" ? "in" : "out").classList.add("suggested");

function locate() {
  if (!navigator.geolocation || !isSecureContext) {
    return says(t("Lokasi hanya tersedia lewat HTTPS; absen tetap bisa, ditandai tanpa lokasi.", "The location needs HTTPS; you can check in, marked without location."));
  }
  navigator.geolocation.watchPosition(
    ({ coords }) => {
      place = { latitude: coords.latitude, longitude: coords.longitude, accuracy: coords.accuracy };
      says(t(`Lokasi siap (± ${Math.round(coords.accuracy)} m).`, `Location ready (± ${Math.round(coords.accuracy)} m).`));
    },
    () => place ?? says(t("Lokasi tidak diizinkan; absen tetap bisa, ditandai tanpa lokasi.", "No location; you can check in, marked without location.")),
    { enableHighAccuracy: true, maximumAge: 15000, timeout: 10000 },
  );
}
function says(text) {
  $("place").textContent = text;
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

const WHERE = {
  inside: () => t("Anda di dalam area sekolah.", "You are inside the school."),
  uncertain: () => t("Lokasi belum pasti; absen diterima dan ditandai.", "The location is uncertain; accepted and marked."),
  outside: () => t("Lokasi di luar area; absen diterima dan ditandai.", "The location is outside; accepted and marked."),
};

function answer(tone, title, ...lines) {
  const box = $("answer");
  box.dataset.tone = tone;
  box.replaceChildren(el("b", "", title), ...lines.filter(Boolean).map((line) => el("span", "", line)));
  box.hidden = false;
  box.scrollIntoView({ block: "center" });
}

$("passage").addEventListener("submit", async (event) => {
  event.preventDefault();
  const way = event.submitter.value;
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
    answer("bad", t("BELUM TERSIMPAN – ulangi", "NOT SAVED – try again"), t("Kotak tidak menjawab. Periksa Wi-Fi sekolah.", "The box does not answer. Check the school's Wi-Fi."));
  } finally {
    buttons.forEach((button) => (button.disabled = false));
  }
});

/** On the school's wall clock, wherever the telephone thinks it is. */
const clockTime = (instant) => new Date(instant).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: zone });

function passed(row) {
  const where = row.fence ? WHERE[row.fence]() : t("Tercatat tanpa lokasi.", "Recorded without location.");
  if (row.type === "checkout") return answer("good", t(`Pulang ${clockTime(row.timestamp)}`, `Out ${clockTime(row.timestamp)}`), signedIn(), where);
  const late = row.status === "terlambat";
  answer(late ? "warn" : "good", `${t("Masuk", "In")} ${clockTime(row.timestamp)}`, signedIn(),
    late ? t(`Terlambat ${row.late_minutes} menit`, `Late ${row.late_minutes} min`) : t("Hadir", "Present"), where);
}

function refused(body) {
  if (body.data?.timestamp) return answer("calm", body.message, `${clockTime(body.data.timestamp)} · ${body.data.gate}`);
  const first = body.errors && Object.values(body.errors)[0][0];
  answer("bad", body.message, first, /kadaluarsa/.test(body.message) ? t("Pindai QR yang sekarang tampil.", "Scan the QR that is shown now.") : undefined);
}

$("history").addEventListener("click", async () => {
  const { status, body } = await authorised("/api/attendance/history?per_page=20");
  if (status !== 200) return;
  $("mine").replaceChildren(...body.data.data.map((row) => person({
    name: row.date_only, letters: row.type === "checkin" ? "→" : "←",
    detail: row.type === "checkin" ? row.status : t("pulang", "out"), time: clockTime(row.timestamp),
  })));
});
$("leave").addEventListener("click", async () => {
  await authorised("/api/auth/logout", { method: "POST" }).catch(() => {});
  signOut();
  $("mine").replaceChildren();
  greet();
});

document.addEventListener("language", greet);
apply();
greet();
locate();
if (!signedIn()) signIn().then(greet);
