// Small things every live page needs.

import { portrait } from "./api.js";
import { locale, t } from "./language.js";

export const $ = (id) => document.getElementById(id);
export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** An element with a class, a text or children. */
export function el(tag, className = "", ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children.filter((child) => child !== undefined && child !== null));
  return element;
}

export function initials(name) {
  const words = (name ?? "").trim().split(/\s+/).filter(Boolean);
  return words.length ? (words[0][0] + (words.length > 1 ? words.at(-1)[0] : "")).toUpperCase() : "?";
}

/** Initials, and the portrait in their place once it is here. Nobody waits for it. */
export function face({ name, letters, photo }) {
  const disc = el("span", "face", letters ?? initials(name));
  disc.setAttribute("aria-hidden", "true");
  if (photo) {
    portrait(photo).then((address) => {
      if (!address) return;
      const picture = el("img");
      [picture.src, picture.alt] = [address, ""];
      disc.replaceChildren(picture);
    });
  }
  return disc;
}

/** A line of a list of people. */
export function person({ name, detail, time, tone, letters, photo }) {
  const who = el("span", "who", el("b", "", name ?? ""), el("small", "", detail ?? ""));
  return el("li", "", face({ name, letters, photo }), who, el("time", tone ?? "", time ?? ""));
}

/** The box's clock, carried on by this device between two answers. */
export class Clock {
  #offset = 0;
  #zone = "Asia/Jakarta";
  #abbreviation = "";

  set(now, zone, abbreviation) {
    [this.#offset, this.#zone, this.#abbreviation] = [now - performance.now(), zone, abbreviation];
    this.known = true;
  }
  now() {
    return performance.now() + this.#offset;
  }
  show(seconds = true) {
    if (!this.known) return;
    const now = new Date(this.now());
    const clock = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: this.#zone };
    if (seconds) clock.second = "2-digit";
    $("clock").textContent = new Intl.DateTimeFormat("en-GB", clock).format(now);
    $("zone").textContent = this.#abbreviation;
    const day = { weekday: "long", day: "numeric", month: "long", year: "numeric", timeZone: this.#zone };
    $("day").textContent = new Intl.DateTimeFormat(locale(), day).format(now);
  }
}

/** `3 menit`. */
export function age(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return t(`${s} detik`, `${s} s`);
  if (s < 3600) return t(`${Math.floor(s / 60)} menit`, `${Math.floor(s / 60)} min`);
  if (s < 86400) return t(`${Math.floor(s / 3600)} jam`, `${Math.floor(s / 3600)} h`);
  return t(`${Math.floor(s / 86400)} hari`, `${Math.floor(s / 86400)} d`);
}

/** Keeps the screen on while the page is seen. */
export function stayAwake() {
  const ask = () => document.visibilityState === "visible" && navigator.wakeLock?.request("screen").catch(() => {});
  document.addEventListener("visibilitychange", ask);
  ask();
}
