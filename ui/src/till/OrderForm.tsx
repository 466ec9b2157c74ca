import { type FormEvent, useState } from "react";
import { type Answer, postOrder } from "../lib/api.ts";
import { pageNow } from "../lib/clock.ts";
import type { NodeInfo } from "../lib/wire.ts";
import { Field, Select } from "./Field.tsx";
import { adviceAfter, newKey, NO_ERRORS, placeErrors, timestampOf } from "./form.ts";
import { OrderAnswer, type Outcome } from "./OrderAnswer.tsx";

/** The fields of the form by the names that the node's errors use. */
const FIELDS = ["drink", "store", "price", "timestamp", "Idempotency-Key"] as const;

interface Draft {
  readonly version: string | null;
  readonly drink: string | null;
  readonly store: string | null;
  readonly price: string;
  readonly time: string;
  readonly key: string;
}

const EMPTY: Draft = { version: null, drink: null, store: null, price: "4.50", time: "", key: "" };

/** Posts one order by hand. */
export function OrderForm({ info }: { readonly info: NodeInfo }) {
  const [draft, setDraft] = useState(EMPTY);
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const [sending, setSending] = useState(false);
  const { drinks, stores } = info.menu;
  // Nothing chosen means the first one: the menu may come after the form.
  const version = info.versions.find(({ name }) => name === draft.version) ?? info.versions[0];
  const drink = draft.drink ?? drinks[0] ?? "";
  const store = draft.store ?? stores[0] ?? "";
  const change = (part: Partial<Draft>) => setDraft({ ...draft, ...part });

  const send = async (event: FormEvent) => {
    event.preventDefault();
    if (!version || sending) return;
    setSending(true);
    const begun = pageNow();
    const order = {
      drink,
      store,
      price: draft.price.trim(),
      timestamp: timestampOf(draft.time, Date.now()),
    };
    const answer = await postOrder(version.order_path, order, draft.key.trim());
    setOutcome(outcomeOf(answer, draft.key.trim(), pageNow() - begun));
    setSending(false);
  };

  const { byField, above } = outcome?.errors ?? NO_ERRORS;
  const errorOf = (field: (typeof FIELDS)[number]) => ({
    error: byField[field],
    errorTestId: `till-error-${field}`,
  });
  return (
    <section className="card" aria-labelledby="order-title">
      <h2 id="order-title">One order by hand</h2>
      <form className="till-form" noValidate onSubmit={(event) => void send(event)}>
        {above !== null && (
          <p className="till-problem" role="alert" data-testid="till-problem">
            {above}
            {outcome?.advice ? ` ${outcome.advice}` : ""}
          </p>
        )}
        <Field id="till-version" label="Version" error={undefined} errorTestId="till-error-version">
          {(ids) => (
            <Select
              ids={ids}
              value={version?.name ?? ""}
              options={info.versions.map(({ name }) => name)}
              onChange={(name) => change({ version: name })}
              testId="till-version"
            />
          )}
        </Field>
        <Field id="till-drink" label="Drink" {...errorOf("drink")}>
          {(ids) => (
            <Select
              ids={ids}
              value={drink}
              options={drinks}
              onChange={(value) => change({ drink: value })}
              testId="till-drink"
            />
          )}
        </Field>
        <Field id="till-store" label="Store" {...errorOf("store")}>
          {(ids) => (
            <Select
              ids={ids}
              value={store}
              options={stores}
              onChange={(value) => change({ store: value })}
              testId="till-store"
            />
          )}
        </Field>
        <Field id="till-price" label="Price" hint="at most two decimals" {...errorOf("price")}>
          {(ids) => (
            <input
              {...ids}
              className="input num"
              inputMode="decimal"
              autoComplete="off"
              value={draft.price}
              data-testid="till-price"
              onChange={(event) => change({ price: event.target.value })}
            />
          )}
        </Field>
        <Field id="till-time" label="Time" hint="your time; empty means now" {...errorOf("timestamp")}>
          {(ids) => (
            <input
              {...ids}
              className="input"
              type="datetime-local"
              step={1}
              value={draft.time}
              data-testid="till-time"
              onChange={(event) => change({ time: event.target.value })}
            />
          )}
        </Field>
        <Field
          id="till-key"
          label="Idempotency-Key"
          hint="optional; makes repeating the order safe"
          {...errorOf("Idempotency-Key")}
        >
          {(ids) => (
            <span className="till-key">
              <input
                {...ids}
                className="input mono"
                autoComplete="off"
                spellCheck={false}
                value={draft.key}
                data-testid="till-key"
                onChange={(event) => change({ key: event.target.value })}
              />
              <button type="button" className="button" onClick={() => change({ key: newKey() })}>
                New key
              </button>
            </span>
          )}
        </Field>
        <button type="submit" className="button button-main" data-testid="till-send" disabled={sending}>
          {sending ? "Sending" : "Send the order"}
        </button>
      </form>
      <OrderAnswer outcome={outcome} />
    </section>
  );
}

function outcomeOf(answer: Answer<unknown>, key: string, tookMs: number): Outcome {
  if (answer.ok) {
    return { status: answer.status, body: answer.value, tookMs, errors: NO_ERRORS, advice: null };
  }
  return {
    status: answer.status,
    body: answer.problem,
    tookMs,
    errors: placeErrors(answer, FIELDS),
    advice: adviceAfter(answer, key),
  };
}
