// The page of the boxes: a new enrolment code is shown where it is made, once.
import { say, t } from "./console.js";

document.addEventListener("answered", (event) => {
  if (event.target.id !== "make-code") return;
  event.preventDefault();
  const { code, qr, expires_at } = event.detail.data;
  const shown = { code, qr, cloud: location.origin, expires_at: new Date(expires_at).toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" }) };
  const dialog = document.getElementById("code");
  for (const place of dialog.querySelectorAll("[data-shows]")) {
    const text = shown[place.dataset.shows];
    if (place instanceof HTMLImageElement) place.src = text;
    else place.textContent = text;
  }
  const copy = document.getElementById("code-copy");
  copy.onclick = () => navigator.clipboard?.writeText(code).then(() => say(t("Disalin.", "Copied.")));
  dialog.showModal();
});
