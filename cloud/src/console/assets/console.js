// What every page does: forms that go to the API, and parts that follow the database.
//
// <form data-api="PUT" action="…/api/leaves/7">   sends its fields as JSON with that method, says what came of it, and brings
//                                                  the page up to date. A button of it sends its own name and value, too.
//   data-as="number|boolean|list|lines|words|null|id|choice|json" of a field: what its text means (null: an empty one is null,
//                                        not left out; id: a number, or null; choice: a number, "null", or left out; json: what
//                                        it says; words: all of that name in one text)
//   name="moves.0.class_id"              of a field: it is sent within a list of objects
//   <select data-route>                  of the form: it goes to the chosen option's data-to
//   data-ask="…"                         of the form or the button: a question that is answered first
//   data-then="/console/…"               goes there when it went well
//   data-files                           sends the fields as they are (multipart)
// <element id data-live>                 is replaced by what the page says a moment later; what is open in it stays open;
//                                        data-live="soon" every second
// <dialog id="x">, <button data-opens="x">   opens it; data-fill='{"name": "value"}' fills its form first, data-to its address

const lang = document.documentElement.lang;
/** The text of the visitor's language. */
export const t = (id, en) => (lang === "en" ? en : id);
export const csrf = document.querySelector("meta[name=csrf]")?.content ?? "";

/** A request to this page's API. Throws an Error with `.problems`, in the API's words. */
export async function call(method, url, body) {
  const headers = { "x-csrf-token": csrf, accept: "application/json" };
  const isForm = body instanceof FormData;
  if (body !== undefined && !isForm) headers["content-type"] = "application/json";
  let response;
  try {
    response = await fetch(url, { method, headers, body: body === undefined || isForm ? body : JSON.stringify(body), credentials: "same-origin" });
  } catch {
    throw new Error(t("Server tidak menjawab. Tidak ada yang berubah; coba lagi.", "The server does not answer. Try again."));
  }
  if (response.status === 401) {
    location.assign(`/console/login?next=${encodeURIComponent(location.pathname + location.search)}`);
    throw new Error(t("Sesi berakhir.", "The session is over."));
  }
  const answer = await response.json().catch(() => ({}));
  // Some failures are told in both languages.
  const said = (!response.ok && answer.said?.[lang]) || answer;
  if (!response.ok) {
    const error = new Error(said.message ?? `${t("Gagal", "Failed")} (${response.status})`);
    error.problems = said.errors ?? {};
    error.status = response.status;
    throw error;
  }
  return said;
}

const toast = document.getElementById("said");
let quiet;
/** Says something for a few seconds. */
export function say(text, isBad = false) {
  if (!toast) return;
  toast.textContent = text;
  toast.classList.toggle("bad", isBad);
  toast.hidden = false;
  clearTimeout(quiet);
  quiet = setTimeout(() => (toast.hidden = true), isBad ? 9000 : 4000);
}

let refreshing = null;
let again = false;
/** Fetches this page and puts in what is marked as following the database. One at a time. */
export function refresh() {
  if (refreshing) {
    again = true;
    return refreshing;
  }
  refreshing = (async () => {
    do {
      again = false;
      const response = await fetch(location.href, { headers: { "x-live": "1" }, credentials: "same-origin" });
      if (response.redirected || !response.ok) return;
      put(new DOMParser().parseFromString(await response.text(), "text/html"));
    } while (again);
  })()
    .catch(() => {})
    .finally(() => (refreshing = null));
  return refreshing;
}

function put(fresh) {
  for (const old of document.querySelectorAll("[data-live][id]")) {
    const now = fresh.getElementById(old.id);
    // What somebody is filling in, or has ticked, stays as it is.
    if (!now || old.contains(document.activeElement?.closest("input, select, textarea")) || old.querySelector("input:checked")) continue;
    for (const opened of old.querySelectorAll("details[id]")) {
      const again = [...now.querySelectorAll("details[id]")].find((each) => each.id === opened.id);
      if (again) again.open = opened.open;
    }
    if (old.innerHTML !== now.innerHTML) {
      const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
      old.replaceWith(document.adoptNode(now));
      if (focused) document.getElementById(focused)?.focus();
      document.dispatchEvent(new CustomEvent("live", { detail: now }));
    }
  }
}

