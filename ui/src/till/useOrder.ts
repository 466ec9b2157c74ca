import { type FormEvent, useRef, useState } from "react";
import { type Answer, postOrder } from "../lib/api.ts";
import { pageNow } from "../lib/clock.ts";
import type { NodeInfo } from "../lib/wire.ts";
import { adviceAfter, type FormErrors, NO_ERRORS, placeErrors, timestampOf } from "./form.ts";

/** The fields of the form by the names that the node's errors use. */
const FIELDS: readonly string[] = ["drink", "store", "price", "timestamp", "Idempotency-Key"];

/** An order as it is typed. */
export interface Draft {
  readonly version: string;
  readonly drink: string;
  readonly store: string;
  readonly price: string;
  readonly time: string;
  readonly key: string;
}

/** What came of an order. */
export interface Outcome {
  /** Null where nothing was answered. */
  readonly status: number | null;
  /** The answer or the problem; null where neither was readable. */
  readonly body: unknown;
  readonly tookMs: number;
  readonly errors: FormErrors;
  readonly advice: string | null;
}

/** The order form's state. */
export interface OrderState {
  readonly draft: Draft;
  readonly change: (part: Partial<Draft>) => void;
  readonly outcome: Outcome | null;
  readonly sending: boolean;
  readonly send: (event: FormEvent) => void;
}

const offered = (choices: readonly string[], chosen: string): string =>
  choices.includes(chosen) ? chosen : (choices[0] ?? "");

/** Keeps what is typed, and sends it. */
export function useOrder({ menu, versions }: NodeInfo): OrderState {
  const [typed, setDraft] = useState<Draft>(() => ({
    version: "",
    drink: "",
    store: "",
    price: "4.50",
    time: "",
    key: "",
  }));
  // A node that came back may take other orders: the form offers nothing else, and sends what it shows.
  const names = versions.map(({ name }) => name as string);
  const draft = {
    ...typed,
    version: offered(names, typed.version),
    drink: offered(menu.drinks, typed.drink),
    store: offered(menu.stores, typed.store),
  };
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const [sending, setSending] = useState(false);
  /** Repeated with its key an order must be the same one: "now" stays what it was when the key was first sent. */
  const firstSent = useRef({ key: "", at: 0 });

  const post = async () => {
    const path = versions.find(({ name }) => name === draft.version)?.order_path;
    if (path === undefined || sending) return;
    setSending(true);
    const begun = pageNow();
    const { drink, store } = draft;
    const price = draft.price.trim();
    const key = draft.key.trim();
    if (key === "" || key !== firstSent.current.key) firstSent.current = { key, at: Date.now() };
    const timestamp = timestampOf(draft.time, firstSent.current.at);
    const answer = await postOrder(path, { drink, store, price, timestamp }, key);
    setOutcome(outcomeOf(answer, key, pageNow() - begun));
    setSending(false);
  };
  const send = (event: FormEvent) => {
    event.preventDefault();
    void post();
  };
  return { draft, change: (part) => setDraft({ ...draft, ...part }), outcome, sending, send };
}

function outcomeOf(answer: Answer<unknown>, key: string, tookMs: number): Outcome {
  if (answer.ok) {
    return { status: answer.status, body: answer.value, tookMs, errors: NO_ERRORS, advice: null };
  }
  const { status, problem } = answer;
  const errors = placeErrors(answer, FIELDS);
  return { status, body: problem, tookMs, errors, advice: adviceAfter(answer, key) };
}
