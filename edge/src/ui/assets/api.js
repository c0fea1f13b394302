// Talking to the box: a time limit on every call, the token of this device, the login when it is needed.

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
export async function call(path, { method = "GET", json, body, type, limit = 5000 } = {}) {
  const headers = {};
  const token = localStorage.getItem(TOKEN);
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

let asking;
/** Asks for number and password until they are right. Several callers share one dialog. */
export function signIn() {
  asking ??= ask().finally(() => (asking = undefined));
  return asking;
}

function ask() {
  const dialog = document.getElementById("login");
  const form = document.getElementById("login-form");
  const trouble = document.getElementById("login-error");
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  trouble.hidden = true;
  if (!dialog.open) dialog.showModal();
  return new Promise((done) => {
    form.onsubmit = async (event) => {
      event.preventDefault();
      const button = form.querySelector("button");
      button.disabled = true;
      const json = { nisn_nip_nik: form.username.value, password: form.password.value };
      try {
        signOut();
        const { status, body } = await call("/api/auth/login", { method: "POST", json, limit: 15000 });
        if (status !== 200) throw new Error(status === 401 ? t("NIP/NIK atau kata sandi salah", "Wrong number or password") : body.message);
        localStorage.setItem(TOKEN, body.data.token);
        localStorage.setItem(NAME, body.data.user.name);
        form.password.value = "";
        dialog.close();
        done();
      } catch (e) {
        trouble.textContent = e instanceof Unreachable ? t("Kotak tidak menjawab", "The box does not answer") : e.message;
        trouble.hidden = false;
      } finally {
        button.disabled = false;
      }
    };
  });
}

/** A call that signs in first when it must. */
export async function authorised(path, options) {
  for (;;) {
    const answer = await call(path, options);
    if (answer.status !== 401) return answer;
    await signIn();
  }
}
