// A recording as a WAV file: what browsers record by themselves is not what every decoder knows.

const SECONDS = 10;
const RATE = 48000;
let recorder = null;

export const possible = () => Boolean(navigator.mediaDevices?.getUserMedia && window.MediaRecorder);
export const recording = () => recorder !== null;
export const stop = () => recorder?.state === "recording" && recorder.stop();

// Records until `stop`, ten seconds at most; the microphone is let go in any case.
export async function record(begun) {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const parts = [];
  try {
    recorder = new MediaRecorder(stream);
    recorder.addEventListener("dataavailable", (event) => parts.push(event.data));
    const ended = new Promise((resolve) => { recorder.addEventListener("stop", resolve, { once: true }); });
    recorder.start();
    begun();
    const limit = setTimeout(stop, SECONDS * 1000);
    await ended;
    clearTimeout(limit);
  } finally {
    for (const track of stream.getTracks()) track.stop();
    recorder = null;
  }
  const sound = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(await new Blob(parts).arrayBuffer());
  return new File([wav(sound)], "recording.wav", { type: "audio/wav" });
}

// One channel, 16 bits: the mean of what was recorded.
function wav(sound) {
  const view = new DataView(new ArrayBuffer(44 + 2 * sound.length));
  const text = (at, value) => [...value].forEach((sign, place) => view.setUint8(at + place, sign.charCodeAt(0)));
  const numbers = [[4, 36 + 2 * sound.length, 4], [16, 16, 4], [20, 1, 2], [22, 1, 2], [24, RATE, 4], [28, 2 * RATE, 4], [32, 2, 2], [34, 16, 2], [40, 2 * sound.length, 4]];
  text(0, "RIFF");
  text(8, "WAVEfmt ");
  text(36, "data");
  for (const [at, value, bytes] of numbers) {
    if (bytes === 4) view.setUint32(at, value, true);
    else view.setUint16(at, value, true);
  }
  const channels = Array.from({ length: sound.numberOfChannels }, (_, number) => sound.getChannelData(number));
  for (let place = 0; place < sound.length; place += 1) {
    const mean = channels.reduce((sum, channel) => sum + channel[place], 0) / channels.length;
    view.setInt16(44 + 2 * place, Math.round(32767 * Math.min(1, Math.max(-1, mean))), true);
  }
  return view.buffer;
}
