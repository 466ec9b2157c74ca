import { Feed, type Socket } from "../lib/feed.ts";

/** A feed whose node is the test. */
export function feedOf<T>(path: string) {
  const socket: Socket = { onmessage: null, onclose: null, onerror: null, close: () => undefined };
  const feed = new Feed<T>(path, { open: () => socket, now: () => Date.now(), random: () => 0 });
  const say = (frame: T) =>
    socket.onmessage?.call(socket as WebSocket, new MessageEvent("message", { data: JSON.stringify(frame) }));
  const lose = () => socket.onclose?.call(socket as WebSocket, new CloseEvent("close"));
  return { feed, say, lose };
}
