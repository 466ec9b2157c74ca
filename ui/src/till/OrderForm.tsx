import type { NodeInfo } from "../lib/wire.ts";
import { Field, Select, TextInput } from "./Field.tsx";
import { type FormErrors, newKey, NO_ERRORS } from "./form.ts";
import { OrderAnswer } from "./OrderAnswer.tsx";
import { type Draft, useOrder } from "./useOrder.ts";

/** Posts one order by hand. */
export function OrderForm({ info }: { readonly info: NodeInfo }) {
  const { draft, change, outcome, sending, send } = useOrder(info);
  const errors = outcome?.errors ?? NO_ERRORS;
  return (
    <section className="card" aria-labelledby="order-title">
      <h2 id="order-title">One order by hand</h2>
      <form className="till-form" noValidate onSubmit={send}>
        {errors.above !== null && (
          <p className="till-problem" role="alert" data-testid="till-problem">
            {errors.above}
            {outcome?.advice && <span className="till-advice">{outcome.advice}</span>}
          </p>
        )}
        <Choices info={info} draft={draft} change={change} errors={errors} />
        <Details draft={draft} change={change} errors={errors} />
        <button type="submit" className="button button-main" data-testid="till-send" disabled={sending}>
          {sending ? "Sending" : "Send the order"}
        </button>
      </form>
      <OrderAnswer outcome={outcome} />
    </section>
  );
}

interface PartProps {
  readonly draft: Draft;
  readonly change: (part: Partial<Draft>) => void;
  readonly errors: FormErrors;
}

function Choices({ info, draft, change, errors }: PartProps & { readonly info: NodeInfo }) {
  const choices = [
    ["version", "Version", info.versions.map(({ name }) => name as string)],
    ["drink", "Drink", info.menu.drinks],
    ["store", "Store", info.menu.stores],
  ] as const;
  return choices.map(([name, label, options]) => (
    <Field
      key={name}
      id={`till-${name}`}
      label={label}
      error={errors.byField[name]}
      errorTestId={`till-error-${name}`}
    >
      {(ids) => (
        <Select
          ids={ids}
          value={draft[name]}
          options={options}
          onValue={(value) => change({ [name]: value })}
        />
      )}
    </Field>
  ));
}

function Details({ draft, change, errors }: PartProps) {
  const errorOf = (field: string) => ({ error: errors.byField[field], errorTestId: `till-error-${field}` });
  return (
    <>
      <Field id="till-price" label="Price" hint="at most two decimals" {...errorOf("price")}>
        {(ids) => (
          <TextInput
            ids={ids}
            inputMode="decimal"
            value={draft.price}
            onValue={(price) => change({ price })}
          />
        )}
      </Field>
      <Field id="till-time" label="Time" hint="your time; empty means now" {...errorOf("timestamp")}>
        {(ids) => (
          <TextInput
            ids={ids}
            type="datetime-local"
            step={1}
            value={draft.time}
            onValue={(time) => change({ time })}
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
            <TextInput ids={ids} spellCheck={false} value={draft.key} onValue={(key) => change({ key })} />
            <button type="button" className="button" onClick={() => change({ key: newKey() })}>
              New key
            </button>
          </span>
        )}
      </Field>
    </>
  );
}
