import { connect, createServer, type Socket } from "node:net";

/**
 * An HTTP proxy that remembers what it was asked, and leads every tunnel and request to one place, as if it knew names
 * that nobody else does.
 *
 *   await using proxy = await startProxy(registry.host);
 *   await host.rt(["pull", …], { env: { HTTPS_PROXY: proxy.url } });
 *   proxy.heads                     ["CONNECT registry.test:443 HTTP/1.1\r\nHost: …"]
 */
export interface Proxy extends AsyncDisposable {
  readonly url: string;
  readonly heads: readonly string[];
}

/** @param target "127.0.0.1:PORT" */
export async function startProxy(target: string): Promise<Proxy> {
  const [host, port] = target.split(":") as [string, string];
  const heads: string[] = [];
  const sockets = new Set<Socket>();
  const watch = (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy()); // one that leaves takes its other half along, below
    socket.on("close", () => sockets.delete(socket));
  };
  const server = createServer((client) => {
    watch(client);
    let head = Buffer.alloc(0);
    const read = (data: Buffer | string) => {
      head = Buffer.concat([head, Buffer.from(data)]);
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) return;
      client.off("data", read);
      heads.push(head.subarray(0, end).toString("latin1"));
      const tunnel = head.toString("latin1", 0, 8) === "CONNECT ";
      const upstream = connect(Number(port), host, () => {
        if (tunnel) client.write("HTTP/1.1 200 OK\r\n\r\n");
        upstream.write(tunnel ? head.subarray(end + 4) : head);
        client.pipe(upstream).pipe(client);
      });
      watch(upstream);
      upstream.on("close", () => client.destroy());
      client.on("close", () => upstream.destroy());
    };
    client.on("data", read);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port: own } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${own}`,
    heads,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