const waits = (ms) => new Promise((done) => setTimeout(done, ms));
const events = document.querySelector("meta[name=events]")?.content;
if (events && document.querySelector("[data-live]")) {
  let due = false;
  let source;
  const listen = () => {
    source = new EventSource(events);
    source.addEventListener("news", async () => {
      if (due) return;
      due = true;
      await waits(300);
      due = false;
      refresh();
    });
  };
  listen();
  // A browser keeps pages that were left, and a connection with each; past six there is none left for the next page.
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    listen();
    refresh();
  });
}
// What moves without an event: the age of what is shown, a job's progress.
let seconds = 0;
setInterval(() => {
  seconds += 1;
  if (!document.hidden && document.querySelector(seconds % 30 ? "[data-live=soon]" : "[data-live]")) refresh();
}, 1000);

/** The fields of a form as the API wants them. What is left empty is left out. */
export function fields(form, button) {
  const body = {};
  for (const field of form.elements) {
    if (!field.name || field.disabled || field.type === "file" || field.tagName === "BUTTON") continue;
    if (field.type === "radio" && !field.checked) continue;
    if (field.dataset.as === "words") {
      if (field.type !== "checkbox" || field.checked) body[field.name] = [body[field.name], field.value].filter(Boolean).join(" ");
      continue;
    }
    if (field.type === "checkbox" && field.dataset.as !== "boolean") {
      if (field.checked) (body[field.name] ??= []).push(field.dataset.as === "number" ? Number(field.value) : field.value);
      continue;
    }
    const value = read(field);
    if (value !== undefined) set(body, field.name.split("."), value);
  }
  if (button?.name) body[button.name] = read(button);
  // Of a list whose members are numbered some may have been left out.
  for (const [name, value] of Object.entries(body)) if (Array.isArray(value)) body[name] = value.filter((each) => each !== undefined);
  return body;
}

function set(into, [name, ...rest], value) {
  if (!rest.length) into[name] = value;
  else set((into[name] ??= /^[0-9]+$/.test(rest[0]) ? [] : {}), rest, value);
}

function read(field) {
  const text = field.value.trim();
  switch (field.dataset.as) {
    case "boolean":
      return field.type === "checkbox" ? field.checked : text === "true";
    case "number":
      return text === "" ? undefined : Number(text);
    case "list":
      return text.split(/[\s,;]+/).filter(Boolean).map(Number);
    case "lines":
      return text.split("\n").map((line) => line.trim()).filter(Boolean);
    case "null":
      return text === "" ? null : text;
    case "id":
      return text === "" ? null : Number(text);
    case "choice":
      return text === "" ? undefined : JSON.parse(text);
    case "json":
      return JSON.parse(text);
    default:
      return text === "" ? undefined : field.value;
  }
}

/** Says under each field what is wrong with it. */
export function flaws(form, problems) {
  for (const flaw of form.querySelectorAll(".flaw.said")) flaw.remove();
  let first;
  for (const [name, texts] of Object.entries(problems)) {
    const named = form.elements[name];
    const field = named instanceof RadioNodeList ? named[named.length - 1] : named;
    const place = field?.closest?.(".field") ?? form;
    const flaw = document.createElement("p");
    flaw.className = "flaw said";
    flaw.setAttribute("role", "alert");
    flaw.textContent = [texts].flat().join(" ");
    place.append(flaw);
    first ??= field;
  }
  first?.focus?.();
}

