import type { NodeInfo } from "../lib/wire.ts";

const READS: readonly (readonly [path: string, what: string])[] = [
  ["GET /api/sales, WS /ws/sales", "this hour, stores and drinks, the last seconds, recent orders"],
  ["GET /api/history", "300 seconds and 60 minutes back"],
  ["GET /api/dashboard, WS /ws/dashboard", "this hour, top drinks, recent orders"],
  ["GET /api/actors, WS /ws/actors", "the supervision tree and where orders are"],
  ["GET /api/events?after=SEQ", "what happened in the tree"],
  ["POST /api/actors/{path}/kill", "break an actor: kill, panic or stall"],
  ["GET, POST, DELETE /api/customers", "simulated customers"],
  ["GET /livez, GET /readyz", "alive; able to acknowledge orders"],
  ["GET /metrics", "Prometheus"],
];

/** `/docs`: the node's addresses, those of its versions first, and an order to copy. */
export function DocsView({ info }: { readonly info: NodeInfo | null }) {
  const first = info?.versions[0];
  const orders = (info?.versions ?? []).map(
    ({ name, order_path }) => [`POST ${order_path}`, `an order for ${name}`] as const,
  );
  return (
    <div className="docs">
      <h1>API</h1>
      <section className="card" aria-labelledby="docs-paths">
        <div className="card-head">
          <h2 id="docs-paths">Addresses of this node</h2>
          <p className="card-note">{info ? `version ${info.version}, on ${info.engine}` : ""}</p>
        </div>
        <div className="table-scroll">
          <table>
            <tbody>
              {[...orders, ...READS].map(([path, what]) => (
                <tr key={path}>
                  <th scope="row">
                    <code>{path}</code>
                  </th>
                  <td>{what}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </section>
      {first && info && (
        <section className="card" aria-labelledby="docs-order">
          <h2 id="docs-order">An order to copy</h2>
          <pre tabIndex={0}>{example(first.order_path, info.menu)}</pre>
          <p className="muted">
            The header <code>Idempotency-Key</code> with a UUID makes repeating it safe. Errors are
            problem+json and name the field that is wrong.
          </p>
        </section>
      )}
    </div>
  );
}

function example(path: string, menu: NodeInfo["menu"]): string {
  const order = JSON.stringify({
    drink: menu.drinks[0] ?? "",
    store: menu.stores[0] ?? "",
    price: "4.50",
    timestamp: new Date().toISOString(),
  });
  return `curl -H 'content-type: application/json' ${location.origin}${path} \\\n  -d '${order}'`;
}
