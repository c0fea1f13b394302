// Import of people: a file that is chosen or dropped is previewed at once, and saved when nothing in it is refused.
import { csrf, say, t } from "./console.js";

const $ = (id) => document.getElementById(id);
const form = $("import");
const input = $("file");
const drop = $("drop");
let file = null;
let busy = false;

const WORDS = {
  created: ["good", t("baru", "new")],
  updated: ["calm", t("diperbarui", "updated")],
  refused: ["bad", t("ditolak", "refused")],
};

/** Sends the file; resolves with status and body. XMLHttpRequest, because it tells how far it is. */
function upload(isDry) {
  const body = new FormData();
  body.append("file", file, file.name);
  if (isDry) body.append("dry_run", "1");
  if ($("create_classes").checked) body.append("create_classes", "1");
  const request = new XMLHttpRequest();
  request.open("POST", form.action);
  request.setRequestHeader("x-csrf-token", csrf);
  request.setRequestHeader("accept", "application/json");
  request.responseType = "json";
  const progress = $("progress");
  progress.hidden = false;
  progress.value = 0;
  request.upload.addEventListener("progress", (event) => {
    if (!event.lengthComputable) return;
    if (event.loaded < event.total) progress.value = (100 * event.loaded) / event.total;
    else progress.removeAttribute("value");
  });
  return new Promise((resolve) => {
    request.addEventListener("loadend", () => {
      progress.hidden = true;
      resolve({ status: request.status, body: request.response ?? {} });
    });
    request.send(body);
  });
}

async function run(isDry) {
  if (!file || busy) return;
  busy = true;
  $("apply").disabled = true;
  const { status, body } = await upload(isDry);
  busy = false;
  $("apply").disabled = false;
  if (status === 401) return location.assign(`/console/login?next=${encodeURIComponent(location.pathname)}`);
  if (body.data?.total !== undefined) return show(body.data, isDry, status === 200);
  // The file itself is the matter: it cannot be read, or is too large.
  const text = Object.values(body.errors ?? {}).flat().join(" ") || body.message;
  empty();
  verdict("bad", text ?? t("Server tidak menjawab. Tidak ada yang disimpan.", "The server does not answer. Nothing was saved."));
}

function empty() {
  $("preview").hidden = false;
  $("preview-title").textContent = file.name;
  for (const id of ["apply", "people", "rows", "left-out", "new-classes"]) $(id).hidden = true;
  $("again").hidden = false;
  $("counts").replaceChildren();
}

function verdict(kind, text) {
  const place = $("verdict");
  place.className = `note ${kind}`;
  place.textContent = text;
  $("preview").focus();
}

function show(report, isDry, isGood) {
  empty();
  const numbers = [
    [t("Baris", "Rows"), report.total, ""],
    [t("Baru", "New"), report.created, "good"],
    [t("Diperbarui", "Updated"), report.updated, "calm"],
    [t("Tetap", "Unchanged"), report.unchanged, ""],
    [t("Ditolak", "Refused"), report.refused, report.refused ? "bad" : ""],
  ];
  $("counts").replaceChildren(...numbers.map(([name, value, kind]) => number(name, value, kind)));
  if (report.classes_created.length) {
    $("new-classes").hidden = false;
    $("new-classes").textContent = `${t("Kelas baru", "New classes")}: ${report.classes_created.join(", ")}`;
  }
  rows(report.rows);
  $("left-out").hidden = !report.rows_left_out;
  $("left-out").textContent = `${t("dan", "and")} ${report.rows_left_out} ${t("baris lain", "other rows")}`;
  const changes = report.created + report.updated;
  $("apply").hidden = !(isDry && isGood && !report.refused && changes);
  $("people").hidden = isDry || !isGood;
  if (report.refused) {
    verdict("bad", `${report.refused} ${t("baris harus diperbaiki dulu; tidak ada yang disimpan. Perbaiki berkasnya, lalu pilih lagi.", "rows have to be mended first; nothing is saved. Mend the file and choose it again.")}`);
  } else if (!isDry) {
    verdict("good", `${t("Tersimpan", "Saved")}: ${report.created} ${t("baru", "new")}, ${report.updated} ${t("diperbarui", "updated")}.`);
    file = null;
    input.value = "";
  } else if (!changes) {
    verdict("calm", t("Semua sudah ada dan sama: tidak ada yang perlu disimpan.", "All of it is there and the same: there is nothing to save."));
  } else {
    verdict("good", t("Tidak ada kesalahan. Periksa, lalu simpan.", "No mistakes. Look it over, then save."));
  }
}

function number(name, value, kind) {
  const box = document.createElement("div");
  const [term, many] = [document.createElement("dt"), document.createElement("dd")];
  term.textContent = name;
  many.textContent = value;
  many.className = kind;
  box.append(term, many);
  return box;
}

function rows(list) {
  const cell = (text, kind = "") => {
    const td = document.createElement("td");
    td.textContent = text;
    td.className = kind;
    return td;
  };
  const line = (row) => {
    const tr = document.createElement("tr");
    const [kind, word] = WORDS[row.action] ?? ["", row.action];
    const what = document.createElement("td");
    const badge = document.createElement("span");
    badge.className = `badge ${kind}`;
    badge.textContent = word;
    what.append(badge);
    tr.append(cell(row.row, "number"), what, cell(row.nisn_nip_nik), cell(row.name), cell(Object.values(row.errors ?? {}).flat().join("; "), "bad"));
    return tr;
  };
  $("rows").hidden = !list.length;
  $("rows").tBodies[0].replaceChildren(...list.map(line));
}

function choose(chosen) {
  if (!chosen || busy) return;
  file = chosen;
  $("chosen").textContent = `${file.name} (${Math.ceil(file.size / 1024)} kB)`;
  run(true);
}

input.addEventListener("change", () => choose(input.files[0]));
$("create_classes").addEventListener("change", () => run(true));
$("apply").addEventListener("click", () => run(false));
$("again").addEventListener("click", () => {
  input.value = "";
  input.click();
});
form.addEventListener("submit", (event) => event.preventDefault());
for (const name of ["dragover", "dragenter"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files.length > 1) say(t("Satu berkas saja.", "One file only."), true);
  else choose(event.dataTransfer.files[0]);
});
