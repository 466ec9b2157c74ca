import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import type { Node } from "./node.ts";

/** A wire between pages and a node that can be cut, or go dead without a word. */
export class Proxy {
  private readonly pairs = new Set<readonly [Socket, Socket]>();

  private constructor(private readonly server: Server) {}

  /** Begins to listen. */
  static async before(node: Node): Promise<Proxy> {
    const proxy: Proxy = new Proxy(createServer((client) => proxy.join(client, node.port)));
    await new Promise<void>((done) => proxy.server.listen(0, "127.0.0.1", done));
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo | null)?.port ?? 0;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Cuts what is connected; what connects afterwards is let through. */
  cut(): void {
    for (const pair of this.pairs) pair.forEach((socket) => socket.destroy());
  }

  /** What is connected stays so, and nothing comes through it any more. */
  deaden(): void {
    for (const [client, node] of this.pairs) {
      client.unpipe(node);
      node.unpipe(client);
      node.pause();
    }
  }

  /** Ends it. */
  end(): void {
    this.server.close();
    this.cut();
  }

  private join(client: Socket, port: number): void {
    const node = connect(port, "127.0.0.1");
    const pair = [client, node] as const;
    this.pairs.add(pair);
    client.pipe(node).pipe(client);
    const part = () => {
      this.pairs.delete(pair);
      pair.forEach((socket) => socket.destroy());
    };
    for (const socket of pair) socket.on("error", part).on("close", part);
  }
}
