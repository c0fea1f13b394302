// A USB or Bluetooth scanner types what it reads, very fast. This listens to the whole page, with no field in focus; and where
// the field for a number has it, a scanner is told from a person by its pace.
//
// Keys are read by where they are, not by what the system's keyboard layout makes of them: a scanner types as on a US
// keyboard. So Caps Lock and another layout do no harm (codes know no lower case).

const GAP_MS = 100; // a longer silence ends a code
const PACE_MS = 60; // nobody types this fast
const LEAST = 4;
const LEAST_IN_FIELD = 8; // without Enter, a shorter one may be somebody quick

const PLAIN = { Period: ".", NumpadDecimal: ".", Minus: "-", NumpadSubtract: "-", Slash: "/", Semicolon: ":" };

function character(event) {
  const { code, key } = event;
  if (/^Key[A-Z]$/.test(code)) return code[3];
  if (/^(Digit|Numpad)[0-9]$/.test(code)) return code.at(-1);
  if (PLAIN[code]) return PLAIN[code];
  return code === "" && key.length === 1 ? key.toUpperCase() : "";
}

const isField = (element) => element instanceof Element && element.matches("input:not([type=radio]), textarea, select");

/** What a scanner typed is no search. */
function empty(field) {
  field.value = "";
  field.dispatchEvent(new Event("input"));
}

/** Calls `scanned(text)` for each code. */
export function listen(scanned) {
  let text = "";
  let first = 0;
  let last = 0;
  let silence;

  const end = (least = LEAST) => {
    clearTimeout(silence);
    const pace = (last - first) / Math.max(1, text.length - 1);
    const code = text;
    text = "";
    if (code.length >= least && pace <= PACE_MS) {
      scanned(code);
      return true;
    }
    return false;
  };

  addEventListener("keydown", (event) => {
    const field = isField(event.target) ? event.target : undefined;
    if ((field && !("scan" in field.dataset)) || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === "Enter" || event.key === "Tab") {
      // A button in focus is not pressed by the scanner's Enter.
      if (end()) {
        event.preventDefault();
        if (field) empty(field);
      }
      return;
    }
    const next = character(event);
    if (!next) return;
    if (text && event.timeStamp - last > GAP_MS) end();
    if (!text) first = event.timeStamp;
    text = (text + next).slice(0, 512);
    last = event.timeStamp;
    if (next === "/" && !field) event.preventDefault();
    clearTimeout(silence);
    silence = setTimeout(() => {
      if (end(field && LEAST_IN_FIELD) && field) empty(field);
    }, GAP_MS);
  }, { capture: true });
}
