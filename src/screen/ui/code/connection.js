// The session with the mirror: opens again by itself, unless another page has taken it.

const AGAIN = 700;

let socket = null;
let handlers = {};
let picture = null;

export function start(given) {
  handlers = given;
  open();
}

/** Opens the session, here and now. */
export function open() {
  picture = null;
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
  const mine = socket;
  let taken = false;
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => {
    if (data instanceof ArrayBuffer) return part(data);
    const message = JSON.parse(data);
    taken ||= message.type === "taken";
    handlers[message.type]?.(message);
  };
  socket.onclose = () => {
    if (taken || mine !== socket) return;
    handlers.lost();
    setTimeout(open, AGAIN);
  };
}

export function send(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

/** Forgets a picture that is still arriving. */
export function forget() {
  if (picture) picture.parts = null;
}

/** A head (view, length), then the picture in parts. */
function part(data) {
  if (!picture) {
    const head = new DataView(data);
    const view = Number(head.getBigUint64(0));
    if (view === 0) return;
    picture = { view, missing: head.getUint32(8), parts: [] };
  } else {
    picture.parts?.push(data);
    picture.missing -= data.byteLength;
  }
  if (picture.missing > 0) return;
  const { view, parts } = picture;
  picture = null;
  handlers.picture(view, parts?.length ? new Blob(parts, { type: "image/jpeg" }) : null);
}
