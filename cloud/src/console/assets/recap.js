// The recap's grid: a letter opens its day in a dialog; the arrow keys go from letter to letter, and Tab leaves the grid.
import { say, t } from "./console.js";

const dialog = document.getElementById("look");
const grid = () => document.querySelector(".sheet table.grid");

/** One letter is reached by Tab, the others from it. */
function rove(current) {
  const links = grid()?.querySelectorAll("td a") ?? [];
  for (const link of links) link.tabIndex = -1;
  const stop = current?.isConnected ? current : links[0];
  if (stop) stop.tabIndex = 0;
}

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** The nearest letter that way, over what is empty between. */
function next(link, [across, down]) {
  const rows = [...grid().tBodies[0].rows];
  let row = rows.indexOf(link.closest("tr"));
  let column = link.closest("td").cellIndex;
  for (;;) {
    row += down;
    column += across;
    const cell = rows[row]?.cells[column];
    if (!cell) return null;
    const found = cell.querySelector("a");
    if (found) return found;
  }
}

document.addEventListener("keydown", (event) => {
  const step = STEPS[event.key];
  const link = step && event.target.closest(".sheet td a");
  if (!link) return;
  event.preventDefault();
  const to = next(link, step);
  if (!to) return;
  rove(to);
  to.focus();
});

let opened = "";

function show(section) {
  dialog.replaceChildren(...section.childNodes);
  const minutes = dialog.querySelector("[name=late_minutes]");
  const status = dialog.querySelector("[name=status]");
  if (minutes) {
    const follow = () => {
      minutes.closest(".field").hidden = status.value !== "terlambat";
      minutes.disabled = status.value !== "terlambat";
    };
    status.addEventListener("change", follow);
    follow();
  }
  dialog.showModal();
}

document.addEventListener("click", async (event) => {
  if (event.target.closest("dialog a[data-closes]")) event.preventDefault();
  const link = event.target.closest(".sheet td a[href*='at=']");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  rove(link);
  opened = link.getAttribute("href");
  try {
    const response = await fetch(link.href, { headers: { "x-live": "1" }, credentials: "same-origin" });
    const section = new DOMParser().parseFromString(await response.text(), "text/html").getElementById("day");
    if (section) show(document.adoptNode(section));
    else location.assign(link.href);
  } catch {
    say(t("Server tidak menjawab. Coba lagi.", "The server does not answer. Try again."), true);
  }
});

const letter = () => opened && document.querySelector(`.sheet td a[href="${CSS.escape(opened)}"]`);

dialog.addEventListener("close", () => letter()?.focus());

// What was corrected shows in its line and in the sums; the table stays where it was scrolled to.
document.addEventListener("answered", async () => {
  const response = await fetch(location.href, { headers: { "x-live": "1" }, credentials: "same-origin" });
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html").querySelector(".sheet table.grid");
  const old = grid();
  old.tBodies[0].replaceWith(document.adoptNode(fresh.tBodies[0]));
  old.tFoot.replaceWith(document.adoptNode(fresh.tFoot));
  rove(letter());
  letter()?.focus();
});

// Opened by its address: the day stands in the page, as without scripts.
const section = document.getElementById("day");
rove(null);
if (section) {
  const url = new URL(location.href);
  opened = `?month=${url.searchParams.get("month") ?? ""}&at=${url.searchParams.get("at") ?? ""}`;
  url.searchParams.delete("at");
  history.replaceState(null, "", url);
  section.remove();
  show(section);
}
