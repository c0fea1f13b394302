// The settings' forms send what was changed, all of a form or none; the fence is tried without leaving the page.
import { call, flaws, refresh, say, t } from "./console.js";

const fieldsOf = (form) => [...form.elements].filter((field) => field.name && field.tagName !== "BUTTON");
for (const form of document.querySelectorAll("form[data-settings]"))
  for (const field of fieldsOf(form)) field.dataset.was = field.value;

/** The rows of the week, as the two settings they are: `1,2,3` and `5=07:00-11:30`. */
function week(form) {
  const rows = [...form.querySelectorAll("[data-weekday]")];
  if (!rows.length) return;
  const days = rows.filter((row) => row.querySelector("[data-school]").checked).map((row) => row.dataset.weekday);
  const hours = rows.flatMap((row) => {
    const [from, to] = [row.querySelector("[data-from]").value, row.querySelector("[data-to-time]").value];
    return from || to ? [`${row.dataset.weekday}=${from}-${to}`] : [];
  });
  const touched = form.dataset.week === "touched";
  if (touched) {
    form.elements.school_days.value = days.join(",");
    form.elements.weekday_hours.value = hours.join("; ");
  }
}

document.addEventListener("input", (event) => {
  if (event.target.closest("[data-weekday]")) event.target.form.dataset.week = "touched";
});

async function save(form) {
  if (form.dataset.sending) return;
  week(form);
  const changed = fieldsOf(form).filter((field) => field.value !== field.dataset.was);
  flaws(form, {});
  if (!changed.length) {
    say(t("Tidak ada yang berubah.", "Nothing was changed."));
    return;
  }
  form.dataset.sending = "yes";
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    // As the API writes a time: 07:30:00.
    const value = (field) => (field.type === "time" && field.value.length === 5 ? `${field.value}:00` : field.value.trim());
    const settings = changed.map((field) => ({ key: field.name, value: value(field) }));
    await call("PUT", form.action, { settings });
    for (const field of changed) field.dataset.was = field.value;
    say(t("Pengaturan disimpan.", "The settings are saved."));
    await refresh();
  } catch (error) {
    // `settings.1.value` is the second that was sent; a flaw of what stays names its key.
    const named = (key) => changed[/^settings\.(\d+)\./.exec(key)?.[1]]?.name ?? key;
    flaws(form, Object.fromEntries(Object.entries(error.problems ?? {}).map(([key, texts]) => [named(key), texts])));
    say(error.message, true);
  } finally {
    delete form.dataset.sending;
    button.disabled = false;
  }
}

async function probe(form) {
  const url = new URL(location.pathname, location.href);
  url.search = new URLSearchParams(new FormData(form)).toString();
  history.replaceState(null, "", url);
  try {
    const response = await fetch(url, { headers: { "x-live": "1" }, credentials: "same-origin" });
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html").getElementById("fence");
    const focused = document.activeElement?.id;
    document.getElementById("fence").replaceWith(document.adoptNode(fresh));
    if (focused) document.getElementById(focused)?.focus();
  } catch {
    say(t("Server tidak menjawab. Coba lagi.", "The server does not answer. Try again."), true);
  }
}

document.addEventListener("submit", (event) => {
  if (event.target.matches("form[data-settings]")) {
    event.preventDefault();
    save(event.target);
  } else if (event.target.id === "probe") {
    event.preventDefault();
    probe(event.target);
  }
});

document.addEventListener("click", (event) => {
  const map = event.target.closest("svg.map");
  if (!map) return;
  const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(map.getScreenCTM().inverse());
  const form = document.getElementById("probe");
  form.elements.latitude.value = (Number(map.dataset.latitude) + at.y * Number(map.dataset.down)).toFixed(6);
  form.elements.longitude.value = (Number(map.dataset.longitude) + at.x * Number(map.dataset.across)).toFixed(6);
  probe(form);
});
