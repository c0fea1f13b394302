// The page of a client: a secret is shown where it was made, once, and is gone with the page.
import { refresh, say, t } from "./console.js";

const place = document.getElementById("secret");
const [id, secret, copy, done] = ["id", "value", "copy", "done"].map((part) => document.getElementById(`secret-${part}`));

document.addEventListener("answered", (event) => {
  if (!("makes" in event.target.dataset)) return;
  event.preventDefault();
  const { client_id, client_secret, name } = event.detail;
  const own = `/console/clients/${client_id}`;
  if (!client_secret) {
    location.assign(own);
    return;
  }
  id.value = client_id;
  secret.value = client_secret;
  copy.dataset.copy = client_secret;
  done.href = own;
  // It is registered: there is nothing left to send.
  if (event.target.id === "register") {
    document.getElementById("about").hidden = true;
    document.querySelector("h1").textContent = name;
  }
  place.hidden = false;
  secret.focus();
  say(t("Kunci dibuat.", "The secret is made."));
  refresh();
});

secret.addEventListener("focus", () => secret.select());

// A browser keeps a page that was left.
addEventListener("pagehide", () => {
  secret.value = "";
  copy.dataset.copy = "";
  place.hidden = true;
});
