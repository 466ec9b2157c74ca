import { type FormEvent, useState, useSyncExternalStore } from "react";
import { startCustomers, stopCustomers } from "../lib/api.ts";
import { adminToken } from "../lib/token.ts";
import { count } from "../lib/format.ts";
import type { NodeInfo } from "../lib/wire.ts";
import { Field, Select } from "./Field.tsx";
import { type FormErrors, NO_ERRORS, placeErrors } from "./form.ts";
import { Progress } from "./Progress.tsx";
import { useCustomers } from "./useCustomers.ts";

const FIELDS = ["version", "rate_per_second", "duration_seconds"] as const;
const FIRST_RATE = 50;
const FIRST_DURATION_S = 30;

/** Starts and stops the node's simulated customers, and shows how they fare. */
export function CustomersForm({ info }: { readonly info: NodeInfo }) {
  const { customers, unread, take } = useCustomers();
  const token = useSyncExternalStore(adminToken.subscribe, adminToken.getSnapshot);
  const [chosen, setChosen] = useState<string | null>(null);
  const [rate, setRate] = useState(String(Math.min(FIRST_RATE, info.customers.max_rate_per_second)));
  const [duration, setDuration] = useState(
    String(Math.min(FIRST_DURATION_S, info.customers.max_duration_seconds)),
  );
  const [errors, setErrors] = useState<FormErrors>(NO_ERRORS);
  const [sending, setSending] = useState(false);
  const version = chosen ?? info.versions[0]?.name ?? "";
  const running = customers?.running ?? null;

  const command = async (doIt: typeof stopCustomers) => {
    setSending(true);
    const answer = await doIt(token);
    take(answer);
    setErrors(answer.ok ? NO_ERRORS : placeErrors(answer, FIELDS));
    setSending(false);
  };
  const start = (event: FormEvent) => {
    event.preventDefault();
    const wanted = { version, rate_per_second: numberOf(rate), duration_seconds: numberOf(duration) };
    void command((own) => startCustomers(wanted, own));
  };
  const errorOf = (field: (typeof FIELDS)[number]) => ({
    error: errors.byField[field],
    errorTestId: `sim-error-${field}`,
  });
  const off = info.faults === "off";
  return (
    <section className="card" aria-labelledby="sim-title">
      <h2 id="sim-title">Simulated customers</h2>
      <p className="muted">
        The node posts orders to itself as real customers would: in bursts, with repeats and with lost
        answers.
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
          <Field id="sim-version" label="Version" {...errorOf("version")}>
            {(ids) => (
              <Select
                ids={ids}
                value={version}
                options={info.versions.map(({ name }) => name)}
                onChange={setChosen}
                testId="sim-version"
              />
            )}
          </Field>
          <Field
            id="sim-rate"
            label="Orders a second"
            hint={`at most ${count(info.customers.max_rate_per_second)}`}
            {...errorOf("rate_per_second")}
          >
            {(ids) => (
              <NumberInput {...ids} value={rate} max={info.customers.max_rate_per_second} onValue={setRate} />
            )}
          </Field>
          <Field
            id="sim-duration"
            label="Seconds"
            hint={`at most ${count(info.customers.max_duration_seconds)}`}
            {...errorOf("duration_seconds")}
          >
            {(ids) => (
              <NumberInput
                {...ids}
                value={duration}
                max={info.customers.max_duration_seconds}
                onValue={setDuration}
              />
            )}
          </Field>
          {info.faults === "token" && <TokenField token={token} />}
          <div className="till-buttons">
            <button
              type="submit"
              className="button button-main"
              data-testid="sim-start"
              disabled={sending || running !== null}
            >
              Start
            </button>
            <button
              type="button"
              className="button"
              data-testid="sim-stop"
              disabled={sending || running === null}
              onClick={() => void command(stopCustomers)}
            >
              Stop
            </button>
          </div>
        </fieldset>
      </form>
      <Progress customers={customers} unread={unread} />
    </section>
  );
}

interface NumberInputProps {
  readonly id: string;
  readonly "aria-describedby": string;
  readonly "aria-invalid": boolean;
  readonly value: string;
  readonly max: number;
  readonly onValue: (value: string) => void;
}

function NumberInput({ value, max, onValue, ...ids }: NumberInputProps) {
  return (
    <input
      {...ids}
      className="input num"
      type="number"
      min={1}
      max={max}
      value={value}
      data-testid={ids.id}
      onChange={(event) => onValue(event.target.value)}
    />
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
      {(ids) => (
        <input
          {...ids}
          className="input"
          type="password"
          autoComplete="off"
          value={token}
          data-testid="sim-token"
          onChange={(event) => adminToken.set(event.target.value)}
        />
      )}
    </Field>
  );
}

/** What was typed as a number; 0 where it is none, for the node to refuse. */
function numberOf(typed: string): number {
  const value = Number(typed);
  return Number.isFinite(value) ? value : 0;
}
