// The camera: frames go to the box, which reads the codes in them; where the browser reads codes itself, it does.

import { t } from "./language.js";
import { sleep } from "./page.js";

const PERIOD_MS = 130; // some seven frames a second, one on its way at a time
const SIDE = 720; // pixels of the square that is looked at

export class Camera {
  #video;
  #stream;
  #run = 0;
  #canvas = document.createElement("canvas");

  constructor(video) {
    this.#video = video;
  }

  get on() {
    return Boolean(this.#stream);
  }

  /** Resolves when the picture runs. Rejects with a sentence that says what to do. */
  async start(deviceId) {
    this.stop();
    if (!navigator.mediaDevices?.getUserMedia)
      throw new Error(t("Kamera hanya bisa dipakai lewat HTTPS. Buka alamat https:// kotak ini.", "The camera needs HTTPS. Open the https:// address of this box."));
    const wanted = deviceId ? { deviceId: { exact: deviceId } } : { facingMode: { ideal: "environment" } };
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: { ...wanted, width: { ideal: 1280 }, height: { ideal: 720 } } });
    } catch (e) {
      if (e.name === "OverconstrainedError" && deviceId) return this.start();
      throw new Error(e.name === "NotAllowedError"
        ? t("Izin kamera ditolak. Izinkan kamera untuk halaman ini di pengaturan peramban.", "The camera was refused. Allow it for this page in the browser's settings.")
        : t("Tidak ada kamera yang bisa dipakai. Alat pindai dan NISN tetap bisa.", "No camera can be used. The scanner and typing still work."));
    }
    this.#video.srcObject = this.#stream;
    await this.#video.play();
  }

  stop() {
    this.#run++;
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#stream = undefined;
    this.#video.srcObject = null;
  }

  get track() {
    return this.#stream?.getVideoTracks()[0];
  }

  async devices() {
    return (await navigator.mediaDevices.enumerateDevices()).filter((device) => device.kind === "videoinput");
  }

  get hasTorch() {
    return Boolean(this.track?.getCapabilities?.().torch);
  }
  torch(on) {
    return this.track?.applyConstraints({ advanced: [{ torch: on }] });
  }

  /**
   * Until the camera stops: `onCodes(texts)` for what the browser read, `onFrame(blob)` for what the box is to read.
   * Nothing while `isBlocked()`.
   */
  async look(onCodes, onFrame, isBlocked) {
    const run = this.#run;
    const detector = await ownDetector();
    while (run === this.#run) {
      const began = performance.now();
      try {
        if (this.#video.readyState >= 2 && !document.hidden && !isBlocked()) {
          const seen = detector && (await detector.detect(this.#video).catch(() => undefined));
          if (seen?.length) await onCodes(seen.map((code) => code.rawValue));
          else await onFrame(await this.#frame());
        }
      } catch (e) {
        // Whatever was wrong with this frame or its answer, the next card is looked at.
        reportError(e);
      }
      await sleep(Math.max(20, PERIOD_MS - (performance.now() - began)));
    }
  }

  /** The middle of the picture, a little more than the frame on the page shows, without colour. */
  #frame() {
    const { videoWidth, videoHeight } = this.#video;
    const crop = Math.min(videoWidth, videoHeight);
    const [canvas, side] = [this.#canvas, Math.min(crop, SIDE)];
    [canvas.width, canvas.height] = [side, side];
    const context = canvas.getContext("2d", { alpha: false });
    // A browser without filters sends colours, which the box takes out.
    context.filter = "grayscale(1)";
    context.drawImage(this.#video, (videoWidth - crop) / 2, (videoHeight - crop) / 2, crop, crop, 0, 0, side, side);
    return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.75));
  }
}

async function ownDetector() {
  const known = await globalThis.BarcodeDetector?.getSupportedFormats().catch(() => []);
  return known?.includes("qr_code") ? new BarcodeDetector({ formats: ["qr_code"] }) : undefined;
}
