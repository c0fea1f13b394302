// Indonesian stands in the page; English in `data-en`. The choice is kept on the device.

const KEY = "hadir.language";
let language = localStorage.getItem(KEY) === "en" ? "en" : "id";

/** The text of the language chosen. */
export const t = (id, en) => (language === "en" ? en : id);
export const locale = () => (language === "en" ? "en-GB" : "id-ID");

/** Words everything under `root` that has an English text. */
export function apply(root = document) {
  for (const element of root.querySelectorAll("[data-en]")) {
    element.dataset.id ??= element.textContent;
    const text = t(element.dataset.id, element.dataset.en);
    if (element.textContent !== text) element.textContent = text;
  }
  document.documentElement.lang = language;
  const button = document.getElementById("language");
  button.textContent = t("EN", "ID");
  button.lang = t("en", "id");
  button.setAttribute("aria-label", t("EN: change language to English", "ID: ganti bahasa ke Indonesia"));
}

document.getElementById("language").addEventListener("click", () => {
  language = t("en", "id");
  localStorage.setItem(KEY, language);
  apply();
  document.dispatchEvent(new Event("language"));
});
apply();
