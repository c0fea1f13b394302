// The step into a new year: nothing is done before it was seen.
import { call, refresh, say, t } from "./console.js";

const form = document.getElementById("promote");
const preview = document.getElementById("preview");
const apply = document.getElementById("apply");

function told(data) {
  const parts = [
    `${data.moved} ${t("siswa naik kelas", "students go on")}`,
    `${data.graduated} ${t("lulus", "graduate")}`,
    `${data.already_placed} ${t("sudah ditempatkan", "placed already")}`,
  ];
  return parts.join(", ");
}

form?.addEventListener("answered", (event) => {
  event.preventDefault();
  const { data } = event.detail;
  preview.textContent = `${data.dry_run ? t("Pratinjau", "Preview") : t("Selesai", "Done")}: ${told(data)}.`;
  preview.classList.toggle("good", !data.dry_run);
  preview.classList.toggle("calm", data.dry_run);
  // Enabled again by whoever sent the form, so after it.
  setTimeout(() => (apply.disabled = !data.dry_run));
  if (!data.dry_run) say(told(data));
});

/** A class that is left as it is is not sent at all. */
function fit() {
  for (const select of form.querySelectorAll("select")) select.closest("tr").querySelector("input[type=hidden]").disabled = select.value === "";
}
if (form) fit();

// What was seen is not what would be done any more.
form?.addEventListener("change", () => {
  fit();
  apply.disabled = true;
  preview.textContent = t("Pilihan berubah: tekan Pratinjau lagi.", "The choice changed: press Preview again.");
  preview.className = "note calm";
});
form?.addEventListener("failed", () => setTimeout(() => (apply.disabled = true)));

document.addEventListener("click", async (event) => {
  const maker = event.target.closest("[data-makes]");
  if (!maker) return;
  maker.disabled = true;
  try {
    await call("POST", maker.dataset.to, { name: maker.dataset.makes });
    location.reload();
  } catch (error) {
    maker.disabled = false;
    say(error.message, true);
    refresh();
  }
});