async function ask(question) {
  const dialog = document.createElement("dialog");
  dialog.innerHTML = `<form method="dialog"><p></p><div class="row"><button value=""></button><button class="main" value="yes"></button></div></form>`;
  dialog.querySelector("p").textContent = question;
  const [no, yes] = dialog.querySelectorAll("button");
  no.textContent = t("Batal", "Cancel");
  yes.textContent = t("Ya", "Yes");
  document.body.append(dialog);
  dialog.showModal();
  yes.focus();
  await new Promise((closed) => dialog.addEventListener("close", closed, { once: true }));
  dialog.remove();
  return dialog.returnValue === "yes";
}

/** Sends a form once, however often its button is pressed. */
export async function send(form, button) {
  if (form.dataset.sending) return;
  const question = button?.dataset.ask ?? form.dataset.ask;
  if (question && !(await ask(question))) return;
  form.dataset.sending = "yes";
  const buttons = form.querySelectorAll("button");
  for (const each of buttons) each.disabled = true;
  flaws(form, {});
  try {
    const method = button?.dataset.api ?? form.dataset.api;
    const route = form.querySelector("select[data-route]")?.selectedOptions[0]?.dataset.to;
    if (route) form.action = route;
    const hasFiles = "files" in form.dataset;
    const body = hasFiles ? new FormData(form) : method === "DELETE" && !form.elements.length ? undefined : fields(form, button);
    const said = await call(method, button?.formAction && button.hasAttribute("formaction") ? button.formAction : form.action, body);
    const handled = !form.dispatchEvent(new CustomEvent("answered", { bubbles: true, cancelable: true, detail: said }));
    if (handled) return;
    if (form.dataset.then) {
      location.assign(form.dataset.then.replace("{id}", said.data?.id ?? ""));
      return;
    }
    say(lang === "en" ? form.dataset.said ?? "Done." : said.message ?? "Selesai.");
    form.closest("dialog")?.close();
    for (const box of form.elements) if (box.matches("input:checked[data-select]")) box.checked = false;
    for (const all of document.querySelectorAll("input:checked[data-all]")) all.checked = false;
    await refresh();
  } catch (error) {
    form.dispatchEvent(new CustomEvent("failed", { bubbles: true, detail: error }));
    if (error.problems && Object.keys(error.problems).length) flaws(form, error.problems);
    say(error.message, true);
    // What was refused may have been decided by somebody else meanwhile.
    refresh();
  } finally {
    delete form.dataset.sending;
    for (const each of buttons) each.disabled = false;
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.dataset?.api) return;
  event.preventDefault();
  send(form, event.submitter);
});

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) {
    const dialog = document.getElementById(opener.dataset.opens);
    const form = dialog.querySelector("form");
    if (opener.dataset.fill !== undefined || opener.dataset.to !== undefined) form.reset();
    flaws(form, {});
    if (opener.dataset.to) form.action = opener.dataset.to;
    for (const [name, value] of Object.entries(JSON.parse(opener.dataset.fill ?? "{}"))) {
      const field = form.elements[name];
      if (field?.type === "checkbox") field.checked = value;
      else if (field) field.value = value;
      for (const place of dialog.querySelectorAll(`[data-shows="${name}"]`)) place.textContent = value;
    }
    dialog.showModal();
  }
  if (event.target.closest("[data-closes]")) event.target.closest("dialog").close();
  const copied = event.target.closest("[data-copy]");
  if (copied) navigator.clipboard?.writeText(copied.dataset.copy).then(() => say(t("Disalin.", "Copied.")));
  // A menu that lies over the page closes when one turns to the page.
  const me = document.querySelector("details.me");
  if (me?.open && !me.contains(event.target)) me.open = false;
});

// One box that ticks all of a table.
document.addEventListener("change", (event) => {
  const all = event.target.closest("input[data-all]");
  if (all) for (const box of document.querySelectorAll(`input[name="${all.dataset.all}"]`)) box.checked = all.checked;
  const filters = event.target.closest("form.filters");
  if (filters && event.target.matches("select")) filters.requestSubmit();
});

const places = document.getElementById("places");
if (places) {
  const narrow = matchMedia("(max-width: 999px)");
  const fit = () => (places.open = !narrow.matches);
  narrow.addEventListener("change", fit);
  fit();
}
