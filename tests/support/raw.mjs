// HTTP as bytes on a socket, for what no well-meaning client sends.
import net from "node:net";

/** A connection that sends what it is told and reads answers one after the other. */
export class Connection {
  #buffer = Buffer.alloc(0);
  #waiting = [];
  #ended = false;

  constructor(url) {
    const { hostname, port, host } = new URL(url);
    this.host = host;
    this.socket = net.connect(Number(port), hostname);
    this.socket.on("data", (bytes) => {
      this.#buffer = Buffer.concat([this.#buffer, bytes]);
      this.#wake();
    });
    const end = () => {
      this.#ended = true;
      this.#wake();
    };
    this.socket.on("end", end).on("close", end).on("error", end);
  }

  #wake() {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  async #more() {
    if (this.#ended) throw new Error(`the connection ended; unread: ${JSON.stringify(this.#buffer.toString("latin1").slice(0, 200))}`);
    await new Promise((resolve) => this.#waiting.push(resolve));
  }

  write(bytes) {
    this.socket.write(bytes);
  }

  /** Sends a request whose body is one piece. */
  send(method, path, headers, body = "") {
    const bytes = Buffer.from(body);
    const lines = Object.entries({ host: this.host, "content-length": bytes.length, ...headers }).filter(([, value]) => value !== undefined);
    const head = `${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
    this.socket.write(Buffer.concat([Buffer.from(head, "latin1"), bytes]));
  }

  /** The next answer. */
  async answer() {
    let end;
    while ((end = this.#buffer.indexOf("\r\n\r\n")) < 0) await this.#more();
    const [start, ...lines] = this.#buffer.subarray(0, end).toString("latin1").split("\r\n");
    this.#buffer = this.#buffer.subarray(end + 4);
    const headers = new Headers(lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]));
    const status = Number(start.split(" ")[1]);
    const body = headers.get("transfer-encoding") === "chunked" ? await this.#chunks() : await this.#take(Number(headers.get("content-length") ?? 0));
    return { status, headers, text: body.toString("utf8") };
  }

  async #take(length) {
    while (this.#buffer.length < length) await this.#more();
    const taken = this.#buffer.subarray(0, length);
    this.#buffer = this.#buffer.subarray(length);
    return taken;
  }

  async #chunks() {
    const chunks = [];
    for (;;) {
      let end;
      while ((end = this.#buffer.indexOf("\r\n")) < 0) await this.#more();
      const length = parseInt(this.#buffer.subarray(0, end).toString("latin1"), 16);
      this.#buffer = this.#buffer.subarray(end + 2);
      chunks.push(await this.#take(length));
      await this.#take(2);
      if (length === 0) return Buffer.concat(chunks);
    }
  }

  /** Whether the other side closes within a second. */
  async closes() {
    const late = new Promise((resolve) => setTimeout(resolve, 1000, false).unref());
    const closed = (async () => {
      while (!this.#ended) await new Promise((resolve) => this.#waiting.push(resolve));
      return true;
    })();
    return Promise.race([closed, late]);
  }

  close() {
    this.socket.destroy();
  }
}

/** A multipart body: name and text of each part, in order. */
export function multipart(parts, { boundary = "cut", end = true } = {}) {
  const pieces = parts.map(([name, text, more = ""]) => `--${boundary}\r\ncontent-disposition: form-data; name="${name}"${more}\r\n\r\n${text}\r\n`);
  return { type: `multipart/form-data; boundary=${boundary}`, body: pieces.join("") + (end ? `--${boundary}--\r\n` : "") };
}
