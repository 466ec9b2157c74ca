import { type FormEvent, useState, useSyncExternalStore } from "react";
import { startCustomers, stopCustomers } from "../lib/api.ts";
import { count } from "../lib/format.ts";
import { adminToken } from "../lib/token.ts";
import type { NodeInfo } from "../lib/wire.ts";
import { Field, Select, TextInput } from "./Field.tsx";
import { type FormErrors, NO_ERRORS, numberOf, placeErrors } from "./form.ts";
import { Progress } from "./Progress.tsx";
import { useCustomers } from "./useCustomers.ts";

/** The fields of the form by the names that the node's errors use. */
const FIELDS: readonly string[] = ["version", "rate_per_second", "duration_seconds"];
const FIRST_RATE = 50;
const FIRST_DURATION_S = 30;

/** Starts and stops the node's simulated customers, and shows how they fare. */
export function CustomersForm({ info }: { readonly info: NodeInfo }) {
  const { customers, unread, take } = useCustomers();
  const token = useSyncExternalStore(adminToken.subscribe, adminToken.getSnapshot);
  const [wish, setWish] = useState<Wish>(() => firstWish(info));
  const [errors, setErrors] = useState<FormErrors>(NO_ERRORS);
  const [sending, setSending] = useState(false);
  const running = customers !== null && customers.running !== null;
  const off = info.faults === "off";

  const command = async (send: typeof stopCustomers) => {
    setSending(true);
    const answer = await send(token);
    take(answer);
    setErrors(answer.ok ? NO_ERRORS : placeErrors(answer, FIELDS));
    setSending(false);
  };
  const start = (event: FormEvent) => {
    event.preventDefault();
    const { version, rate, duration } = wish;
    const asked = { version, rate_per_second: numberOf(rate), duration_seconds: numberOf(duration) };
    void command((own) => startCustomers(asked, own));
  };
  return (
    <section className="card" aria-labelledby="sim-title">
      <h2 id="sim-title">Simulated customers</h2>
      <p className="muted">
        The node sends itself orders as customers of several kinds would, repeats included.
      </p>
      {off && (
        <p className="till-note">
          Nobody may start customers here: the node listens beyond this machine and has no admin token.
        </p>
      )}
      <form className="till-form" noValidate onSubmit={start}>
        {errors.above !== null && (
          <p className="till-problem" role="alert" data-testid="sim-problem">
            {errors.above}
          </p>
        )}
        <fieldset className="till-fields" disabled={off}>
          <legend className="sr-only">Customers</legend>
          <WishFields info={info} wish={wish} onWish={setWish} errors={errors} />
          {info.faults === "token" && <TokenField token={token} />}
          <Buttons running={running} sending={sending} onStop={() => void command(stopCustomers)} />
        </fieldset>
      </form>
      <Progress customers={customers} unread={unread} />
    </section>
  );
}

/** What is typed. */
interface Wish {
  readonly version: string;
  readonly rate: string;
  readonly duration: string;
}

function firstWish({ versions, customers }: NodeInfo): Wish {
  return {
    version: versions[0]?.name ?? "",
    rate: String(Math.min(FIRST_RATE, customers.max_rate_per_second)),
    duration: String(Math.min(FIRST_DURATION_S, customers.max_duration_seconds)),
  };
}

interface WishProps {
  readonly info: NodeInfo;
  readonly wish: Wish;
  readonly onWish: (wish: Wish) => void;
  readonly errors: FormErrors;
}

function WishFields({ info, wish, onWish, errors }: WishProps) {
  const errorOf = (field: string) => ({ error: errors.byField[field], errorTestId: `sim-error-${field}` });
  const numbers = [
    ["rate", "Orders a second", info.customers.max_rate_per_second, "rate_per_second"],
    ["duration", "Seconds", info.customers.max_duration_seconds, "duration_seconds"],
  ] as const;
  return (
    <>
      <Field id="sim-version" label="Version" {...errorOf("version")}>
        {(ids) => (
          <Select
            ids={ids}
            value={wish.version}
            options={info.versions.map(({ name }) => name)}
            onValue={(version) => onWish({ ...wish, version })}
          />
        )}
      </Field>
      {numbers.map(([name, label, max, field]) => (
        <Field key={name} id={`sim-${name}`} label={label} hint={`at most ${count(max)}`} {...errorOf(field)}>
          {(ids) => (
            <TextInput
              ids={ids}
              type="number"
              min={1}
              max={max}
              value={wish[name]}
              onValue={(value) => onWish({ ...wish, [name]: value })}
            />
          )}
        </Field>
      ))}
    </>
  );
}

interface ButtonsProps {
  readonly running: boolean;
  readonly sending: boolean;
  readonly onStop: () => void;
}

function Buttons({ running, sending, onStop }: ButtonsProps) {
  return (
    <div className="till-buttons">
      <button
        type="submit"
        className="button button-main"
        data-testid="sim-start"
        disabled={sending || running}
      >
        Start
      </button>
      <button
        type="button"
        className="button"
        data-testid="sim-stop"
        disabled={sending || !running}
        onClick={onStop}
      >
        Stop
      </button>
    </div>
  );
}

function TokenField({ token }: { readonly token: string }) {
  return (
    <Field
      id="sim-token"
      label="Admin token"
      hint="kept for this window only"
      error={undefined}
      errorTestId="sim-error-token"
    >
      {(ids) => <TextInput ids={ids} type="password" value={token} onValue={adminToken.set} />}
    </Field>
  );
}
