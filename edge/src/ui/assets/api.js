// Talking to the box: a time limit on every call, the token of this device, the login or the pairing when it is needed.

import { t } from "./language.js";

const TOKEN = "hadir.token";
const NAME = "hadir.name";

/** The box did not answer, or not with what a box answers. */
export class Unreachable extends Error {}

export const signedIn = () => localStorage.getItem(NAME);
export function signOut() {
  localStorage.removeItem(TOKEN);
  localStorage.removeItem(NAME);
}

/** One call. Resolves to `{status, body}` for whatever the box says; rejects with `Unreachable`. */
export async function call(path, { method = "GET", json, body, type, token = localStorage.getItem(TOKEN), limit = 5000 } = {}) {
  const headers = {};
  if (token) headers.authorization = `Bearer ${token}`;
  if (json) [headers["content-type"], body] = ["application/json", JSON.stringify(json)];
  else if (type) headers["content-type"] = type;
  try {
    const response = await fetch(path, { method, headers, body, cache: "no-store", signal: AbortSignal.timeout(limit) });
    return { status: response.status, body: await response.json() };
  } catch (e) {
    throw new Unreachable(String(e));
  }
}

/**
 * Follows a stream of states until it breaks: `onState(data)` for each. Resolves when it is over, for whatever reason.
 * The browser's own EventSource cannot say who asks.
 */
export async function follow(path, onState) {
  const token = localStorage.getItem(TOKEN);
  const silence = new AbortController();
  let timer;
  // The box says something every 15 seconds.
  const alive = () => (clearTimeout(timer), (timer = setTimeout(() => silence.abort(), 25000)));
  try {
    alive();
    const headers = { accept: "text/event-stream", ...(token && { authorization: `Bearer ${token}` }) };
    const answer = await fetch(path, { headers, cache: "no-store", signal: silence.signal });
    if (answer.status !== 200) return;
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ""; ; ) {
      const { done, value } = await reader.read();
      if (done) return;
      alive();
      const events = (text + value).split("\n\n");
      text = events.pop();
      for (const event of events) if (event.startsWith("data: ")) onState(JSON.parse(event.slice(6)));
    }
  } catch {
    // Whoever follows asks instead, and comes back.
  } finally {
    clearTimeout(timer);
    silence.abort();
  }
}

const portraits = new Map();
/** The address of somebody's portrait in this page, or nothing. The box is asked once. */
export function portrait(key) {
  if (!portraits.has(key)) portraits.set(key, fetchPortrait(key));
  return portraits.get(key);
}

async function fetchPortrait(key) {
  const token = localStorage.getItem(TOKEN);
  try {
    const headers = token ? { authorization: `Bearer ${token}` } : {};
    const answer = await fetch(`/api/portraits/${key}`, { headers, signal: AbortSignal.timeout(5000) });
    if (answer.ok) return URL.createObjectURL(await answer.blob());
  } catch {
    // Initials will do.
  }
  portraits.delete(key);
}

/** What went wrong, in the words of the answer: of the first wrong field where fields are wrong. */
export const why = (body) => (body.errors ? Object.values(body.errors)[0][0] : body.message);

/** A number and a password for a token; throws what the person should read. */
export async function login(nisn_nip_nik, password) {
  const json = { nisn_nip_nik, password };
  const { status, body } = await call("/api/auth/login", { method: "POST", json, token: null, limit: 15000 });
  if (status !== 200) throw new Error(status === 401 ? t("NIP/NIK atau kata sandi salah", "Wrong number or password") : why(body));
  return body.data;
}

/** Lets a form's button do `work` once at a time, and says beside it what went wrong. */
export function submits(form, trouble, work) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    trouble.hidden = true;
    try {
      await work();
    } catch (e) {
      trouble.textContent = e instanceof Unreachable ? t("Kotak tidak menjawab", "The box does not answer") : e.message;
      trouble.hidden = false;
    } finally {
      button.disabled = false;
    }
  });
}

const dialog = document.getElementById("login");
const forms = { login: document.getElementById("login-form"), pair: document.getElementById("pair-form") };
/** What this page's device may be paired as. */
const purpose = ["gate", "kiosk"].find((one) => document.body.classList.contains(one));
let asking;
let done;

function show(which) {
  for (const [name, form] of Object.entries(forms)) form.hidden = name !== which;
  forms[which].querySelector("input").focus();
}

/** Asks until somebody has signed in or the device is paired. Several callers share one dialog. */
export function signIn() {
  asking ??= new Promise((resolve) => {
    done = () => {
      dialog.close();
      asking = undefined;
      resolve();
    };
    if (!dialog.open) dialog.showModal();
    show(purpose ? "pair" : "login");
  });
  return asking;
}

if (dialog) {
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  const { login: account, pair } = forms;
  submits(account, document.getElementById("login-error"), async () => {
    signOut();
    const { token, user } = await login(account.username.value, account.password.value);
    localStorage.setItem(TOKEN, token);
    localStorage.setItem(NAME, user.name);
    account.password.value = "";
    done();
  });
  document.getElementById("to-pair").hidden = !purpose;
  document.getElementById("to-pair").addEventListener("click", () => show("pair"));
  document.getElementById("to-login").addEventListener("click", () => show("login"));
  pair.pin.required = purpose === "kiosk";
  document.getElementById("pair-pin-row").hidden = purpose !== "kiosk";
  submits(pair, document.getElementById("pair-error"), async () => {
    const json = { code: pair.code.value, name: pair.device.value, pin: pair.pin.value };
    const { status, body } = await call("/api/pairing", { method: "POST", json, token: null });
    if (status !== 201) throw new Error(why(body));
    pair.reset();
    if (body.data.purpose !== purpose) location.assign(`/${body.data.purpose}`);
    document.dispatchEvent(new Event("paired"));
    done();
  });
  // A paired gate's cookie is good for another while.
  if (purpose === "gate") call("/api/pairing", { token: null }).catch(() => {});
}

/** A call that signs in first when it must. */
export async function authorised(path, options) {
  for (;;) {
    const answer = await call(path, options);
    if (answer.status !== 401) return answer;
    await signIn();
  }
}
