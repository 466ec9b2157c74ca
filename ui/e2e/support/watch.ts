import type { BrowserContext, Page } from "playwright-core";

/** What a node that is away looks like to a page. */
export const NODE_AWAY: readonly RegExp[] = [
  /WebSocket connection to '[^']*' failed/,
  /net::ERR_CONNECTION_(REFUSED|RESET|CLOSED)/,
  /net::ERR_EMPTY_RESPONSE/,
];

/** Hears everything that a page must not do: errors in its console, broken policies, failed requests, other hosts. */
export class Watch {
  private readonly heard: string[] = [];
  private readonly allowed: RegExp[] = [];
  /** Every request: the first load is measured by them. */
  readonly requests: string[] = [];

  constructor(
    context: BrowserContext,
    private readonly hosts: () => readonly string[],
  ) {
    context.on("request", (request) => this.asked(request.url()));
    context.on("requestfailed", (request) => {
      const reason = request.failure()?.errorText ?? "";
      // A page that is left gives up what it had asked for.
      if (reason !== "net::ERR_ABORTED") this.complain(`request failed: ${request.url()} ${reason}`);
    });
    context.on("weberror", (error) => this.complain(`page error: ${error.error().stack ?? ""}`));
  }

  /** Hears a page of the context. */
  async hear(page: Page): Promise<void> {
    page.on("console", (message) => {
      const kind = message.type();
      if (kind !== "error" && kind !== "warning") return;
      this.complain(`console ${kind}: ${message.text()} ${message.location().url}`);
    });
    page.on("websocket", (socket) => this.asked(socket.url()));
    page.on("crash", () => this.complain("the page crashed"));
    // The console tells of most of these; of those in workers and of reports it does not.
    await page.addInitScript(() => {
      addEventListener("securitypolicyviolation", (event) => {
        console.error(`policy ${event.violatedDirective} broken by ${event.blockedURI}`);
      });
    });
  }

  /** What the story brings about on purpose. */
  allow(...patterns: readonly RegExp[]): void {
    this.allowed.push(...patterns);
  }

  /** What was heard and not allowed, each once. */
  get complaints(): string[] {
    const forbidden = this.heard.filter((line) => !this.allowed.some((pattern) => pattern.test(line)));
    return [...new Set(forbidden)];
  }

  private asked(url: string): void {
    this.requests.push(url);
    const { protocol, host } = new URL(url);
    if (protocol === "data:" || protocol === "blob:") return;
    if (!this.hosts().includes(host)) this.complain(`request to another host: ${url}`);
  }

  private complain(line: string): void {
    this.heard.push(line);
  }
}
