import type { NodeInfo } from "../lib/wire.ts";
import { CustomersForm } from "./CustomersForm.tsx";
import { OrderForm } from "./OrderForm.tsx";
import "./till.css";

/** Where orders are made: one by hand, or many by simulated customers. */
export function TillView({ info }: { readonly info: NodeInfo | null }) {
  return (
    <>
      <h1 className="till-title">Till</h1>
      {info ? (
        <div className="till">
          <OrderForm info={info} />
          <CustomersForm info={info} />
        </div>
      ) : (
        <p className="card empty">Waiting for the node to say what it sells.</p>
      )}
    </>
  );
}
