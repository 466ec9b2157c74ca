import { clockTime, money, timeOf } from "../lib/format.ts";
import type { Sales } from "../lib/wire.ts";
import { isNew } from "./arrivals.ts";
import type { SalesSnapshot } from "./store.ts";

/** Orders that are shown, and rows whose place is kept. */
const ROWS = 10;

/** The newest orders. Rows are places, not orders: at hundreds of orders a second nothing is made anew. */
export function Recent({ sales }: { readonly sales: SalesSnapshot }) {
  const { frame, arrivals, receivedAt } = sales;
  return (
    <section className="card recent" aria-labelledby="recent-title">
      <div className="card-head">
        <h2 id="recent-title">Recent orders</h2>
        <p className="card-note">times are the orders’ own</p>
      </div>

      <table data-testid="recent-orders">
        <thead>
          <tr>
            <th scope="col">Time</th>
            <th scope="col">Store</th>
            <th scope="col">Drink</th>
            <th scope="col" className="end">
              Price
            </th>
            <th scope="col" className="end">
              Order
            </th>
          </tr>
        </thead>
        <tbody>
          {Array.from({ length: ROWS }, (_, index) => {
            const order = frame?.recent_orders[index];
            if (!order) return <EmptyRow key={index} text={index === 0 ? emptyText(frame) : ""} />;
            return (
              <tr
                key={index}
                data-testid={`recent-${order.id}`}
                className={isNew(arrivals, order.id, receivedAt) ? "is-new" : undefined}
              >
                <td className="num">{clockTime(timeOf(order.timestamp))}</td>
                <td title={order.store}>{order.store}</td>
                <td title={order.drink}>{order.drink}</td>
                <td className="num end">{money(order.price)}</td>
                <td className="num end muted">{order.id}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}

function emptyText(frame: Sales | null): string {
  return frame ? "No order yet." : "Unknown until the node answers.";
}

function EmptyRow({ text }: { readonly text: string }) {
  return (
    <tr>
      <td colSpan={5} className="muted">
        {text}
      </td>
    </tr>
  );
}
