// Cards: those that were chosen as one PDF, and all that are missing in as many requests as it takes.
import { call, refresh, say, t } from "./console.js";

document.addEventListener("click", async (event) => {
  const printer = event.target.closest("[data-prints]");
  if (printer) {
    const chosen = [...document.querySelectorAll("input[name=chosen]:checked")].map((box) => box.value);
    if (chosen.length) location.assign(`${printer.dataset.prints}?students=${chosen.join(",")}`);
    else say(t("Pilih dulu siswanya.", "Choose students first."), true);
  }
  const maker = event.target.closest("[data-missing]");
  if (maker) await all(maker);
});

async function all(maker) {
  const told = document.getElementById("making");
  maker.disabled = true;
  told.hidden = false;
  let made = 0;
  try {
    for (;;) {
      const { data } = await call("POST", maker.dataset.to, {});
      made += data.generated;
      told.textContent = `${made} ${t("kartu dibuat", "cards made")}, ${data.remaining} ${t("lagi", "to go")}`;
      if (!data.generated || !data.remaining) break;
    }
    maker.hidden = true;
  } catch (error) {
    say(error.message, true);
    maker.disabled = false;
  }
  await refresh();
}
