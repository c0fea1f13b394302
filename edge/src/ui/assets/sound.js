// Sounds made here, so that none has to be loaded; and the telephone's vibration beside them.

let context;
/** Browsers give sound after a touch or a key. */
export function wake() {
  context ??= new AudioContext();
  if (context.state === "suspended") context.resume();
}
/** Whether sound comes out. */
export const isAwake = () => context?.state === "running";
addEventListener("pointerdown", wake, { passive: true });
// Making the context takes a while, and a scanner's next key must not wait for it.
addEventListener("keydown", () => setTimeout(wake), { passive: true });

function tone(at, hertz, seconds, type = "sine", to = hertz, gain = 0.35) {
  if (!isAwake()) return;
  const start = context.currentTime + at;
  const [oscillator, volume] = [context.createOscillator(), context.createGain()];
  oscillator.type = type;
  oscillator.frequency.setValueAtTime(hertz, start);
  oscillator.frequency.exponentialRampToValueAtTime(to, start + seconds);
  volume.gain.setValueAtTime(0, start);
  volume.gain.linearRampToValueAtTime(gain, start + 0.008);
  volume.gain.setValueAtTime(gain, start + seconds - 0.03);
  volume.gain.linearRampToValueAtTime(0, start + seconds);
  oscillator.connect(volume).connect(context.destination);
  oscillator.start(start);
  oscillator.stop(start + seconds);
}

const SOUNDS = {
  good: [() => tone(0, 1568, 0.14), [60]],
  late: [() => (tone(0, 988, 0.13), tone(0.16, 740, 0.2)), [60, 60, 60]],
  again: [() => (tone(0, 620, 0.05, "triangle", 620, 0.2), tone(0.11, 620, 0.05, "triangle", 620, 0.2)), [30, 50, 30]],
  out: [() => tone(0, 1320, 0.28, "sine", 620), [160]],
  undone: [() => (tone(0, 520, 0.09, "triangle", 420, 0.25), tone(0.13, 390, 0.16, "triangle", 300, 0.25)), [120, 40, 40]],
  bad: [() => tone(0, 150, 0.7, "square", 140, 0.2), [350]],
  alarm: [() => { for (let i = 0; i < 4; i++) tone(i * 0.3, i % 2 ? 660 : 990, 0.26, "square", i % 2 ? 660 : 990, 0.3); }, [400, 120, 400, 120, 400]],
};

export function play(name) {
  const [sound, pattern] = SOUNDS[name];
  sound();
  if (navigator.userActivation?.hasBeenActive ?? true) navigator.vibrate?.(pattern);
}
